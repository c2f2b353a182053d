import type { Clock } from "@bm/transport";
import { Meter } from "./meter.ts";
import { Timer } from "./timer.ts";

/** Plain counters of a shuffle service, by the names that Spark has for the same figures. */
export class ShuffleServiceMetrics {
  /** OpenBlocks, FetchShuffleBlocks and FetchShuffleBlockChunks. */
  readonly openBlockRequestLatencyMillis: Timer;
  readonly registerExecutorRequestLatencyMillis: Timer;
  readonly fetchMergedBlocksMetaLatencyMillis: Timer;
  readonly finalizeShuffleMergeLatencyMillis: Timer;
  /** Blocks; a run of them counts each. */
  readonly blockTransferRate: Meter;
  /** Chunks. */
  readonly blockTransferMessageRate: Meter;
  readonly blockTransferRateBytes: Meter;
  /** Pushed blocks that met another one being written to the same partition. */
  readonly blockAppendCollisions: Meter;
  readonly lateBlockPushes: Meter;
  readonly blockBytesWritten: Meter;
  readonly deferredBlocks: Meter;
  readonly staleBlockPushes: Meter;
  readonly ignoredBlockBytes: Meter;
  /** Bytes of pushed blocks that wait in memory now. */
  deferredBlockBytes = 0;
  numActiveConnections = 0;
  numCaughtExceptions = 0;
  /** Chunk requests that were answered with a failure. Ours. */
  failedChunks = 0;
  /** Merged chunks that were not served because the disk gives other bytes than were written. Ours. */
  corruptMergedChunks = 0;
  /** Requests that were refused, whatever for. Ours. */
  refusedRequests = 0;
  /** Answers to DiagnoseCorruption by cause. Ours. */
  readonly diagnosedCorruption: Map<string, number> = new Map();

  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.openBlockRequestLatencyMillis = new Timer(clock);
    this.registerExecutorRequestLatencyMillis = new Timer(clock);
    this.fetchMergedBlocksMetaLatencyMillis = new Timer(clock);
    this.finalizeShuffleMergeLatencyMillis = new Timer(clock);
    this.blockTransferRate = new Meter(clock);
    this.blockTransferMessageRate = new Meter(clock);
    this.blockTransferRateBytes = new Meter(clock);
    this.blockAppendCollisions = new Meter(clock);
    this.lateBlockPushes = new Meter(clock);
    this.blockBytesWritten = new Meter(clock);
    this.deferredBlocks = new Meter(clock);
    this.staleBlockPushes = new Meter(clock);
    this.ignoredBlockBytes = new Meter(clock);
  }

  /** A chunk of so many blocks is given to a reader. */
  countChunk(blocks: number, bytes: number): void {
    const nowMs = this.#clock.nowMs();
    this.blockTransferRate.mark(blocks, nowMs);
    this.blockTransferMessageRate.mark(1, nowMs);
    this.blockTransferRateBytes.mark(bytes, nowMs);
  }

  /** Spark: `blockTransferAvgSize_1min`, bytes of a message over the last minute. */
  get blockTransferAvgSizeOneMinute(): number {
    const messages = this.blockTransferMessageRate.snapshot().oneMinuteRate;
    if (messages === 0) return 0;
    return this.blockTransferRateBytes.snapshot().oneMinuteRate / messages;
  }
}
