import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { ChecksReport } from "./checks-report.ts";
import { type SuiteOutcome, summaryOf, type TallyLine, tallySuite } from "./tally.ts";
import { readTestReport, type TestReport } from "./test-report.ts";
import { readTurboSummary, type TaskOutcome } from "./turbo-summary.ts";

/** In the order of the overview. */
const TASKS = [
  "generate",
  "build",
  "typecheck",
  "lint:code",
  "lint:format",
  "lint:unused",
  "checks",
  "checks:history",
  "test",
];

/** Tasks that write a report of checks, with its file. */
const CHECKS_REPORTS: ReadonlyMap<string, string> = new Map([
  ["checks", "coverage/checks.json"],
  ["checks:history", "coverage/checks-history.json"],
]);

/** Where vitest.config.ts puts the report of a package, from its folder. */
const TEST_REPORT = "coverage/results.json";
const SUMMARIES = ".turbo/runs";
const FAILURES_SHOWN = 50;
const SIGNALS = ["SIGTERM", "SIGHUP", "SIGINT"] as const;

/**
 * Runs every gate and every test through turbo, prints an overview, what failed, and the summary
 * line as the last one. Gives the exit code. `args` go to turbo (`--force`, `--filter=...`).
 */
export async function runSuite(root: string, args: readonly string[]): Promise<number> {
  removeReports(root);
  const before = new Set(listSummaries(root));
  const { exitCode, signal } = await runTurbo(root, args);
  const summary = listSummaries(root).find((file) => !before.has(file));
  if (signal !== null) {
    if (summary !== undefined) rmSync(summary);
    console.error(`Stopped by ${signal}.`);
    return 128 + constants.signals[signal];
  }
  if (summary === undefined) {
    console.error(`turbo exited with ${exitCode} before it ran anything.`);
    console.log("0 passed, 1 failed");
    return exitCode || 1;
  }
  const tasks = readTurboSummary(readFileSync(summary, "utf8"));
  rmSync(summary);
  const lines = tallySuite(collect(root, tasks));
  printOverview(lines);
  const isFailed = exitCode !== 0 || lines.some(({ failed }) => failed > 0);
  return isFailed ? exitCode || 1 : 0;
}

/** Turbo puts the reports of cached tasks back; what it does not put back must not be counted. */
function removeReports(root: string): void {
  for (const folder of packageFolders(root)) rmSync(join(folder, TEST_REPORT), { force: true });
  for (const file of CHECKS_REPORTS.values()) rmSync(join(root, file), { force: true });
}

function packageFolders(root: string): string[] {
  return ["packages", "tools", "examples"]
    .map((group) => join(root, group))
    .filter((group) => existsSync(group))
    .flatMap((group) => readdirSync(group, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
}

function listSummaries(root: string): string[] {
  const folder = join(root, SUMMARIES);
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}

interface TurboEnd {
  readonly exitCode: number;
  /** What this process was told, or what ended turbo; it tidies up and exits in its own way. */
  readonly signal: NodeJS.Signals | null;
}

async function runTurbo(root: string, args: readonly string[]): Promise<TurboEnd> {
  const options = [
    // Everything is run, so that one run shows everything that is wrong.
    "--continue=always",
    "--summarize",
    "--output-logs=errors-only",
    "--log-order=grouped",
  ];
  const child = spawn("turbo", ["run", ...TASKS, ...options, ...args], {
    cwd: root,
    stdio: ["inherit", "inherit", "pipe"],
  });
  // Turbo repeats there which tasks failed; that is only wanted when it has nothing else to say.
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const end = await endOf(child);
  if (!/exited \(\d+\)/.test(errors)) process.stderr.write(errors);
  return end;
}

/** Ctrl-C reaches turbo from the terminal; what a supervisor sends to this process is passed on. */
function endOf(child: ChildProcess): Promise<TurboEnd> {
  const { promise, resolve, reject } = Promise.withResolvers<TurboEnd>();
  let received: NodeJS.Signals | null = null;
  const note = (signal: NodeJS.Signals): void => {
    received = signal;
    if (signal !== "SIGINT") child.kill(signal);
  };
  for (const signal of SIGNALS) process.on(signal, note);
  child.on("error", reject);
  child.on("close", (code, signal) => {
    for (const name of SIGNALS) process.off(name, note);
    resolve({ exitCode: code ?? 1, signal: received ?? signal });
  });
  return promise;
}

function collect(root: string, tasks: readonly TaskOutcome[]): SuiteOutcome {
  const tests = tasks.filter(({ task }) => task === "test");
  return {
    tasks: tasks.toSorted((a, b) => TASKS.indexOf(a.task) - TASKS.indexOf(b.task)),
    testReports: new Map(tests.map(({ folder }) => [folder, readTests(join(root, folder))])),
    checksReports: new Map(
      [...CHECKS_REPORTS].map(([task, file]) => [task, readChecks(join(root, file))]),
    ),
    isCi: Boolean(process.env["CI"]),
  };
}

function readTests(folder: string): TestReport | null {
  const file = join(folder, TEST_REPORT);
  return existsSync(file) ? readTestReport(readFileSync(file, "utf8")) : null;
}

function readChecks(file: string): ChecksReport | null {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as ChecksReport) : null;
}

function printOverview(lines: readonly TallyLine[]): void {
  const width = Math.max(...lines.map(({ name }) => name.length));
  console.log("");
  for (const { name, detail, passed, failed, skipped } of lines) {
    const mark = failed === 0 ? "ok  " : "FAIL";
    const counts = name.startsWith("test ")
      ? [`${passed} passed`, ...(failed ? [`${failed} failed`] : [])]
      : [];
    const rest = [...counts, ...(skipped ? [`${skipped} skipped`] : []), detail].filter(Boolean);
    console.log(`  ${mark}  ${name.padEnd(width)}  ${rest.join(", ")}`.trimEnd());
  }
  const failures = lines.flatMap((line) => line.failures);
  if (failures.length > 0) {
    console.log("\nFailed (details above):");
    for (const failure of failures.slice(0, FAILURES_SHOWN)) console.log(`  ${failure}`);
    if (failures.length > FAILURES_SHOWN) console.log(`  and ${failures.length - FAILURES_SHOWN}`);
  }
  console.log(`\n${summaryOf(lines)}`);
}
