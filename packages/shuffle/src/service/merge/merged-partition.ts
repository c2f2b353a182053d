/**
 * One reduce partition that is being merged: its files and what they hold so far.
 *
 *     data    blocks one after the other, in the order in which they came
 *     index   int64 offsets of the chunks, the first one 0
 *     meta    for each chunk a Roaring bitmap of the maps whose blocks are in it
 *     checksums   of each chunk, written at the end; Spark does not know this one
 *
 * Work on the files is done in the order in which it was asked for, by position: whatever failed half
 * way is written over by what comes next.
 */
import type { Files, Logger, OpenFile } from "@bm/transport";
import { ShuffleError } from "../../shuffle-error.ts";
import { JAVA, serviceFailure } from "../service-failure.ts";
import { ChunkChecksums } from "./chunk-checksums.ts";
import { MapIndexBitmap } from "./map-index-bitmap.ts";

/** Paths of the files of a partition. */
export interface MergedFiles {
  readonly data: string;
  readonly index: string;
  readonly meta: string;
  /** Ours; the others are Spark's. */
  readonly checksums: string;
}

/** Options of {@link MergedPartition}. */
export interface MergedPartitionOptions {
  readonly files: Files;
  readonly paths: MergedFiles;
  readonly reduceId: number;
  /** For messages: `appId … shuffleId … shuffleMergeId … reduceId …`. */
  readonly description: string;
  /** A chunk is closed by the block with which it reaches this many bytes. */
  readonly chunkBytesMin: number;
  /** I/O errors after which nothing more is taken. */
  readonly ioErrorsMax: number;
  /** Rejects when a file may not be made where `paths` say. */
  readonly checkPaths: () => Promise<void>;
  readonly logger: Logger;
}

/** What became of a partition. */
export interface MergedStatus {
  readonly reduceId: number;
  readonly maps: Uint8Array;
  readonly bytes: number;
}

interface Open {
  readonly data: OpenFile;
  readonly index: OpenFile;
  readonly meta: OpenFile;
}

const OFFSET_BYTES = 8;

/** See the file comment. */
export class MergedPartition {
  /** Maps whose blocks are merged. */
  readonly maps: MapIndexBitmap = new MapIndexBitmap();
  readonly reduceId: number;
  /** The block that is being written; only one may at a time. */
  owner: object | null = null;
  readonly #options: MergedPartitionOptions;
  readonly #chunkMaps = new MapIndexBitmap();
  readonly #checksums = new ChunkChecksums();
  #opening: Promise<Open> | null = null;
  #work: Promise<unknown> = Promise.resolve();
  #dataBytes = 0;
  #chunkStart = 0;
  #indexBytes = OFFSET_BYTES;
  #metaBytes = 0;
  #ioErrors = 0;

  constructor(options: MergedPartitionOptions) {
    this.#options = options;
    this.reduceId = options.reduceId;
  }

  /** Where the next block begins. */
  get dataBytes(): number {
    return this.#dataBytes;
  }

  /** Chunks that are closed. */
  get chunkCount(): number {
    return this.#indexBytes / OFFSET_BYTES - 1;
  }

  /** @throws ShuffleError once too many I/O errors have happened. */
  checkUsable(blockName: string): void {
    if (this.#ioErrors <= this.#options.ioErrorsMax) return;
    const text = `IOExceptions exceeded the threshold when merging ${blockName}`;
    throw serviceFailure("BLOCK_NOT_STORED", JAVA.illegalState, text);
  }

  /** Resolves when everything asked for so far is done, well or not. */
  async settled(): Promise<void> {
    await this.#work;
  }

  /** Makes the files. Called by the first block; a failure is that of every block. */
  open(): Promise<unknown> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  /** Writes a part of the owner's block; `bytes` must not change any more. */
  write(bytes: Uint8Array, position: number): Promise<void> {
    return this.#inOrder(async ({ data }) => {
      if (position === this.#dataBytes) this.#checksums.beginBlock();
      this.#checksums.add(bytes);
      await data.write(bytes, position);
    });
  }

  /** The owner's block of `bytes` bytes is complete and becomes a part of the partition. */
  commit(mapIndex: number, bytes: number): Promise<void> {
    return this.#inOrder(async (open) => {
      this.#dataBytes += bytes;
      if (bytes > 0) this.#checksums.commitBlock();
      this.maps.add(mapIndex);
      this.#chunkMaps.add(mapIndex);
      if (this.#dataBytes - this.#chunkStart < this.#options.chunkBytesMin) return;
      // The chunk merely grows when this fails, unless it fails too often.
      await this.#closeChunk(open).catch((error: unknown) => this.#countIoError(error));
    });
  }

  /**
   * Closes the last chunk and the files. Resolves to null when there is nothing to serve.
   * @throws TransportError FILE_FAILED: nothing of this partition is to be served (rejects).
   */
  async finish(): Promise<MergedStatus | null> {
    try {
      return await this.#inOrder(async (open) => {
        if (this.#dataBytes !== this.#chunkStart) await this.#closeChunk(open);
        await open.data.truncate(this.#chunkStart);
        await open.index.truncate(this.#indexBytes);
        await open.meta.truncate(this.#metaBytes);
        await this.#writeChecksums();
        if (this.maps.size === 0) return null;
        const maps = this.maps.toOptimizedBytes();
        return { reduceId: this.reduceId, maps, bytes: this.#chunkStart };
      });
    } finally {
      await this.close();
    }
  }

  /** Closes the files as they are, after what is being done. Safe to call twice. */
  async close(): Promise<void> {
    await this.#work;
    const open = await this.#opening?.catch(() => null);
    if (open === null || open === undefined) return;
    await Promise.allSettled([open.data.close(), open.index.close(), open.meta.close()]);
  }

  /** Closes and deletes the files. */
  async remove(): Promise<void> {
    await this.close();
    const { files, paths } = this.#options;
    await Promise.allSettled(Object.values(paths).map((path: string) => files.remove(path)));
  }

  #inOrder<T>(work: (open: Open) => Promise<T>): Promise<T> {
    const before = this.#work;
    const done = (async () => {
      await before;
      return work((await this.open()) as Open);
    })();
    this.#work = done.catch((error: unknown) => this.#countIoError(error));
    return done;
  }

  #countIoError(error: unknown): void {
    if (!(error instanceof ShuffleError)) this.#ioErrors += 1;
  }

  async #closeChunk({ index, meta }: Open): Promise<void> {
    const offset = Buffer.alloc(OFFSET_BYTES);
    offset.writeBigInt64BE(BigInt(this.#dataBytes));
    const maps = this.#chunkMaps.toBytes();
    await index.write(offset, this.#indexBytes);
    await meta.write(maps, this.#metaBytes);
    this.#indexBytes += OFFSET_BYTES;
    this.#metaBytes += maps.length;
    this.#chunkStart = this.#dataBytes;
    this.#chunkMaps.clear();
    this.#checksums.closeChunk();
  }

  /** Best effort, as Spark's of map outputs: without them corruption has no known cause. */
  async #writeChecksums(): Promise<void> {
    const { description, files, logger, paths } = this.#options;
    try {
      await files.writeFile(paths.checksums, this.#checksums.encode());
    } catch (error) {
      logger.warn(`no checksums of the merged chunks of ${description}: ${String(error)}`);
      await files.remove(paths.checksums).catch(() => {});
    }
  }

  async #open(): Promise<Open> {
    const { checkPaths, description, files, paths } = this.#options;
    const opened: OpenFile[] = [];
    try {
      await checkPaths();
      // Those of an earlier partition under this name would accuse this one.
      await files.remove(paths.checksums);
      const data = await files.open(paths.data, "write");
      opened.push(data);
      const index = await files.open(paths.index, "write");
      opened.push(index);
      const meta = await files.open(paths.meta, "write");
      opened.push(meta);
      await index.write(Buffer.alloc(OFFSET_BYTES), 0);
      return { data, index, meta };
    } catch (cause) {
      await Promise.allSettled(opened.map((file) => file.close()));
      const text = `Cannot initialize merged shuffle partition for ${description}`;
      throw serviceFailure("BLOCK_NOT_STORED", JAVA.runtime, text, cause);
    }
  }
}
