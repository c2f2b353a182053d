/** `bench --suite master`: the driver at the size of a large cluster, and map statuses beside Spark's. */
import { missingTools } from "@bm/interop";
import { describeMachine, machineText } from "../report/machine.ts";
import { type ClusterShape, runCluster } from "./cluster-run.ts";
import { lostMessages, masterReport } from "./master-report.ts";
import { runStatusContest, type StatusShape } from "./status-contest.ts";

/** What the command line says. */
export interface MasterRunOptions {
  readonly withSpark: boolean;
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly json: boolean;
}

const CLUSTER: ClusterShape = {
  processes: 3,
  executorsEach: 100,
  blocksEach: 10_000,
  lookUpSeconds: 5,
  // Reports of so many blocks keep executors busy for a while.
  silenceMs: 20_000,
};
const QUICK_CLUSTER: ClusterShape = {
  processes: 3,
  executorsEach: 10,
  blocksEach: 1000,
  lookUpSeconds: 0.3,
  silenceMs: 4000,
};
const STATUSES: StatusShape = { maps: 200_000, partitions: 1000, places: 300 };
const QUICK_STATUSES: StatusShape = { maps: 2000, partitions: 1000, places: 300 };
const WARM_UP_ROUNDS = 3;

/** Runs both and prints what they came to. Rejects when messages were lost, or a process failed. */
export async function runMasterSuite(options: MasterRunOptions): Promise<void> {
  const { isQuick, json, rounds: counted, withSpark } = options;
  const missing = withSpark ? await missingTools() : null;
  if (missing !== null) console.error(`without the JVM: ${missing}`);
  const isCompared = withSpark && missing === null;
  const machine = describeMachine(isCompared ? ["jvm"] : []);
  const clusterShape = isQuick ? QUICK_CLUSTER : CLUSTER;
  const cluster = await runCluster(clusterShape, (text) => console.error(text));
  const statusShape = isQuick ? QUICK_STATUSES : STATUSES;
  const warmUp = isQuick ? 1 : WARM_UP_ROUNDS;
  const statuses = await runStatusContest(statusShape, { warmUp, counted }, isCompared);
  const result = { clusterShape, cluster, statusShape, statuses };
  if (json) console.log(JSON.stringify({ machine, ...result }, null, 2));
  else console.log([machineText(machine), masterReport(result)].join("\n\n"));
  const lost = lostMessages(result);
  if (lost.length > 0) throw new Error(lost.join("; "));
}
