/** docs/benchmarks.md, made from a run. */
import type { Comparison } from "./comparison.ts";
import { machineText } from "./machine.ts";
import type { RunReport } from "./run-report.ts";
import { markdownTable, tablesOf } from "./tables.ts";

/** @param chart file name of the chart, beside the page */
export function benchmarkPage(report: RunReport, chart: string): string {
  const { pace, comparisons } = report;
  const { rounds, roundSeconds, warmUpSeconds } = pace;
  const sections = [
    "# Benchmarks",
    `Made by \`${report.command}\`; do not edit. Run on: ${machineText(report.machine)}.`,
    INTRODUCTION,
    `${rounds} rounds of ${roundSeconds} s, contenders in turns, after warming up in steps of ${warmUpSeconds} s
for as long as that made a contender faster. Peaks of memory are those during the suite; what a process
kept from earlier suites counts in them.`,
    "## Ratios",
    `![Throughput of ours divided by that of each peer](${chart})`,
    ...originSections(comparisons),
    "## What the suites do",
    suiteList(comparisons),
  ];
  return `${sections.join("\n\n")}\n`;
}

const INTRODUCTION = `Ours is \`@bm/transport\`; \`jvm\` is Spark's own transport on Netty, \`grpc\` is
\`@grpc/grpc-js\`, \`net\` is bare \`node:net\` without ids or a pipeline, as a ceiling. Client and server
are two processes of the same contender. Every answer is checked for its length and for sampled bytes.
Ratios are medians over the rounds with [least-most], each formed from rounds that were neighbours in
time. The absolute figures are of this machine at that hour: compare them with each other, never with
those of another run.`;

function originSections(comparisons: readonly Comparison[]): string[] {
  const parts = [
    { heading: "## The suites of Spark's NettyTransportBenchmark", origin: "spark" },
    { heading: "## Our suites", origin: "bm" },
  ];
  return parts.flatMap(({ heading, origin }) => {
    const tables = tablesOf(comparisons.filter(({ suite }) => suite.origin === origin));
    if (tables.length === 0) return [];
    const isSingle = tables.length === 1;
    const shown = tables.flatMap((table) => [
      ...(isSingle ? [] : [`### ${table.title}`]),
      markdownTable(table),
    ]);
    return [heading, ...shown];
  });
}

function suiteList(comparisons: readonly Comparison[]): string {
  return comparisons.map(({ suite }) => `- \`${suite.name}\`: ${suite.title}`).join("\n");
}
