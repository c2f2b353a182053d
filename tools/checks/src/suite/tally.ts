import { formatFinding } from "../finding.ts";
import type { ChecksReport } from "./checks-report.ts";
import type { TestReport } from "./test-report.ts";
import type { TaskOutcome } from "./turbo-summary.ts";

/** What a run of the whole suite left behind. */
export interface SuiteOutcome {
  /** By kind of task, and within a kind in the order in which they ended. */
  readonly tasks: readonly TaskOutcome[];
  /** By folder of the package; null where none was written. */
  readonly testReports: ReadonlyMap<string, TestReport | null>;
  /** By name of the task that writes it; null where none was written. */
  readonly checksReports: ReadonlyMap<string, ChecksReport | null>;
  /** Under CI a skipped interop test is a failure: the other side must be installed there. */
  readonly isCi: boolean;
}

/** One line of the overview: a gate, or the tests of one package. */
export interface TallyLine {
  readonly name: string;
  readonly detail: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** One line per failure. */
  readonly failures: readonly string[];
}

const FINDINGS_SHOWN = 3;
const INTEROP = /^interop/i;

/** Counts every test once, and one for each gate: a kind of task over all packages, or a check. */
export function tallySuite(outcome: SuiteOutcome): readonly TallyLine[] {
  const isGate = ({ task }: TaskOutcome): boolean =>
    task !== "test" && !outcome.checksReports.has(task);
  const gates = Map.groupBy(outcome.tasks.filter(isGate), ({ task }) => task);
  return [
    ...[...gates].map(([name, tasks]) => gateLine(name, tasks)),
    ...[...outcome.checksReports].flatMap(([task, report]) => checkLines(outcome, task, report)),
    ...outcome.tasks
      .filter(({ task }) => task === "test")
      .toSorted((a, b) => a.folder.localeCompare(b.folder))
      .map((task) => testLine(outcome, task)),
  ];
}

/** The last line of `npm test`. */
export function summaryOf(lines: readonly TallyLine[]): string {
  const sum = (key: "passed" | "failed" | "skipped"): number =>
    lines.reduce((total, line) => total + line[key], 0);
  const skipped = sum("skipped");
  const rest = skipped > 0 ? `, ${skipped} skipped` : "";
  return `${sum("passed")} passed, ${sum("failed")} failed${rest}`;
}

function gateLine(name: string, tasks: readonly TaskOutcome[]): TallyLine {
  const failed = tasks.filter(({ state }) => state === "failed");
  const cached = tasks.filter(({ isCached }) => isCached).length;
  const where = tasks.every(({ folder }) => folder === "") ? "" : `${tasks.length} packages`;
  const detail = [where, cachedText(cached, tasks.length)].filter(Boolean).join(", ");
  const failures = failed.map(({ package: owner }) =>
    owner === "//" ? `${name}: run \`npm run ${name}\`` : `${name}: ${owner}`,
  );
  const isPassed = failed.length === 0;
  return { name, detail, passed: +isPassed, failed: +!isPassed, skipped: 0, failures };
}

function cachedText(cached: number, total: number): string {
  if (cached === 0) return "";
  return cached === total ? "cached" : `${cached} cached`;
}

function checkLines(
  { tasks }: SuiteOutcome,
  task: string,
  report: ChecksReport | null,
): readonly TallyLine[] {
  const run = tasks.find((candidate) => candidate.task === task);
  if (run === undefined) return [];
  const isClean = report?.results.every(({ findings }) => findings.length === 0) === true;
  const lines = (report?.results ?? []).map(({ name, findings }) => {
    const shown = findings.slice(0, FINDINGS_SHOWN).map(formatFinding);
    const more = findings.length - shown.length;
    const isPassed = findings.length === 0;
    return {
      name: `check ${name}`,
      detail: run.isCached ? "cached" : "",
      passed: +isPassed,
      failed: +!isPassed,
      skipped: 0,
      failures: [...shown, ...(more > 0 ? [`and ${more} more`] : [])].map(
        (text) => `${name}: ${text}`,
      ),
    };
  });
  // The checks themselves broke: they left no report, or failed without a finding.
  if (report === null || (run.state === "failed" && isClean)) {
    return [...lines, brokenLine(task, `${task} ended without a report of its own failure`)];
  }
  return lines;
}

function testLine({ testReports, isCi }: SuiteOutcome, run: TaskOutcome): TallyLine {
  const name = `test ${run.package}`;
  const outcomes = testReports.get(run.folder)?.outcomes ?? [];
  if (outcomes.length === 0) return brokenLine(name, `${name}: no test was run`);
  const missing = isCi
    ? outcomes.filter((test) => test.state === "skipped" && INTEROP.test(test.name))
    : [];
  const failures = [
    ...outcomes
      .filter(({ state }) => state === "failed")
      .map((test) => `${name}: ${test.name}`.trimEnd()),
    ...missing.map((test) => `${name}: skipped, which CI forbids: ${test.name}`),
  ];
  const passed = outcomes.filter(({ state }) => state === "passed").length;
  const skipped = outcomes.filter(({ state }) => state === "skipped").length - missing.length;
  // Outside every test: an unhandled rejection, a hook after the last test.
  if (run.state === "failed" && failures.length === 0) {
    failures.push(`${name}: failed outside of its tests`);
  }
  const detail = run.isCached ? "cached" : "";
  return { name, detail, passed, failed: failures.length, skipped, failures };
}

function brokenLine(name: string, failure: string): TallyLine {
  return { name, detail: "", passed: 0, failed: 1, skipped: 0, failures: [failure] };
}
