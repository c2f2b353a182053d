/**
 * The driver: sends executors map tasks, then reduce tasks, and puts the result together. When an
 * executor is lost its map outputs are computed again elsewhere.
 */
import { join } from "node:path";
import { parseBlockId } from "@bm/block";
import {
  BlockManagerMaster,
  BlockManagerMasterEndpoint,
  MapOutputTrackerMaster,
  MapOutputTrackerMasterEndpoint,
  MasterJournal,
} from "@bm/master";
import { RpcEndpoint, RpcEnv } from "@bm/rpc";
import { BlockManager } from "@bm/storage";
import { decodeCountsInto } from "./counts.ts";
import { type Executor, ExecutorPool } from "./executor-pool.ts";
import { executorIds } from "./executor-processes.ts";
import type { InputSplit } from "./input.ts";
import type { JobReport } from "./job.ts";
import { DRIVER_ENDPOINT, executorReady, reportProcess, runMap, runReduce } from "./messages.ts";
import { note } from "./note.ts";
import type { WordCountOptions } from "./options.ts";
import { formatBytes, StageProgress } from "./progress.ts";
import type { StageReport } from "./report.ts";
import { wordCountShuffle } from "./shuffle.ts";
import { SHUFFLE_CONF } from "./shuffle-conf.ts";
import { runStage } from "./stage.ts";

const JOB_ATTEMPTS_MAX = 5;
const NO_LIMIT = { timeoutMs: Number.POSITIVE_INFINITY };

/** What a driver is started with. */
export interface DriverStart {
  readonly options: WordCountOptions;
  readonly directory: string;
  /** Where it keeps what it knows, to take up from there; null for nowhere. */
  readonly masterStateDir: string | null;
  /** Called when the first partition is being reduced. */
  readonly onMidShuffle: () => void;
}

/** Ids of the tasks of a driver that was started again are not those of the driver before. */
const TASKS_PER_DRIVER = 100_000;

/** See the file comment. Needs to be told of executors that are lost. */
export class Driver {
  readonly counts: Map<string, number> = new Map();
  readonly #start: DriverStart;
  readonly #env: RpcEnv;
  readonly #journal: MasterJournal | null;
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
  #nextTaskId: number;
  #socketBytes = 0;
  #localBytes = 0;
  #recomputedMaps = 0;
  #restoredMaps = 0;

  private constructor(start: DriverStart, parts: DriverParts) {
    this.#start = start;
    this.#env = parts.env;
    this.#journal = parts.journal;
    this.#tracker = parts.tracker;
    this.#blocks = parts.blocks;
    this.#pool = parts.pool;
    this.#master = BlockManagerMaster.at(parts.env, null);
    this.#nextTaskId = ((parts.journal?.generation ?? 1) - 1) * TASKS_PER_DRIVER;
  }

  static async start(start: DriverStart): Promise<Driver> {
    const { options, directory, masterStateDir } = start;
    const env = await RpcEnv.create({ name: "driver", port: options.port });
    const journal = masterStateDir === null ? null : await MasterJournal.open({ masterStateDir });
    const tracker = journal
      ? await MapOutputTrackerMaster.restored({ journal })
      : new MapOutputTrackerMaster();
    const pool = new ExecutorPool(env, executorIds(options.executors));
    BlockManagerMasterEndpoint.setup(env, {
      mapOutputTracker: tracker,
      isExecutorAlive: (id) => id === "driver" || pool.expects(id),
      journal: journal ?? undefined,
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
    env.setupEndpoint(DRIVER_ENDPOINT, new DriverEndpoint(pool));
    return new Driver(start, { env, journal, tracker, blocks, pool });
  }

  /** `host:port` for executors. */
  get address(): string {
    return `${this.#env.address?.host ?? ""}:${this.#env.address?.port ?? 0}`;
  }

  /** Who takes part, for people. */
  get cast(): string {
    const { pid } = process;
    const executors = this.#pool.alive.map((executor) => `${executor.id} (pid ${executor.pid})`);
    return `driver (pid ${pid}) on port ${this.#env.address?.port ?? 0}, ${executors.join(", ")}`;
  }

  /** Resolves when all executors have registered. */
  ready(): Promise<void> {
    return this.#pool.ready();
  }

  /** Maps, unless that was done before, and reduces until every partition is summed up. */
  async run(splits: readonly InputSplit[]): Promise<JobReport> {
    this.#splits = splits;
    const { shuffleId } = wordCountShuffle(this.#shape);
    if (this.#tracker.hasShuffle(shuffleId)) this.#takeUp(shuffleId);
    else this.#tracker.registerShuffle(shuffleId, splits.length);
    let partitions = Array.from({ length: this.#start.options.partitions }, (_, index) => index);
    for (let attempt = 1; partitions.length > 0; attempt += 1) {
      if (attempt > JOB_ATTEMPTS_MAX) {
        throw new Error(`the job failed ${JOB_ATTEMPTS_MAX} times; see the lines above`);
      }
      for (let missing = this.#missingMaps(); missing.length > 0; missing = this.#missingMaps()) {
        await this.#mapStage(missing);
      }
      // A stage that is on disk is not repeated by a driver that takes up from here.
      await this.#journal?.flush();
      partitions = await this.#reduceStage(partitions);
    }
    return this.#report();
  }

  /** The executor with the most map outputs; null when nobody is left. */
  busiest(): { executorId: string; outputs: number } | null {
    const holders = [...this.#outputs.values()];
    const outputsOf = (id: string): number => holders.filter((holder) => holder === id).length;
    const [first] = this.#pool.alive.toSorted((a, b) => outputsOf(b.id) - outputsOf(a.id));
    return first === undefined ? null : { executorId: first.id, outputs: outputsOf(first.id) };
  }

  /** An executor is gone, and its map outputs with it. */
  executorLost(executorId: string, how: string): void {
    this.#pool.lost(executorId, how);
    note(`lost ${executorId} (${how})`);
    this.#lostExecutors.push(executorId);
    for (const [mapIndex, holder] of this.#outputs) {
      if (holder === executorId) this.#outputs.delete(mapIndex);
    }
    this.#tracker.removeOutputsOnExecutor(executorId);
    this.#master.removeExecutor(executorId).catch((error: unknown) => note(String(error)));
  }

  async stop(): Promise<void> {
    const signal = AbortSignal.timeout(2000);
    await this.#blocks.close({ signal });
    await this.#env.close({ signal });
    await this.#journal?.close();
  }

  /** Goes on from what the driver before this one knew. */
  #takeUp(shuffleId: number): void {
    for (const [mapIndex, { executorId }] of this.#tracker.outputLocations(shuffleId)) {
      if (!this.#pool.expects(executorId)) continue;
      this.#outputs.set(mapIndex, executorId);
      this.#everDone.add(mapIndex);
    }
    this.#restoredMaps = this.#outputs.size;
    note(`${this.#restoredMaps} of ${this.#splits.length} map outputs are known from before`);
  }

  async #report(): Promise<JobReport> {
    const executors = await Promise.all(
      this.#pool.alive.map(async ({ id, endpoint }) => ({
        name: id,
        peakBytes: (await endpoint.ask(reportProcess, undefined)).peakBytes,
      })),
    );
    const peakBytes = process.resourceUsage().maxRSS * 1024;
    return {
      words: [...this.counts.values()].reduce((sum, count) => sum + count, 0),
      counts: this.counts,
      stages: this.#stages,
      socketBytes: this.#socketBytes,
      localBytes: this.#localBytes,
      recomputedMaps: this.#recomputedMaps,
      restoredMaps: this.#restoredMaps,
      lostExecutors: this.#lostExecutors,
      processes: [{ name: "driver", peakBytes }, ...executors],
    };
  }

  get #shape(): { numMaps: number; numPartitions: number } {
    return { numMaps: this.#splits.length, numPartitions: this.#start.options.partitions };
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
    const mapId = this.#nextTaskId;
    this.#nextTaskId += 1;
    const task = { shape: this.#shape, mapIndex, mapId, split };
    await executor.endpoint.ask(runMap, task, NO_LIMIT);
    if (!executor.isAlive) throw new Error(`${executor.id} was lost with its output`);
    this.#outputs.set(mapIndex, executor.id);
    if (this.#everDone.has(mapIndex)) this.#recomputedMaps += 1;
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
        if (started === Math.min(2, partitions.length)) this.#start.onMidShuffle();
        return this.#runReduce(partition, executor);
      },
    });
    const detail = `${partitions.length - left.length} reduce tasks`;
    this.#endStage(progress, "reduce", partitions.length, detail);
    return left;
  }

  async #runReduce(partition: number, executor: Executor): Promise<"done" | "again" | "stop"> {
    const attempt = this.#nextTaskId;
    this.#nextTaskId += 1;
    const task = { shape: this.#shape, partition, attempt, epoch: this.#tracker.epoch };
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

interface DriverParts {
  readonly env: RpcEnv;
  readonly journal: MasterJournal | null;
  readonly tracker: MapOutputTrackerMaster;
  readonly blocks: BlockManager;
  readonly pool: ExecutorPool;
}
