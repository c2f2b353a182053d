/** Map statuses of a large shuffle, serialised and read again: ours and Spark's, in turns. */
import { buildSparkHome } from "@bm/interop";
import { HalfProcess } from "../contest/half-process.ts";
import { ratioOf, type Spread, spreadOf } from "../report/statistics.ts";
import { nodeCommand } from "./node-command.ts";

/** How large the shuffle is. */
export interface StatusShape {
  readonly maps: number;
  readonly partitions: number;
  /** Executors that have its output. */
  readonly places: number;
}

/** What a side needed in one round. */
export interface StatusRound {
  readonly serializeMs: number;
  readonly deserializeMs: number;
  /** Processor time of both, all threads together: what counts where others want the machine, too. */
  readonly cpuMs: number;
  readonly bytes: number;
}

/** What came of all rounds. */
export interface StatusResult {
  readonly ours: readonly StatusRound[];
  /** Empty without the JVM. */
  readonly spark: readonly StatusRound[];
}

/** Spark's statuses three times over, and room for its collector. */
const HEAP = "-Xmx3g";

/** Runs the rounds; each side has its own process all the time, and the other rests meanwhile. */
export async function runStatusContest(
  shape: StatusShape,
  rounds: { readonly warmUp: number; readonly counted: number },
  withSpark: boolean,
): Promise<StatusResult> {
  const args = [shape.maps, shape.partitions, shape.places].map(String);
  const halves = [nodeCommand(["master-statuses", ...args])];
  if (withSpark) {
    const { classPath } = await buildSparkHome();
    const flags = [HEAP, "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED"];
    const main = ["-cp", classPath, "bm.cluster.MapStatusBench"];
    halves.push({ program: "java", args: [...flags, ...main, ...args] });
  }
  const started = await Promise.all(halves.map((command) => HalfProcess.start(command)));
  const results: StatusRound[][] = started.map(() => []);
  try {
    for (let round = 0; round < rounds.warmUp + rounds.counted; round++) {
      for (const [at, [half]] of started.entries()) {
        const outcome = await half.ask<StatusRound>({});
        if (round >= rounds.warmUp) results[at]?.push(outcome);
      }
    }
  } finally {
    await Promise.all(started.map(([half]) => half.stop()));
  }
  return { ours: results[0] ?? [], spark: results[1] ?? [] };
}

/** How many times as fast as Spark's, round by round; null without it. */
export function speedRatio(
  { ours, spark }: StatusResult,
  of: (round: StatusRound) => number,
): Spread | null {
  return spark.length === 0 ? null : ratioOf(spark.map(of), ours.map(of));
}

/** The figure of a side. */
export function spread(rounds: readonly StatusRound[], of: (round: StatusRound) => number): Spread {
  return spreadOf(rounds.map(of));
}
