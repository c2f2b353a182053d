/** docs/benchmarks.md, made from a run. */

import type { Suite } from "../suites/suite.ts";
import type { Comparison } from "./comparison.ts";
import { machineText } from "./machine.ts";
import type { RunReport } from "./run-report.ts";
import { markdownTable, tablesOf } from "./tables.ts";

/** @param chart file name of the chart, beside the page */
export function benchmarkPage(report: RunReport, chart: string): string {
  const { pace, comparisons } = report;
  const { roundSeconds, warmUpSeconds } = pace;
  const sections = [
    "# Benchmarks",
    `Made by \`${report.command}\`; do not edit. Run on: ${machineText(report.machine)}.`,
    INTRODUCTION,
    `${roundsText(report)} of ${roundSeconds} s, contenders in turns, after warming up in steps of ${warmUpSeconds} s
for as long as that made a contender faster. Peaks of memory are those during the suite; what a process
kept from earlier suites counts in them.`,
    "## Ratios",
    `![Throughput of ours divided by that of each peer](${chart})`,
    ...originSections(comparisons),
    "## What the suites do",
    suiteList(comparisons, pace.isQuick),
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

/** A run in a hurry makes fewer rounds of some suites, and memory has rounds of its own. */
function roundsText({ comparisons }: RunReport): string {
  const counts = comparisons.flatMap(({ rows }) => rows.map((row) => row.rounds.length));
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return least === most ? `${most} rounds` : `${least} to ${most} rounds`;
}

function suiteList(comparisons: readonly Comparison[], isQuick: boolean): string {
  return comparisons
    .map(({ suite }) => `- \`${suite.name}\`: ${suite.title}${isQuick ? quickText(suite) : ""}`)
    .join("\n");
}

/** What a quick run made smaller than the title says. */
function quickText({ load, quick }: Suite): string {
  const changes = [
    quick.window === undefined ? [] : [`${quick.window} at once instead of ${load.window}`],
    quick.operationsMax === undefined ? [] : [`at most ${quick.operationsMax} operations a round`],
  ].flat();
  return changes.length === 0 ? "" : ` (quick: ${changes.join(", ")})`;
}
