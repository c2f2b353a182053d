import { describe, expect, it } from "vitest";
import { compare } from "../src/report/comparison.ts";
import { benchmarkPage } from "../src/report/page.ts";
import { ratioChart } from "../src/report/ratio-chart.ts";
import { jsonReport, type RunReport } from "../src/report/run-report.ts";
import { markdownTable, tablesOf, textTable } from "../src/report/tables.ts";
import { textReport } from "../src/report/text-report.ts";
import { SUITES } from "../src/suites/suite-table.ts";
import type { Outcome } from "../src/suites/workload.ts";

function outcome(operations: number, changes: Partial<Outcome> = {}): Outcome {
  return {
    operations,
    bytes: operations * 1000,
    seconds: 1,
    p50Us: 40,
    p99Us: 90,
    clientCpuSeconds: 0.2,
    serverCpuSeconds: 0.1,
    clientPeakBytes: 100 * 1024 * 1024,
    serverPeakBytes: 120 * 1024 * 1024,
    serverBytesPerUnit: 0,
    clientBytesPerUnit: 0,
    keptShare: 0,
    ...changes,
  };
}

function suiteNamed(name: string): (typeof SUITES)[number] {
  const found = SUITES.find((suite) => suite.name === name);
  if (found === undefined) throw new Error(`no suite ${name}`);
  return found;
}

const fast = compare({
  suite: suiteNamed("rpc-sync-1k"),
  outcomes: {
    ours: [outcome(10_000), outcome(30_000), outcome(20_000)],
    jvm: [outcome(10_000), outcome(10_000), outcome(40_000)],
  },
});
const idle = compare({
  suite: suiteNamed("idle-connections"),
  outcomes: {
    ours: [outcome(5000, { serverBytesPerUnit: 6 * 1024, clientBytesPerUnit: 3 * 1024 })],
    jvm: [outcome(5000, { serverBytesPerUnit: 12 * 1024 })],
  },
});
const slow = compare({
  suite: suiteNamed("slow-reader"),
  outcomes: { ours: [outcome(1000, { keptShare: 0.97 })] },
});

const report: RunReport = {
  machine: {
    processor: "A processor",
    cores: 2,
    memoryBytes: 8 * 1024 ** 3,
    system: "Linux 6.1 x64",
    loadBefore: 0.25,
    node: "v26.0.0",
    java: "17.0.1",
    spark: "4.1.2",
  },
  command: "npm run bench",
  pace: { rounds: 3, roundSeconds: 1, firstWarmUpSeconds: 1, warmUpSeconds: 0.5, isQuick: false },
  comparisons: [fast, idle, slow],
};

describe("the comparison", () => {
  it("divides ours by the peer's, round by round", () => {
    const jvm = fast.rows.find(({ name }) => name === "jvm");
    expect(jvm?.ratios?.speed).toEqual({ median: 1, least: 0.5, most: 3 });
    expect(jvm?.ratios?.cpu.median).toBe(1);
    expect(fast.rows[0]?.ratios).toBeNull();
  });

  it("takes medians of the rounds, and CPU for one operation", () => {
    expect(fast.rows[0]?.summary).toMatchObject({ perSecond: 20_000, bytesPerSecond: 20_000_000 });
    expect(fast.rows[0]?.summary.clientCpuUs).toBeCloseTo(10);
  });
});

describe("the report", () => {
  it("has a table for speed, one for memory and one for the slow reader", () => {
    const tables = tablesOf(report.comparisons);
    expect(tables.map(({ title }) => title)).toEqual([
      "Speed",
      "Memory",
      "Beside a stopped reader",
    ]);
    expect(tables[1]?.rows[1]).toEqual([
      "idle-connections",
      "ours",
      "connection",
      "6.00",
      "3.00",
      "100 + 120",
      "",
    ]);
  });

  it("aligns the columns of its text", () => {
    const [heading = "", first = ""] = textTable(tablesOf([fast])[0]!)
      .split("\n")
      .slice(1);
    expect(first.indexOf("ours")).toBe(heading.indexOf("who"));
    expect(textReport(report)).toContain("1.00 [0.50-3.00]");
  });

  it("is a Markdown table with as many cells in every line", () => {
    const lines = markdownTable(tablesOf([fast])[0]!).split("\n");
    expect(new Set(lines.map((line) => line.split("|").length)).size).toBe(1);
    expect(lines[1]).toMatch(/^\| --- \| --- \|( ---: \|)+$/);
  });

  it("says in its page on what and with which command it was made", () => {
    const page = benchmarkPage(report, "benchmarks.svg");
    expect(page).toContain("A processor, 2 cores, 8 GiB");
    expect(page).toContain("`npm run bench`");
    expect(page).toContain("load average before the run 0.3");
    expect(page).toContain("1 to 3 rounds");
    expect(page).toContain("](benchmarks.svg)");
    expect(page).toContain("rpc-sync-1k");
  });

  it("says in its page what a quick run made smaller", () => {
    const burst = compare({
      suite: suiteNamed("rpc-burst-64k"),
      outcomes: { ours: [outcome(500)] },
    });
    const quick = { ...report, pace: { ...report.pace, isQuick: true }, comparisons: [burst] };
    expect(benchmarkPage(quick, "x.svg")).toContain("(quick: 500 at once instead of 5000)");
    const whole = { ...report, comparisons: [burst] };
    expect(benchmarkPage(whole, "x.svg")).not.toContain("(quick");
  });

  it("gives machines every round", () => {
    const parsed = JSON.parse(jsonReport(report)) as RunReport;
    expect(parsed.comparisons[0]?.rows[1]?.rounds).toHaveLength(3);
  });
});

describe("the chart", () => {
  it("has one bar and one spread for each suite with a throughput", () => {
    const chart = ratioChart(report.comparisons);
    expect(chart.match(/class="(faster|slower)"/g)).toHaveLength(1);
    expect(chart.match(/class="spread"/g)).toHaveLength(1);
    expect(chart).toContain(">throughput, ours / jvm<");
    expect(chart).not.toContain("NaN");
    expect(chart.match(/<text/g)?.length).toBe(chart.match(/<\/text>/g)?.length);
  });

  it("says when there is nothing to compare with", () => {
    expect(ratioChart([slow])).toContain("nothing to compare with");
  });
});
