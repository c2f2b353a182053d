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
import type { Clock, Files } from "@bm/transport";
import { asDiskFull } from "../disk/disk-full.ts";
import { RecordWriter } from "../serializer/record-writer.ts";
import { StorageError } from "../storage-error.ts";
import { MapOutputFile, type PartitionsWritten } from "./map-output-file.ts";
import type { ShuffleHandle } from "./shuffle-handle.ts";

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
/** A map entry with a short key and a number, as measured; keys are counted by themselves too. */
const COMBINED_ENTRY_BYTES = 128;
/** Between two looks at the memory and one breath for the event loop. */
const RECORDS_PER_TURN = 32 * 1024;

interface Spill extends PartitionsWritten {
  readonly path: string;
}

type WriterState = "open" | "committed" | "aborted";

/** See the file comment. One task uses it at a time: wait for a call before the next one. */
export class SortShuffleWriter<Key, Value, Combined = Value> {
  readonly #options: SortShuffleWriterOptions<Key, Value, Combined>;
  readonly #memoryBytesMax: number;
  readonly #partitions: RecordWriter[];
  readonly #combined = new Map<Key, Combined>();
  readonly #spills: Spill[] = [];
  readonly #temporary = new Set<string>();
  #state: WriterState = "open";
  #recordsWritten = 0;
  #bytesWritten = 0;
  #spilledBytes = 0;

  constructor(options: SortShuffleWriterOptions<Key, Value, Combined>) {
    this.#options = options;
    this.#memoryBytesMax = options.memoryBytesMax ?? MEMORY_BYTES_DEFAULT;
    const { numPartitions } = options.handle.partitioner;
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
   * Takes records in; may be called again and again.
   * @throws StorageError WRITER_STATE, PARTITION_INVALID, DISK_FULL; TransportError FILE_FAILED.
   */
  async write(records: Iterable<readonly [Key, Value]>): Promise<void> {
    this.#requireOpen();
    const iterator = records[Symbol.iterator]();
    for (let isMore = true; isMore; ) {
      isMore = this.#takeSome(iterator);
      await this.#makeRoom();
      if (isMore) await this.#breathe();
    }
  }

  /**
   * Publishes the output and gives what the map output tracker wants to know.
   * @throws StorageError WRITER_STATE, DISK_FULL; ShuffleError and TransportError of the commit.
   */
  async commit(): Promise<MapStatus> {
    this.#requireOpen();
    const { handle, mapId, resolver, location } = this.#options;
    this.#serializeCombined();
    const dataFile = resolver.getDataFile(handle.shuffleId, mapId);
    const written = await this.#writeFile(dataFile, (file) => this.#mergeInto(file));
    const committed = await resolver.writeIndexFileAndCommit(handle.shuffleId, mapId, {
      lengths: written.lengths,
      dataTempFile: written.path,
      checksums: written.checksums,
    });
    this.#temporary.delete(written.path);
    this.#state = "committed";
    this.#bytesWritten = sum(committed.lengths);
    await this.#removeTemporary();
    return MapStatus.ofSizes(location, mapId, committed.lengths);
  }

  /** Gives everything up and removes what was written. Safe to call twice, and after a commit. */
  async abort(): Promise<void> {
    if (this.#state === "open") this.#state = "aborted";
    for (const partition of this.#partitions) partition.clear();
    this.#combined.clear();
    await this.#removeTemporary();
  }

  /** False when the records are used up. */
  #takeSome(iterator: Iterator<readonly [Key, Value]>): boolean {
    const { aggregator } = this.#options.handle;
    for (let count = 0; count < RECORDS_PER_TURN; count += 1) {
      const next = iterator.next();
      if (next.done) return false;
      const [key, value] = next.value;
      this.#recordsWritten += 1;
      // Without an aggregator values and combined values are of one type.
      if (aggregator === null) this.#serialize(key, value as unknown as Combined);
      else {
        const known = this.#combined.get(key);
        const combined =
          known === undefined ? aggregator.create(value) : aggregator.add(known, value);
        this.#combined.set(key, combined);
      }
    }
    return true;
  }

  #serialize(key: Key, value: Combined): void {
    const { partitioner, serializer } = this.#options.handle;
    const index = partitioner.partitionOf(key);
    const partition = this.#partitions[index];
    if (partition === undefined) {
      const text = `partition ${index} of ${partitioner.numPartitions}`;
      throw new StorageError("PARTITION_INVALID", text);
    }
    partition.beginRecord();
    serializer.key.write(partition, key);
    serializer.value.write(partition, value);
    partition.endRecord();
  }

  #serializeCombined(): void {
    for (const [key, value] of this.#combined) this.#serialize(key, value);
    this.#combined.clear();
  }

  async #makeRoom(): Promise<void> {
    const buffered = this.#partitions.reduce((bytes, { capacity }) => bytes + capacity, 0);
    const combined = this.#combined.size * COMBINED_ENTRY_BYTES;
    if (buffered + combined < this.#memoryBytesMax) return;
    this.#serializeCombined();
    await this.#spill();
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
    const spills = await Promise.all(
      this.#spills.map(async (spill) => ({
        file: await files.open(spill.path, "read"),
        lengths: spill.lengths,
        position: 0,
      })),
    );
    try {
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
    const file = await MapOutputFile.create(files, path, codec);
    this.#temporary.add(path);
    try {
      await fill(file);
      return { path, ...(await file.finish()) };
    } catch (error) {
      await file.close();
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
