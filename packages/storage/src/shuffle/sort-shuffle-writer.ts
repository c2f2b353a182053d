/**
 * Writes the output of one map task: records go to a buffer per partition; when the buffers are full
 * they are spilled to a file, partition by partition; at the end spills and buffers are merged into
 * one data file with an index.
 *
 * With an aggregator records are combined in memory first, so that each key is written once per
 * spill at most.
 */
import type { BlockManagerId } from "@bm/block";
import type { CompressionCodec } from "@bm/codec";
import { MapStatus } from "@bm/master";
import type { IndexShuffleBlockResolver } from "@bm/shuffle";
import type { Clock, Files, OpenFile } from "@bm/transport";
import { asDiskFull } from "../disk/disk-full.ts";
import { RecordWriter } from "../serializer/record-writer.ts";
import { StorageError } from "../storage-error.ts";
import { CombineBuffer } from "./combine-buffer.ts";
import { MapOutputFile, type PartitionsWritten } from "./map-output-file.ts";
import type { ShuffleHandle } from "./shuffle-handle.ts";

/** What {@link SortShuffleWriter} takes. */
export interface SortShuffleWriterOptions<Key, Value, Combined> {
  readonly handle: ShuffleHandle<Key, Value, Combined>;
  /** Unique among all attempts of all tasks of the application. */
  readonly mapId: bigint;
  /** Where readers will find the output. */
  readonly location: BlockManagerId;
  readonly resolver: IndexShuffleBlockResolver;
  readonly files: Files;
  readonly clock: Clock;
  /** Null writes the records uncompressed. */
  readonly codec: CompressionCodec | null;
  /** Buffered bytes at which a spill begins. Default: 64 MiB. */
  readonly memoryBytesMax?: number | undefined;
}

/** Figures of one writer. */
export interface ShuffleWriteMetrics {
  /** Records taken in. */
  readonly recordsWritten: number;
  /** Bytes of the data file. */
  readonly bytesWritten: number;
  readonly spillCount: number;
  readonly spilledBytes: number;
}

const MEMORY_BYTES_DEFAULT = 64 * 1024 * 1024;
/** Between two looks at the memory and one breath for the event loop. */
const RECORDS_PER_TURN = 32 * 1024;
/** Of the memory, what may be added between two looks at it: large records make short turns. */
const MEMORY_SHARE_PER_TURN = 16;
/** Smaller spills would cost more in files than they save in memory. */
const TURN_BYTES_MIN = 64 * 1024;

interface Spill extends PartitionsWritten {
  readonly path: string;
}

type WriterState = "open" | "committing" | "committed" | "failed" | "aborted";

/** See the file comment. One task uses it at a time: wait for a call before the next one. */
export class SortShuffleWriter<Key, Value, Combined = Value> {
  readonly #options: SortShuffleWriterOptions<Key, Value, Combined>;
  readonly #memoryBytesMax: number;
  readonly #turnBytes: number;
  readonly #partitions: RecordWriter[];
  readonly #combined: CombineBuffer<Key, Value, Combined> | null;
  /** What was added since the last look at the memory. */
  #addedBytes = 0;
  readonly #spills: Spill[] = [];
  readonly #temporary = new Set<string>();
  #state: WriterState = "open";
  #recordsWritten = 0;
  #bytesWritten = 0;
  #spilledBytes = 0;

  constructor(options: SortShuffleWriterOptions<Key, Value, Combined>) {
    this.#options = options;
    this.#memoryBytesMax = options.memoryBytesMax ?? MEMORY_BYTES_DEFAULT;
    this.#turnBytes = Math.max(TURN_BYTES_MIN, this.#memoryBytesMax / MEMORY_SHARE_PER_TURN);
    const { aggregator, partitioner } = options.handle;
    const { numPartitions } = partitioner;
    this.#combined = aggregator === null ? null : new CombineBuffer(aggregator);
    this.#partitions = Array.from({ length: numPartitions }, () => new RecordWriter());
  }

  get metrics(): ShuffleWriteMetrics {
    return {
      recordsWritten: this.#recordsWritten,
      bytesWritten: this.#bytesWritten,
      spillCount: this.#spills.length,
      spilledBytes: this.#spilledBytes,
    };
  }

  /**
   * Takes records in; may be called again and again. Whatever fails, the writer has failed then, and
   * nothing of it is left on disk: records in buffers may be lost, so no commit may follow.
   * @throws StorageError WRITER_STATE, PARTITION_INVALID, VALUE_INVALID, DISK_FULL; TransportError
   *   FILE_FAILED; what the records throw (rejects).
   */
  async write(
    records: Iterable<readonly [Key, Value]> | AsyncIterable<readonly [Key, Value]>,
  ): Promise<void> {
    this.#requireOpen();
    try {
      if (Symbol.asyncIterator in records) await this.#takeAsync(records);
      else await this.#takeAll(records[Symbol.iterator]());
    } catch (error) {
      await this.#fail();
      throw error;
    }
  }

  /**
   * Publishes the output and gives what the map output tracker wants to know. After a failure the
   * map task has to be run again, with another writer.
   * @throws StorageError WRITER_STATE, DISK_FULL; ShuffleError and TransportError of the commit.
   */
  async commit(): Promise<MapStatus> {
    this.#requireOpen();
    this.#state = "committing";
    try {
      const lengths = await this.#publish();
      this.#state = "committed";
      this.#bytesWritten = sum(lengths);
      await this.#removeTemporary();
      const { location, mapId } = this.#options;
      return MapStatus.ofSizes(location, mapId, lengths);
    } catch (error) {
      await this.#fail();
      throw error;
    }
  }

  /** Gives everything up and removes what was written. Safe to call twice, and after a commit. */
  async abort(): Promise<void> {
    if (this.#state === "open") this.#state = "aborted";
    for (const partition of this.#partitions) partition.clear();
    this.#combined?.clear();
    await this.#removeTemporary();
  }

  /** Gives the lengths of the partitions that are published now. */
  async #publish(): Promise<readonly number[]> {
    const { handle, mapId, resolver } = this.#options;
    this.#serializeCombined();
    const dataFile = resolver.getDataFile(handle.shuffleId, mapId);
    const { path, lengths, checksums } = await this.#writeFile(dataFile, (file) =>
      this.#mergeInto(file),
    );
    // As Spark has it, an output without a byte is an index file and nothing else.
    const isEmpty = sum(lengths) === 0;
    const committed = await resolver.writeIndexFileAndCommit(handle.shuffleId, mapId, {
      lengths,
      dataTempFile: isEmpty ? null : path,
      checksums: isEmpty ? [] : checksums,
    });
    if (!isEmpty) this.#temporary.delete(path);
    return committed.lengths;
  }

  /** The failure that led here is the one to be told, not one of the clearing up. */
  async #fail(): Promise<void> {
    this.#state = "failed";
    await this.abort().catch(() => {});
  }

  async #takeAll(iterator: Iterator<readonly [Key, Value]>): Promise<void> {
    try {
      for (let isMore = true; isMore; ) {
        isMore = this.#takeSome(iterator);
        await this.#makeRoom();
        if (isMore) await this.#breathe();
      }
    } catch (error) {
      iterator.return?.();
      throw error;
    }
  }

  async #takeAsync(records: AsyncIterable<readonly [Key, Value]>): Promise<void> {
    let count = 0;
    for await (const [key, value] of records) {
      this.#take(key, value);
      count += 1;
      if (count % RECORDS_PER_TURN === 0 || this.#isTurnOver()) await this.#makeRoom();
    }
    await this.#makeRoom();
  }

  /** False when the records are used up. */
  #takeSome(iterator: Iterator<readonly [Key, Value]>): boolean {
    for (let count = 0; count < RECORDS_PER_TURN && !this.#isTurnOver(); count += 1) {
      const next = iterator.next();
      if (next.done) return false;
      const [key, value] = next.value;
      this.#take(key, value);
    }
    return true;
  }

  #isTurnOver(): boolean {
    return this.#addedBytes >= this.#turnBytes;
  }

  #take(key: Key, value: Value): void {
    this.#recordsWritten += 1;
    const combined = this.#combined;
    // Without an aggregator values and combined values are of one type.
    if (combined === null) return this.#serialize(key, value as unknown as Combined);
    const bytesBefore = combined.bytes;
    combined.take(key, value);
    this.#addedBytes += combined.bytes - bytesBefore;
  }

  #serialize(key: Key, value: Combined): void {
    const { partitioner, serializer } = this.#options.handle;
    const index = partitioner.partitionOf(key);
    const partition = this.#partitions[index];
    if (partition === undefined) {
      const text = `partition ${index} of ${partitioner.numPartitions}`;
      throw new StorageError("PARTITION_INVALID", text);
    }
    const lengthBefore = partition.length;
    partition.beginRecord();
    serializer.key.write(partition, key);
    serializer.value.write(partition, value);
    partition.endRecord();
    this.#addedBytes += partition.length - lengthBefore;
  }

  #serializeCombined(): void {
    this.#combined?.drain((key, value) => this.#serialize(key, value));
  }

  async #makeRoom(): Promise<void> {
    const buffered = this.#partitions.reduce((bytes, { capacity }) => bytes + capacity, 0);
    this.#addedBytes = 0;
    if (buffered + (this.#combined?.bytes ?? 0) < this.#memoryBytesMax) return;
    this.#serializeCombined();
    await this.#spill();
    this.#addedBytes = 0;
  }

  async #spill(): Promise<void> {
    const { handle, mapId, resolver } = this.#options;
    const dataFile = resolver.getDataFile(handle.shuffleId, mapId);
    const spill = await this.#writeFile(dataFile, async (file) => {
      for (const partition of this.#partitions) {
        await file.writeRecords(partition.bytes);
        partition.clear();
        file.endPartition();
      }
    });
    this.#spills.push(spill);
    this.#spilledBytes += sum(spill.lengths);
  }

  async #mergeInto(file: MapOutputFile): Promise<void> {
    const { files } = this.#options;
    const spills: { file: OpenFile; lengths: readonly number[]; position: number }[] = [];
    try {
      for (const { path, lengths } of this.#spills) {
        spills.push({ file: await files.open(path, "read"), lengths, position: 0 });
      }
      for (const [index, partition] of this.#partitions.entries()) {
        for (const spill of spills) {
          const length = spill.lengths[index] ?? 0;
          await file.copyFrom(spill.file, spill.position, length);
          spill.position += length;
        }
        await file.writeRecords(partition.bytes);
        partition.clear();
        file.endPartition();
      }
    } finally {
      await Promise.all(spills.map((spill) => spill.file.close()));
    }
  }

  /** Writes a temporary file beside the data file. */
  async #writeFile(dataFile: string, fill: (file: MapOutputFile) => Promise<void>): Promise<Spill> {
    const { files, codec, resolver } = this.#options;
    const path = await resolver.createTempFile(dataFile);
    this.#temporary.add(path);
    let file: MapOutputFile | null = null;
    try {
      file = await MapOutputFile.create(files, path, codec);
      await fill(file);
      return { path, ...(await file.finish()) };
    } catch (error) {
      await file?.close().catch(() => {});
      throw asDiskFull(error, path);
    }
  }

  async #removeTemporary(): Promise<void> {
    const paths = [...this.#temporary];
    this.#temporary.clear();
    await Promise.all(paths.map((path) => this.#options.files.remove(path)));
  }

  /** Heartbeats and requests of others get their turn between two batches of records. */
  #breathe(): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.setImmediate(resolve));
  }

  #requireOpen(): void {
    if (this.#state === "open") return;
    throw new StorageError("WRITER_STATE", `the shuffle writer is ${this.#state}`);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
