/**
 * Reads a range of reduce partitions: asks where the blocks are, fetches them, decompresses them and
 * gives their records in batches, one batch per piece of data, so that no promise is made per record.
 */
import type { BlockManagerId } from "@bm/block";
import type { CompressionCodec } from "@bm/codec";
import { type MapOutputRegistry, MasterError } from "@bm/master";
import {
  type BlockDataManager,
  type BlockFetchClient,
  BlockFetcherIterator,
  type FetchedBlock,
  ShuffleError,
} from "@bm/shuffle";
import type { Clock, Files, Random } from "@bm/transport";
import { RecordReader } from "../serializer/record-reader.ts";
import { StorageError } from "../storage-error.ts";
import {
  ExternalAppendOnlyMap,
  type ExternalOptions,
} from "./external/external-append-only-map.ts";
import { ExternalSorter } from "./external/external-sorter.ts";
import type { ShuffleHandle } from "./shuffle-handle.ts";

/** What {@link ShuffleReader} takes. */
export interface ShuffleReaderOptions<Key, Value, Combined> {
  readonly handle: ShuffleHandle<Key, Value, Combined>;
  readonly startPartition: number;
  /** Exclusive. */
  readonly endPartition: number;
  readonly localId: BlockManagerId;
  readonly tracker: MapOutputRegistry;
  readonly blockManager: Pick<BlockDataManager, "getLocalBlockData">;
  readonly client: BlockFetchClient;
  readonly random: Random;
  readonly clock: Clock;
  /** The one that the writers used; null when they did not compress. */
  readonly codec: CompressionCodec | null;
  readonly files: Files;
  /** A path for a file of what does not fit into memory, in a directory that exists. */
  readonly createSpillPath: () => Promise<string>;
  /** Estimated memory of records that are combined or sorted before they are spilled. Default: 64 MiB. */
  readonly memoryBytesMax?: number | undefined;
  /** Compressed bytes under way at a time. Default: 48 MiB. */
  readonly maxBytesInFlight?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Figures of one reader. */
export interface ShuffleReadMetrics {
  readonly recordsRead: number;
  readonly remoteBlocksFetched: number;
  readonly localBlocksFetched: number;
  /** Compressed bytes that came over sockets. */
  readonly remoteBytesRead: number;
  readonly localBytesRead: number;
  /** Times that records were written to disk, because combining or sorting them needed more memory. */
  readonly spillCount: number;
  readonly spilledBytes: number;
  /** Time in which the reader had nothing to do but wait for blocks. */
  readonly fetchWaitMs: number;
}

/** Records of one piece of data. */
type Batch<Key, Value> = readonly (readonly [Key, Value])[];

const MEMORY_BYTES_DEFAULT = 64 * 1024 * 1024;

/** See the file comment. To be read once. */
export class ShuffleReader<Key, Value, Combined = Value> {
  readonly #options: ShuffleReaderOptions<Key, Value, Combined>;
  readonly #metrics = {
    recordsRead: 0,
    remoteBlocksFetched: 0,
    localBlocksFetched: 0,
    remoteBytesRead: 0,
    localBytesRead: 0,
    spillCount: 0,
    spilledBytes: 0,
    fetchWaitMs: 0,
  };

  constructor(options: ShuffleReaderOptions<Key, Value, Combined>) {
    this.#options = options;
  }

  get metrics(): ShuffleReadMetrics {
    return this.#metrics;
  }

  /**
   * The records in batches, in no particular order; keys occur as often as there are map outputs.
   * @throws StorageError FETCH_FAILED, with the culprit, when a map output cannot be had or read.
   */
  async *readBatches(): AsyncGenerator<readonly (readonly [Key, Combined])[], void, void> {
    try {
      const blocks = new BlockFetcherIterator({ ...this.#options, blocks: await this.#locate() });
      for await (const block of this.#timed(blocks)) yield* this.#recordsOf(block, blocks);
    } catch (error) {
      throw asFetchFailure(error);
    }
  }

  /** The records one by one. Convenient; `readBatches` is several times faster. */
  async *read(): AsyncGenerator<readonly [Key, Combined], void, void> {
    for await (const batch of this.readBatches()) yield* batch;
  }

  /**
   * The records combined by key with the aggregator of the shuffle, in batches and in no particular
   * order. What exceeds `memoryBytesMax` is on disk meanwhile.
   * @throws StorageError FETCH_FAILED, DISK_FULL, OPTION_INVALID without an aggregator.
   */
  async *readCombinedBatches(): AsyncGenerator<Batch<Key, Combined>, void, void> {
    const { aggregator } = this.#options.handle;
    if (aggregator === null) {
      throw new StorageError("OPTION_INVALID", "a shuffle without aggregator cannot be combined");
    }
    const map = new ExternalAppendOnlyMap(this.#external(), aggregator);
    yield* this.#through(map, this.readBatches());
  }

  /**
   * The records in the order of their keys, combined where the shuffle has an aggregator, in batches.
   * Records of equal keys keep no particular order. What exceeds `memoryBytesMax` is on disk meanwhile.
   * @throws StorageError FETCH_FAILED, DISK_FULL.
   */
  async *readSortedBatches(
    compare: (one: Key, other: Key) => number,
  ): AsyncGenerator<Batch<Key, Combined>, void, void> {
    const { aggregator } = this.#options.handle;
    const bytesOf = aggregator?.bytesOf?.bind(aggregator);
    const sorter = new ExternalSorter(this.#external(), compare, bytesOf);
    const source = aggregator === null ? this.readBatches() : this.readCombinedBatches();
    yield* this.#through(sorter, source);
  }

  /** As `readCombinedBatches`, all in one map: for results that fit into memory. */
  async readCombined(): Promise<Map<Key, Combined>> {
    const result = new Map<Key, Combined>();
    for await (const batch of this.readCombinedBatches()) {
      for (const [key, combined] of batch) result.set(key, combined);
    }
    return result;
  }

  /** As `readSortedBatches`, all in one list: for results that fit into memory. */
  async readSorted(
    compare: (one: Key, other: Key) => number,
  ): Promise<(readonly [Key, Combined])[]> {
    const records: (readonly [Key, Combined])[] = [];
    // One by one: a spread of very many would not fit on the stack.
    for await (const batch of this.readSortedBatches(compare)) {
      for (const record of batch) records.push(record);
    }
    return records;
  }

  async *#through(
    external: ExternalAppendOnlyMap<Key, Combined> | ExternalSorter<Key, Combined>,
    source: AsyncIterable<Batch<Key, Combined>>,
  ): AsyncGenerator<Batch<Key, Combined>, void, void> {
    try {
      for await (const batch of source) await external.insertAll(batch);
      yield* external.batches();
    } finally {
      this.#metrics.spillCount += external.runs.spillCount;
      this.#metrics.spilledBytes += external.runs.spilledBytes;
      await external.close();
    }
  }

  #external(): ExternalOptions<Key, Combined> {
    const { files, codec, handle, createSpillPath, memoryBytesMax } = this.#options;
    return {
      files,
      codec,
      serializer: handle.serializer,
      createPath: createSpillPath,
      memoryBytesMax: memoryBytesMax ?? MEMORY_BYTES_DEFAULT,
    };
  }

  /** The blocks as they come, with the time that was spent waiting for them. */
  async *#timed(blocks: BlockFetcherIterator): AsyncGenerator<FetchedBlock, void, void> {
    const { clock } = this.#options;
    let askedAtMs = clock.nowMs();
    for await (const block of blocks) {
      this.#metrics.fetchWaitMs += clock.nowMs() - askedAtMs;
      yield block;
      askedAtMs = clock.nowMs();
    }
  }

  #locate(): ReturnType<MapOutputRegistry["getMapSizesByExecutorId"]> {
    const { tracker, handle, startPartition, endPartition, signal } = this.#options;
    return tracker.getMapSizesByExecutorId(handle.shuffleId, startPartition, endPartition, {
      signal,
    });
  }

  async *#recordsOf(
    block: FetchedBlock,
    blocks: BlockFetcherIterator,
  ): AsyncGenerator<readonly (readonly [Key, Combined])[], void, void> {
    const { codec } = this.#options;
    this.#count(block);
    const decoder = codec?.createDecoder() ?? null;
    const records = new RecordReader();
    try {
      for await (const piece of block.buffer.pieces()) {
        for (const bytes of decoder === null ? [piece] : decoder.push(piece)) {
          records.push(bytes);
          yield this.#drain(records);
        }
      }
      for (const bytes of decoder?.finish() ?? []) {
        records.push(bytes);
        yield this.#drain(records);
      }
      records.finish();
    } catch (cause) {
      // Corrupt data is the fault of the map output: making it anew is what helps.
      throw await blocks.corruptionOf(block, cause as Error);
    } finally {
      block.buffer.release();
    }
  }

  #drain(records: RecordReader): (readonly [Key, Combined])[] {
    const { key, value } = this.#options.handle.serializer;
    const batch: (readonly [Key, Combined])[] = [];
    while (records.nextRecord()) {
      batch.push([key.read(records), value.read(records)]);
      records.endRecord();
    }
    this.#metrics.recordsRead += batch.length;
    return batch;
  }

  #count({ location, buffer }: FetchedBlock): void {
    const isLocal = location.executorId === this.#options.localId.executorId;
    if (isLocal) {
      this.#metrics.localBlocksFetched += 1;
      this.#metrics.localBytesRead += buffer.size;
    } else {
      this.#metrics.remoteBlocksFetched += 1;
      this.#metrics.remoteBytesRead += buffer.size;
    }
  }
}

function asFetchFailure(error: unknown): unknown {
  if (error instanceof ShuffleError && error.code === "FETCH_FAILED") {
    return new StorageError("FETCH_FAILED", error.message, {
      cause: error,
      culprit: error.culprit,
    });
  }
  if (error instanceof MasterError && error.code === "METADATA_FETCH_FAILED") {
    return new StorageError("FETCH_FAILED", error.message, { cause: error });
  }
  return error;
}
