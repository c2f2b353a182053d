/** A load client of a shuffle service: does the jobs that come as lines, until its input ends. */
import { createInterface } from "node:readline";
import {
  type BlockTransferMessage,
  decodeBlockTransferMessage,
  encodeBlockTransferMessage,
} from "@bm/shuffle";
import { APP_ID, EXECUTOR_ID, SUB_DIRS } from "../shuffle-outputs.ts";
import type { AskJob, ClientJob, DiagnoseJob, JobOutcome, RegisterJob } from "./client-job.ts";
import type { Counted } from "./counted.ts";
import { fetchBlocks } from "./fetch-load.ts";
import { forgetOpened, openBlocks } from "./open-load.ts";
import { makeRequests } from "./request-load.ts";

/** Writes `{"pid"}`, then answers each job by a line with its outcome or `{"error"}`. */
export async function runServiceClient(): Promise<void> {
  say({ pid: process.pid });
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      say(await perform(JSON.parse(line) as ClientJob));
    } catch (error) {
      say({ error: String(error) });
    }
  }
}

async function perform(job: ClientJob): Promise<JobOutcome> {
  const before = process.cpuUsage();
  const counted = await performKind(job);
  const { system, user } = process.cpuUsage(before);
  return { ...counted, cpuSeconds: (system + user) / 1e6 };
}

function performKind(job: ClientJob): Promise<Counted> {
  switch (job.kind) {
    case "fetch":
      return fetchBlocks(job);
    case "register":
      return register(job);
    case "diagnose":
      return diagnose(job);
    case "open":
      return openBlocks(job);
    case "forget":
      return forgetOpened();
    case "ask":
      return ask(job);
  }
}

function register(job: RegisterJob): Promise<Counted> {
  const executorInfo = {
    localDirs: [job.localDir],
    subDirsPerLocalDir: SUB_DIRS,
    shuffleManager: "org.apache.spark.shuffle.sort.SortShuffleManager",
  };
  return makeRequests({
    ...job,
    bytes: 0,
    request: (index) =>
      encodeBlockTransferMessage({
        type: "RegisterExecutor",
        appId: APP_ID,
        execId: `${job.prefix}${index}`,
        executorInfo,
      }),
    check: (answer) => {
      if (answer.length > 0)
        throw new Error(`a registration is answered by ${answer.length} bytes`);
    },
  });
}

/** A checksum that no block has: when the disk's and the stored one agree, the network is to blame. */
const WRONG_CHECKSUM = 0n;

function diagnose(job: DiagnoseJob): Promise<Counted> {
  const { blockBytes, maps, partitions, shuffleId } = job.outputs;
  return makeRequests({
    ...job,
    connections: 1,
    countMax: Number.MAX_SAFE_INTEGER,
    bytes: blockBytes,
    request: (index) =>
      encodeBlockTransferMessage({
        type: "DiagnoseCorruption",
        appId: APP_ID,
        execId: EXECUTOR_ID,
        shuffleId,
        mapId: BigInt(index % maps),
        reduceId: Math.floor(index / maps) % partitions,
        checksum: WRONG_CHECKSUM,
        algorithm: "ADLER32",
      }),
    check: (answer) => {
      const message = decodeBlockTransferMessage(answer);
      if (message.type === "CorruptionCause" && message.cause === "NETWORK_ISSUE") return;
      throw new Error(`not the right diagnosis: ${textOf(message)}`);
    },
  });
}

function ask({ executorId, port }: AskJob): Promise<Counted> {
  return makeRequests({
    port,
    connections: 1,
    window: 1,
    seconds: 60,
    countMax: 1,
    bytes: 0,
    request: () =>
      encodeBlockTransferMessage({
        type: "GetLocalDirsForExecutors",
        appId: APP_ID,
        execIds: [executorId],
      }),
    check: (answer) => {
      const message = decodeBlockTransferMessage(answer);
      if (message.type === "LocalDirsForExecutors" && message.localDirsByExec.has(executorId)) {
        return;
      }
      throw new Error(`not where executor ${executorId} writes: ${textOf(message)}`);
    },
  });
}

function textOf(message: BlockTransferMessage): string {
  return message.type === "CorruptionCause" ? message.cause : message.type;
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
