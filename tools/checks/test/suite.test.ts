import { describe, expect, it } from "vitest";
import { type SuiteOutcome, summaryOf, tallySuite } from "../src/suite/tally.ts";
import { readTestReport } from "../src/suite/test-report.ts";
import { readTurboSummary, type TaskOutcome } from "../src/suite/turbo-summary.ts";

function task(name: string, folder: string, changes: Partial<TaskOutcome> = {}): TaskOutcome {
  const owner = folder === "" ? "//" : `@bm/${folder.split("/")[1] ?? ""}`;
  return { task: name, package: owner, folder, state: "passed", isCached: false, ...changes };
}

const FINDING = { file: "a.ts", line: 1, message: "bad", fix: "good" };

const GREEN: SuiteOutcome = {
  tasks: [
    task("build", "packages/block"),
    task("build", "packages/rpc"),
    task("lint:code", ""),
    task("checks", ""),
    task("test", "packages/block"),
  ],
  testReports: new Map([
    [
      "packages/block",
      {
        outcomes: [
          { name: "block a", state: "passed" },
          { name: "interop with a JVM", state: "skipped" },
        ],
      },
    ],
  ]),
  checksReports: new Map([["checks", { results: [{ name: "wording", findings: [] }] }]]),
  isCi: false,
};

function tally(changes: Partial<SuiteOutcome>): { summary: string; failures: readonly string[] } {
  const lines = tallySuite({ ...GREEN, ...changes });
  return { summary: summaryOf(lines), failures: lines.flatMap(({ failures }) => failures) };
}

describe("the summary of npm test", () => {
  it("counts every test, and one for each gate", () => {
    expect(tally({})).toEqual({ summary: "4 passed, 0 failed, 1 skipped", failures: [] });
  });

  it("counts a gate as failed when one package fails it", () => {
    const tasks = GREEN.tasks.with(1, task("build", "packages/rpc", { state: "failed" }));
    expect(tally({ tasks })).toEqual({
      summary: "3 passed, 1 failed, 1 skipped",
      failures: ["build: @bm/rpc"],
    });
  });

  it("counts a check with findings as one failure", () => {
    const results = [{ name: "wording", findings: [FINDING, FINDING] }];
    const checksReports = new Map([["checks", { results }]]);
    const { summary, failures } = tally({ checksReports });
    expect(summary).toBe("3 passed, 1 failed, 1 skipped");
    expect(failures).toHaveLength(2);
  });

  it("counts checks that broke, and tests that left no report", () => {
    const broken = {
      checksReports: new Map([["checks", null]]),
      testReports: new Map([["packages/block", null]]),
    };
    expect(tally(broken).summary).toBe("2 passed, 2 failed");
  });

  it("counts a failure outside of every test", () => {
    const tasks = GREEN.tasks.with(4, task("test", "packages/block", { state: "failed" }));
    expect(tally({ tasks })).toMatchObject({
      summary: "4 passed, 1 failed, 1 skipped",
      failures: ["test @bm/block: failed outside of its tests"],
    });
  });

  it("takes a skipped interop test as a failure under CI", () => {
    expect(tally({ isCi: true })).toEqual({
      summary: "4 passed, 1 failed",
      failures: ["test @bm/block: skipped, which CI forbids: interop with a JVM"],
    });
  });
});

describe("the report of vitest", () => {
  const test = (status: string): object => ({ fullName: `is ${status}`, status });

  it("gives the state of each test", () => {
    const assertionResults = ["passed", "failed", "skipped", "pending", "todo"].map(test);
    const json = JSON.stringify({
      testResults: [{ name: "a", status: "failed", assertionResults }],
    });
    expect(readTestReport(json).outcomes.map(({ state }) => state)).toEqual([
      "passed",
      "failed",
      "skipped",
      "skipped",
      "skipped",
    ]);
  });

  it("gives one failure for a file that could not be loaded", () => {
    const testResults = [{ name: "a.test.ts", status: "failed", assertionResults: [] }];
    expect(readTestReport(JSON.stringify({ testResults })).outcomes).toEqual([
      { name: "a.test.ts (the file)", state: "failed" },
    ]);
  });
});

describe("the summary of turbo", () => {
  it("gives the tasks as they ended, and one that never ended as failed", () => {
    const entry = { task: "test", directory: "packages/a", cache: { status: "HIT" } };
    const json = JSON.stringify({
      tasks: [
        { ...entry, package: "never" },
        { ...entry, package: "second", execution: { exitCode: 1, endTime: 2 } },
        { ...entry, package: "first", execution: { exitCode: 0, endTime: 1 } },
      ],
    });
    expect(readTurboSummary(json)).toEqual([
      expect.objectContaining({ package: "first", state: "passed", isCached: true }),
      expect.objectContaining({ package: "second", state: "failed" }),
      expect.objectContaining({ package: "never", state: "failed" }),
    ]);
  });
});
