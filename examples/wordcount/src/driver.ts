/**
 * The driver: starts the executors, sends them map tasks, then reduce tasks, and puts the result
 * together. When an executor is lost its map outputs are computed again elsewhere.
 */
import { join } from "node:path";
import { parseBlockId } from "@bm/block";
import {
  BlockManagerMaster,
  BlockManagerMasterEndpoint,
  MapOutputTrackerMaster,
  MapOutputTrackerMasterEndpoint,
} from "@bm/master";
import { RpcEndpoint, RpcEnv } from "@bm/rpc";
import { BlockManager } from "@bm/storage";
import { decodeCountsInto } from "./counts.ts";
import { type Executor, ExecutorPool } from "./executor-pool.ts";
import { startIndependentCount } from "./independent-count.ts";
import { cutIntoSplits, findInput, type InputSplit, totalBytes } from "./input.ts";
import { DRIVER_ENDPOINT, executorReady, reportProcess, runMap, runReduce } from "./messages.ts";
import type { WordCountOptions } from "./options.ts";
import { formatBytes, StageProgress } from "./progress.ts";
import type { RunReport, StageReport } from "./report.ts";
import { wordCountShuffle } from "./shuffle.ts";
import { SHUFFLE_CONF } from "./shuffle-conf.ts";
import { runStage } from "./stage.ts";
import { differencesBetween } from "./verdict.ts";

const INPUT_BYTES_MAX = 256 * 1024 * 1024;
const JOB_ATTEMPTS_MAX = 5;
const NO_LIMIT = { timeoutMs: Number.POSITIVE_INFINITY };

/** Runs the whole job below `directory`. Rejects when it cannot be done, or with the signal's reason. */
export async function runWordCount(
  options: WordCountOptions,
  directory: string,
  signal: AbortSignal,
): Promise<RunReport> {
  const files = findInput(options.input, INPUT_BYTES_MAX);
  const independent = startIndependentCount(files);
  const splits = cutIntoSplits(files);
  const driver = await Driver.start(options, directory).catch((error: unknown) => {
    independent.stop();
    throw error;
  });
  try {
    note(
      `counting ${formatBytes(totalBytes(files))} in ${files.length} files: ` +
        `${splits.length} map tasks, ${options.partitions} partitions, ${driver.cast}`,
    );
    const work = driver.run(splits);
    await Promise.race([work, aborted(signal)]);
    const progress = new StageProgress("check", process.stderr);
    progress.update(0, 1, "waiting for the independent count");
    const expected = await Promise.race([independent.counts, aborted(signal)]);
    progress.end(`${expected.size} words counted independently`);
    return {
      ...(await driver.report()),
      inputFiles: files.length,
      inputBytes: totalBytes(files),
      differences: differencesBetween(driver.counts, expected),
      keptFiles: options.keep ? directory : null,
    };
  } finally {
    independent.stop();
    await driver.stop();
  }
}

/** What one run of the job holds. */
class Driver {
  readonly counts = new Map<string, number>();
  readonly #options: WordCountOptions;
  readonly #env: RpcEnv;
  readonly #tracker: MapOutputTrackerMaster;
  readonly #master: BlockManagerMaster;
  readonly #blocks: BlockManager;
  readonly #pool: ExecutorPool;
  readonly #stages: StageReport[] = [];
  readonly #lostExecutors: string[] = [];
  /** Who has the output of each map task. */
  readonly #outputs = new Map<number, string>();
  readonly #everDone = new Set<number>();
  #splits: readonly InputSplit[] = [];
  #nextMapId = 0;
  #words = 0;
  #socketBytes = 0;
  #localBytes = 0;
  #recomputedMaps = 0;
  #reduceAttempts = 0;

  private constructor(
    options: WordCountOptions,
    env: RpcEnv,
    tracker: MapOutputTrackerMaster,
    blocks: BlockManager,
    pool: ExecutorPool,
  ) {
    this.#options = options;
    this.#env = env;
    this.#tracker = tracker;
    this.#master = BlockManagerMaster.at(env, null);
    this.#blocks = blocks;
    this.#pool = pool;
  }

  static async start(options: WordCountOptions, directory: string): Promise<Driver> {
    const env = await RpcEnv.create({ name: "driver", port: options.port });
    const tracker = new MapOutputTrackerMaster();
    const pool = new ExecutorPool({
      env,
      directory,
      onLost: (executorId, how) => driver.#executorLost(executorId, how),
    });
    BlockManagerMasterEndpoint.setup(env, {
      mapOutputTracker: tracker,
      isExecutorAlive: (id) => id === "driver" || pool.alive.some((executor) => executor.id === id),
    });
    MapOutputTrackerMasterEndpoint.setup(env, tracker);
    const blocks = await BlockManager.start({
      appId: "wordcount",
      executorId: "driver",
      env,
      master: BlockManagerMaster.at(env, null),
      tracker,
      localRoots: [join(directory, "driver")],
      conf: SHUFFLE_CONF,
    });
    const driver = new Driver(options, env, tracker, blocks, pool);
    env.setupEndpoint(DRIVER_ENDPOINT, new DriverEndpoint(pool));
    await pool.start(options.executors).catch(async (error: unknown) => {
      await driver.stop();
      throw error;
    });
    return driver;
  }

  /** Who takes part, for people. */
  get cast(): string {
    const { pid } = process;
    const executors = this.#pool.alive.map((executor) => `${executor.id} (pid ${executor.pid})`);
    return `driver (pid ${pid}) on port ${this.#env.address?.port ?? 0}, ${executors.join(", ")}`;
  }

  /** Maps and reduces until every partition is summed up. */
  async run(splits: readonly InputSplit[]): Promise<void> {
    this.#splits = splits;
    this.#tracker.registerShuffle(wordCountShuffle(this.#shape).shuffleId, splits.length);
    let partitions = Array.from({ length: this.#options.partitions }, (_, index) => index);
    for (let attempt = 1; partitions.length > 0; attempt += 1) {
      if (attempt > JOB_ATTEMPTS_MAX) {
        throw new Error(`the job failed ${JOB_ATTEMPTS_MAX} times; see the lines above`);
      }
      for (let missing = this.#missingMaps(); missing.length > 0; missing = this.#missingMaps()) {
        await this.#mapStage(missing);
      }
      partitions = await this.#reduceStage(partitions);
    }
  }

  async report(): Promise<
    Omit<RunReport, "inputFiles" | "inputBytes" | "differences" | "keptFiles">
  > {
    const executors = await Promise.all(
      this.#pool.alive.map(async ({ id, endpoint }) => ({
        name: id,
        peakBytes: (await endpoint.ask(reportProcess, undefined)).peakBytes,
      })),
    );
    const peakBytes = process.resourceUsage().maxRSS * 1024;
    return {
      words: this.#words,
      counts: this.counts,
      stages: this.#stages,
      socketBytes: this.#socketBytes,
      localBytes: this.#localBytes,
      recomputedMaps: this.#recomputedMaps,
      lostExecutors: this.#lostExecutors,
      processes: [{ name: "driver", peakBytes }, ...executors],
    };
  }

  async stop(): Promise<void> {
    const signal = AbortSignal.timeout(2000);
    await this.#pool.stop();
    await this.#blocks.close({ signal });
    await this.#env.close({ signal });
  }

  get #shape(): { numMaps: number; numPartitions: number } {
    return { numMaps: this.#splits.length, numPartitions: this.#options.partitions };
  }

  #missingMaps(): number[] {
    return [...this.#splits.keys()].filter((mapIndex) => !this.#outputs.has(mapIndex));
  }

  async #mapStage(mapIndexes: readonly number[]): Promise<void> {
    const progress = new StageProgress("map", process.stderr);
    await runStage({
      tasks: mapIndexes,
      workers: () => this.#pool.alive,
      onProgress: (done, total) => progress.update(done, total),
      run: async (mapIndex, executor) => {
        await this.#runMap(mapIndex, executor);
        return "done";
      },
    });
    this.#endStage(progress, "map", mapIndexes.length, `${mapIndexes.length} map tasks`);
  }

  async #runMap(mapIndex: number, executor: Executor): Promise<void> {
    const split = this.#splits[mapIndex] ?? [];
    const mapId = this.#nextMapId;
    this.#nextMapId += 1;
    const task = { shape: this.#shape, mapIndex, mapId, split };
    const done = await executor.endpoint.ask(runMap, task, NO_LIMIT);
    if (!executor.isAlive) throw new Error(`${executor.id} was lost with its output`);
    this.#outputs.set(mapIndex, executor.id);
    if (this.#everDone.has(mapIndex)) this.#recomputedMaps += 1;
    else this.#words += done.words;
    this.#everDone.add(mapIndex);
  }

  /** Gives the partitions that are left because a map output turned out to be gone. */
  async #reduceStage(partitions: readonly number[]): Promise<number[]> {
    const progress = new StageProgress("reduce", process.stderr);
    let started = 0;
    const left = await runStage({
      tasks: partitions,
      workers: () => this.#pool.alive,
      onProgress: (done, total) => progress.update(done, total, formatBytes(this.#socketBytes)),
      run: (partition, executor) => {
        started += 1;
        if (started === Math.min(2, partitions.length)) this.#killOneIfAsked();
        return this.#runReduce(partition, executor);
      },
    });
    const detail = `${partitions.length - left.length} reduce tasks`;
    this.#endStage(progress, "reduce", partitions.length, detail);
    return left;
  }

  async #runReduce(partition: number, executor: Executor): Promise<"done" | "again" | "stop"> {
    this.#reduceAttempts += 1;
    const task = {
      shape: this.#shape,
      partition,
      attempt: this.#reduceAttempts,
      epoch: this.#tracker.epoch,
    };
    const outcome = await executor.endpoint.ask(runReduce, task, NO_LIMIT);
    if (outcome.kind === "fetchFailed") {
      note(`partition ${partition}: ${outcome.detail}`);
      if (outcome.mapIndex !== null) this.#outputs.delete(outcome.mapIndex);
      return "stop";
    }
    const id = parseBlockId(outcome.resultBlock);
    const result = await this.#blocks.getRemote(id);
    if (result === null) return "again";
    decodeCountsInto(this.counts, await result.bytes());
    result.release();
    this.#socketBytes += outcome.socketBytes;
    this.#localBytes += outcome.localBytes;
    await this.#master.removeBlock(id);
    return "done";
  }

  /** The one with the most map outputs, so that there is something to compute again. */
  #killOneIfAsked(): void {
    if (!this.#options.killOne || this.#lostExecutors.length > 0) return;
    const holders = [...this.#outputs.values()];
    const outputsOf = (id: string): number => holders.filter((holder) => holder === id).length;
    const [victim] = this.#pool.alive.toSorted((a, b) => outputsOf(b.id) - outputsOf(a.id));
    if (victim === undefined) return;
    note(`killing ${victim.id}, which holds ${outputsOf(victim.id)} map outputs`);
    this.#pool.kill(victim.id);
  }

  #executorLost(executorId: string, how: string): void {
    note(`lost ${executorId} (${how})`);
    this.#lostExecutors.push(executorId);
    for (const [mapIndex, holder] of this.#outputs) {
      if (holder === executorId) this.#outputs.delete(mapIndex);
    }
    this.#tracker.removeOutputsOnExecutor(executorId);
    this.#master.removeExecutor(executorId).catch((error: unknown) => note(String(error)));
  }

  #endStage(progress: StageProgress, name: string, tasks: number, detail: string): void {
    progress.end(detail);
    this.#stages.push({ name, tasks, elapsedMs: Math.round(progress.elapsedMs) });
  }
}

/** Where executors say that they are ready. */
class DriverEndpoint extends RpcEndpoint {
  constructor(pool: ExecutorPool) {
    super();
    this.receive(executorReady, (executor) => pool.register(executor));
  }
}

function note(text: string): void {
  const clear = process.stderr.isTTY ? "\r\x1b[K" : "";
  process.stderr.write(`${clear}         ${text}\n`);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}
