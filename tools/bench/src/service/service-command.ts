import { missingTools } from "@bm/interop";
import { describeMachine, machineText } from "../report/machine.ts";
import { RATIO_NOTE } from "../report/text-report.ts";
import { runServiceContest } from "./service-contest.ts";
import { serviceJson, serviceProgress, serviceReport } from "./service-report.ts";
import type { ServiceSuite } from "./service-suite.ts";
import type { ServicePace } from "./stage.ts";

/** What the command line says about a run. */
export interface ServiceRunOptions {
  readonly suites: readonly ServiceSuite[];
  readonly withSpark: boolean;
  readonly pace: ServicePace;
  /** Event loops of ours; null: as many as it takes by itself. */
  readonly threads: number | null;
  readonly json: boolean;
}

/** Runs the suites and prints what they came to. Rejects when a half fails. */
export async function runServiceSuites(
  { json, pace, suites, threads, withSpark }: ServiceRunOptions,
  signal: AbortSignal,
): Promise<void> {
  const missing = withSpark ? await missingTools() : null;
  if (missing !== null) console.error(`without the JVM: ${missing}`);
  const isCompared = withSpark && missing === null;
  const machine = describeMachine(isCompared ? ["jvm"] : []);
  const results = await runServiceContest(
    {
      suites,
      withSpark: isCompared,
      pace,
      threads,
      say: (result) => console.error(serviceProgress(result)),
    },
    signal,
  );
  if (json) console.log(JSON.stringify({ machine, pace, results: serviceJson(results) }, null, 2));
  else console.log([machineText(machine), serviceReport(results), RATIO_NOTE].join("\n\n"));
}
