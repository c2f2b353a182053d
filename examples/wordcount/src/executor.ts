/**
 * One executor: `executor.ts <id> <driver host:port> <directory>`. Counts words of splits, serves its
 * map outputs to the others, sums up partitions. Ends when whoever started it says so or is gone; a
 * driver that is away may come back.
 */
import { join } from "node:path";
import { StorageLevel, taskResultBlockId } from "@bm/block";
import { BlockManagerMaster, MapOutputTracker } from "@bm/master";
import { parseRpcAddress, RpcEndpoint, RpcEnv } from "@bm/rpc";
import { BlockManager, StorageError } from "@bm/storage";
import { encodeCounts } from "./counts.ts";
import { type InputSplit, readRange } from "./input.ts";
import {
  DRIVER_ENDPOINT,
  EXECUTOR_ENDPOINT,
  executorReady,
  type MapDone,
  type ReduceOutcome,
  type RunMap,
  type RunReduce,
  reportProcess,
  runMap,
  runReduce,
} from "./messages.ts";
import { wordCountShuffle } from "./shuffle.ts";
import { SHUFFLE_CONF } from "./shuffle-conf.ts";
import { wordsOf } from "./words.ts";

const HEARTBEAT_INTERVAL_MS = 1000;
/** Result blocks of the attempts at one partition do not share a name. */
const ATTEMPTS_MAX = 1_000_000;
const ANNOUNCE_INTERVAL_MS = 300;

/** Runs the tasks that the driver sends. */
class ExecutorEndpoint extends RpcEndpoint {
  readonly #blocks: BlockManager;
  readonly #tracker: MapOutputTracker;

  constructor(blocks: BlockManager, tracker: MapOutputTracker) {
    super();
    this.#blocks = blocks;
    this.#tracker = tracker;
    this.receiveAndReply(runMap, (task) => this.#map(task));
    this.receiveAndReply(runReduce, (task) => this.#reduce(task));
    this.receiveAndReply(reportProcess, () => ({
      peakBytes: process.resourceUsage().maxRSS * 1024,
    }));
  }

  async #map({ shape, mapIndex, mapId, split }: RunMap): Promise<MapDone> {
    const shuffle = wordCountShuffle(shape);
    const writer = this.#blocks.shuffle.getWriter(shuffle, BigInt(mapId));
    try {
      await writer.write(countedOnce(split));
      const status = await writer.commit();
      await this.#tracker.registerMapOutput(shuffle.shuffleId, mapIndex, status);
      const { recordsWritten, bytesWritten } = writer.metrics;
      return { words: recordsWritten, bytesWritten };
    } finally {
      await writer.abort();
    }
  }

  async #reduce({ shape, partition, attempt, epoch }: RunReduce): Promise<ReduceOutcome> {
    this.#tracker.updateEpoch(epoch);
    const reader = this.#blocks.shuffle.getReader(
      wordCountShuffle(shape),
      partition,
      partition + 1,
    );
    try {
      const counts = await reader.readCombined();
      const result = taskResultBlockId(BigInt(partition * ATTEMPTS_MAX + attempt));
      await this.#blocks.put(result, encodeCounts(counts), StorageLevel.MEMORY_AND_DISK);
      const { remoteBytesRead, localBytesRead } = reader.metrics;
      return {
        kind: "done",
        resultBlock: result.name,
        socketBytes: remoteBytesRead,
        localBytes: localBytesRead,
      };
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== "FETCH_FAILED") throw error;
      const mapIndex = error.culprit?.mapIndex ?? null;
      return { kind: "fetchFailed", detail: error.message, mapIndex };
    }
  }
}

/** One record per word; the writer sums them up before anything is written. */
function* countedOnce(split: InputSplit): Generator<readonly [string, number], void, void> {
  for (const range of split) {
    for (const word of wordsOf(readRange(range))) yield [word, 1];
  }
}

async function main(executorId: string, driver: string, directory: string): Promise<void> {
  const address = parseRpcAddress(driver);
  const env = await RpcEnv.create({ name: executorId });
  const tracker = MapOutputTracker.at(env, address);
  const blocks = await BlockManager.start({
    appId: "wordcount",
    executorId,
    env,
    master: BlockManagerMaster.at(env, address),
    tracker,
    localRoots: [join(directory, executorId)],
    conf: SHUFFLE_CONF,
    heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS,
    onRefused: () => process.exit(1),
  });
  env.setupEndpoint(EXECUTOR_ENDPOINT, new ExecutorEndpoint(blocks, tracker));
  process.once("SIGTERM", () => {
    const signal = AbortSignal.timeout(1000);
    void blocks
      .close({ signal })
      .then(() => env.close({ signal }))
      .finally(() => process.exit(0));
  });
  if (env.address === null) throw new Error("the environment does not listen");
  const ready = { executorId, pid: process.pid, ...env.address };
  const driverEndpoint = env.endpointRef(address, DRIVER_ENDPOINT);
  await driverEndpoint.ask(executorReady, ready);
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, ANNOUNCE_INTERVAL_MS).unref());
    // While the driver is away there is nobody to tell.
    await driverEndpoint.ask(executorReady, ready).catch(() => {});
  }
}

// Ctrl-C reaches every process of the terminal at once; the driver decides what it means.
process.on("SIGINT", () => {});
process.stdin.on("end", () => process.exit(0)).resume();
const [executorId = "", driver = "", directory = ""] = process.argv.slice(2);
await main(executorId, driver, directory);
