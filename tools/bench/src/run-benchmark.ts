import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missingTools } from "@bm/interop";
import { Contest, type Pace } from "./contest/contest.ts";
import { prepareRegionFile } from "./halves/region-file.ts";
import { type Comparison, compare } from "./report/comparison.ts";
import { figure, spreadText } from "./report/figures.ts";
import { describeMachine } from "./report/machine.ts";
import type { RunReport } from "./report/run-report.ts";
import type { ContenderName, Suite } from "./suites/suite.ts";

/** What a run of the whole benchmark is made of. */
export interface BenchmarkPlan {
  readonly suites: readonly Suite[];
  readonly peers: readonly ContenderName[];
  readonly pace: Pace;
  readonly command: string;
  /** Rounds are given up to stay within it; null: no limit. */
  readonly limitSeconds: number | null;
  /** Told about each suite that is done. */
  readonly say: (text: string) => void;
}

/** Runs the suites one after the other; rejects when one fails or `signal` is aborted. */
export async function runBenchmark(plan: BenchmarkPlan, signal: AbortSignal): Promise<RunReport> {
  const peers = await availablePeers(plan);
  const machine = describeMachine(peers);
  const directory = mkdtempSync(join(tmpdir(), "bm-bench-"));
  prepareRegionFile(directory);
  const contest = new Contest(plan.pace, directory, peers);
  // Its processes end, and with them whatever is being measured.
  const stop = (): void => void contest.close();
  signal.addEventListener("abort", stop, { once: true });
  const comparisons: Comparison[] = [];
  const startedMs = performance.now();
  try {
    for (const [at, suite] of plan.suites.entries()) {
      signal.throwIfAborted();
      const isTimeShort = isBehind(plan, at, performance.now() - startedMs);
      const comparison = compare(await contest.run(suite, isTimeShort));
      comparisons.push(comparison);
      plan.say(`${at + 1}/${plan.suites.length} ${progressText(comparison)}`);
    }
  } catch (error) {
    // What failed then is a half that was ended.
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    await contest.close();
    rmSync(directory, { recursive: true, force: true });
  }
  return { machine, command: plan.command, pace: plan.pace, comparisons };
}

/** Starting processes and warming them up comes before the first suite is done. */
const START_SHARE = 0.15;

/** Whether a run with a limit has used more of it than the suites that are done account for. */
function isBehind(plan: BenchmarkPlan, suitesDone: number, elapsedMs: number): boolean {
  if (plan.limitSeconds === null) return false;
  const expected = START_SHARE + ((1 - START_SHARE) * suitesDone) / plan.suites.length;
  return elapsedMs / 1000 / plan.limitSeconds > expected;
}

async function availablePeers({ peers, say }: BenchmarkPlan): Promise<readonly ContenderName[]> {
  if (!peers.includes("jvm")) return peers;
  const missing = await missingTools();
  if (missing === null) return peers;
  say(`without the JVM: ${missing}`);
  return peers.filter((name) => name !== "jvm");
}

function progressText({ suite, rows }: Comparison): string {
  const parts = rows.map(({ name, summary, ratios }) => {
    const isMemory = suite.measure === "memory";
    const value = isMemory
      ? `${figure(summary.serverBytesPerUnit / 1024)} KiB/${suite.unit}`
      : `${figure(summary.perSecond)}/s`;
    const ratio = ratios === null ? null : isMemory ? ratios.memory : ratios.speed;
    return ratio === null ? `${name} ${value}` : `${name} ${value} (${spreadText(ratio)})`;
  });
  return `${suite.name}: ${parts.join(", ")}`;
}
