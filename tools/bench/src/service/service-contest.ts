/** Lets the services take turns, suite by suite: ours, Spark's, ours, Spark's. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceName } from "./service-process.ts";
import type { Round, ServiceSuite } from "./service-suite.ts";
import { OutputFiles, type ServicePace, Stage } from "./stage.ts";

/** The rounds of one suite; both lists are as long as there were rounds. */
export interface ServiceResult {
  readonly suite: ServiceSuite;
  readonly ours: readonly Round[];
  /** Empty when Spark's takes no part. */
  readonly theirs: readonly Round[];
}

/** What a run is made of. */
export interface ServicePlan {
  readonly suites: readonly ServiceSuite[];
  readonly withSpark: boolean;
  readonly pace: ServicePace;
  /** Event loops of ours; null: as many as it takes by itself. */
  readonly threads: number | null;
  /** Told about each suite that is done. */
  readonly say: (result: ServiceResult) => void;
}

/** Rejects when a service or client fails, or `signal` is aborted. */
export async function runServiceContest(
  plan: ServicePlan,
  signal: AbortSignal,
): Promise<ServiceResult[]> {
  const root = mkdtempSync(join(tmpdir(), "bm-service-bench-"));
  const files = new OutputFiles(root);
  const names: readonly ServiceName[] = plan.withSpark ? ["ours", "jvm"] : ["ours"];
  const stages = names.map((name) => new Stage(name, plan, root, files));
  const results: ServiceResult[] = [];
  try {
    for (const suite of plan.suites) {
      const result = await runSuite(suite, stages, signal);
      results.push(result);
      plan.say(result);
    }
  } finally {
    await Promise.all(stages.map((stage) => stage.close()));
    rmSync(root, { recursive: true, force: true });
  }
  return results;
}

async function runSuite(
  suite: ServiceSuite,
  stages: readonly Stage[],
  signal: AbortSignal,
): Promise<ServiceResult> {
  const rounds = new Map<ServiceName, Round[]>();
  for (const stage of stages) {
    stage.isWarmUp = true;
    if (suite.isWarmedUp) await suite.run(stage);
    stage.isWarmUp = false;
    rounds.set(stage.name, []);
  }
  const count = Math.min(suite.roundsMax, stages[0]?.pace.rounds ?? 0);
  for (let round = 0; round < count; round += 1) {
    for (const stage of stages) {
      signal.throwIfAborted();
      rounds.get(stage.name)?.push(await suite.run(stage));
    }
  }
  return { suite, ours: rounds.get("ours") ?? [], theirs: rounds.get("jvm") ?? [] };
}
