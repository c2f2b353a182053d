/**
 * Finds, publishes and deletes the files of map outputs.
 *
 * A map output is a data file (the partitions one after the other), an index file (where each one
 * begins) and, where the writer summed up, a checksum file. They are written under other names and
 * renamed, and the first complete pair of index and data wins: a second attempt at the same map
 * adopts it.
 */
import { dirname } from "node:path";
import {
  localFilePath,
  type ShuffleBlockBatchId,
  type ShuffleBlockId,
  shuffleChecksumBlockId,
  shuffleDataBlockId,
  shuffleIndexBlockId,
} from "@bm/block";
import {
  type Files,
  type Logger,
  type ManagedBuffer,
  type Random,
  silentLogger,
} from "@bm/transport";
import type { CorruptionCauseName } from "../protocol/block-transfer-message.ts";
import { ShuffleError } from "../shuffle-error.ts";
import { encodeChecksums, readChecksumFile } from "./checksum-file.ts";
import { diagnoseMapOutput } from "./diagnose-map-output.ts";
import { KeyedLock } from "./keyed-lock.ts";
import { readShuffleBlock } from "./read-shuffle-block.ts";
import { indexFileBytes, ShuffleIndexFile } from "./shuffle-index-file.ts";

/** Options of {@link IndexShuffleBlockResolver}. */
export interface IndexShuffleBlockResolverOptions {
  readonly files: Files;
  /** Names temporary files. */
  readonly random: Random;
  /** In this order the directories are part of the hash that places a file. */
  readonly localDirs: readonly string[];
  /** Default: 64. */
  readonly subDirsPerLocalDir?: number | undefined;
  /** Ends the name of a checksum file. Default: `ADLER32`. */
  readonly checksumAlgorithm?: string | undefined;
  readonly logger?: Logger | undefined;
}

/** What a map task has written. */
export interface MapOutputToCommit {
  /** Bytes of each partition, in order. */
  readonly lengths: readonly number[];
  /** Where the data lies now (see `createTempFile`); null when every partition is empty. */
  readonly dataTempFile: string | null;
  /** Unsigned 32-bit checksum of each partition as stored. Default: none, and no checksum file. */
  readonly checksums?: readonly number[] | undefined;
}

/** What is published after a commit; of another attempt when that one was first. */
export interface CommittedMapOutput {
  readonly lengths: readonly number[];
  /** Empty when the published output has none. */
  readonly checksums: readonly number[];
  /** Another attempt had published before; its files stay. */
  readonly isAdopted: boolean;
}

const SUB_DIRS_DEFAULT = 64;

/** See the file comment. */
export class IndexShuffleBlockResolver {
  readonly #files: Files;
  readonly #random: Random;
  readonly #localDirs: readonly string[];
  readonly #subDirs: number;
  readonly #checksumAlgorithm: string;
  readonly #logger: Logger;
  /** A map output is published or removed by one at a time, and readers wait for that. */
  readonly #lock = new KeyedLock();

  constructor(options: IndexShuffleBlockResolverOptions) {
    this.#files = options.files;
    this.#random = options.random;
    this.#localDirs = options.localDirs;
    this.#subDirs = options.subDirsPerLocalDir ?? SUB_DIRS_DEFAULT;
    this.#checksumAlgorithm = options.checksumAlgorithm ?? "ADLER32";
    this.#logger = options.logger ?? silentLogger;
  }

  /** Path of the data file, whether it is there or not. */
  getDataFile(shuffleId: number, mapId: bigint): string {
    return this.#pathOf(shuffleDataBlockId(shuffleId, mapId).name);
  }

  /** Path of the index file, whether it is there or not. */
  getIndexFile(shuffleId: number, mapId: bigint): string {
    return this.#pathOf(shuffleIndexBlockId(shuffleId, mapId).name);
  }

  /** Path of the checksum file, whether it is there or not. */
  getChecksumFile(shuffleId: number, mapId: bigint): string {
    const { name } = shuffleChecksumBlockId(shuffleId, mapId);
    return this.#pathOf(`${name}.${this.#checksumAlgorithm}`);
  }

  /**
   * A name beside `path` under which to write what is renamed to `path` later; its directory exists
   * then. @throws TransportError FILE_FAILED (rejects).
   */
  async createTempFile(path: string): Promise<string> {
    await this.#files.makeDirectory(dirname(path));
    return `${path}.${this.#random.uuid()}`;
  }

  /**
   * The bytes of a partition, or of a run of them; whoever gets them releases them.
   * @throws ShuffleError BLOCK_NOT_FOUND when the map output or the partition is not here,
   *   INDEX_INVALID when index and data do not fit; TransportError FILE_FAILED (rejects).
   */
  async getBlockData(blockId: ShuffleBlockId | ShuffleBlockBatchId): Promise<ManagedBuffer> {
    const { mapId, shuffleId } = blockId;
    await this.#lock.whenFree(keyOf(shuffleId, mapId));
    return readShuffleBlock(this.#files, blockId, {
      index: this.getIndexFile(shuffleId, mapId),
      data: this.getDataFile(shuffleId, mapId),
    });
  }

  /**
   * Why a partition arrived corrupt: the disk, the network, or neither. `checksum` is what its reader
   * computed with `algorithm`. Never rejects: UNKNOWN_ISSUE when it cannot be found out.
   */
  diagnoseCorruption(
    blockId: ShuffleBlockId,
    checksum: bigint,
    algorithm: string,
  ): Promise<CorruptionCauseName> {
    const { mapId, reduceId, shuffleId } = blockId;
    const { name } = shuffleChecksumBlockId(shuffleId, mapId);
    return diagnoseMapOutput({
      files: this.#files,
      algorithm,
      checksum,
      reduceId,
      checksumFile: (known) => this.#pathOf(`${name}.${known}`),
      open: () => this.getBlockData(blockId),
    });
  }

  /**
   * Publishes a map output, or adopts the one that is there. The temporary data file is gone
   * afterwards; when this fails it stays with the caller.
   * @throws ShuffleError COMMIT_INVALID when the lengths do not fit the temporary file, INDEX_INVALID
   *   for lengths out of range; TransportError FILE_FAILED (rejects).
   */
  async writeIndexFileAndCommit(
    shuffleId: number,
    mapId: bigint,
    output: MapOutputToCommit,
  ): Promise<CommittedMapOutput> {
    const index = ShuffleIndexFile.fromLengths(output.lengths);
    const { checksums = [] } = output;
    if (checksums.length > 0 && checksums.length !== index.partitionCount) {
      const text = `${checksums.length} checksums of ${index.partitionCount} partitions`;
      throw new ShuffleError("COMMIT_INVALID", text);
    }
    return this.#lock.run(keyOf(shuffleId, mapId), async () => {
      const published = await this.#readPublished(shuffleId, mapId, index.partitionCount);
      return published === null
        ? this.#publish(shuffleId, mapId, index, output)
        : this.#adopt(shuffleId, mapId, published, output);
    });
  }

  /** Deletes the files of a map output. True when there were any. */
  removeDataByMap(shuffleId: number, mapId: bigint): Promise<boolean> {
    return this.#lock.run(keyOf(shuffleId, mapId), async () => {
      const removed = await Promise.all([
        this.#files.remove(this.getDataFile(shuffleId, mapId)),
        this.#files.remove(this.getIndexFile(shuffleId, mapId)),
        this.#files.remove(this.getChecksumFile(shuffleId, mapId)),
      ]);
      return removed.some(Boolean);
    });
  }

  /** The index of a complete pair of files with that many partitions, or null. */
  async #readPublished(
    shuffleId: number,
    mapId: bigint,
    partitionCount: number,
  ): Promise<ShuffleIndexFile | null> {
    const path = this.getIndexFile(shuffleId, mapId);
    const file = await this.#files.stat(path);
    if (file?.bytes !== indexFileBytes(partitionCount)) return null;
    try {
      const index = await ShuffleIndexFile.read(this.#files, path);
      const data = await this.#files.stat(this.getDataFile(shuffleId, mapId));
      return index.dataBytes === (data?.bytes ?? 0) ? index : null;
    } catch (error) {
      this.#logger.warn(`replacing ${path}: ${String(error)}`);
      return null;
    }
  }

  async #adopt(
    shuffleId: number,
    mapId: bigint,
    published: ShuffleIndexFile,
    output: MapOutputToCommit,
  ): Promise<CommittedMapOutput> {
    const { lengths } = published;
    const checksums = await this.#adoptChecksums(shuffleId, mapId, lengths, output);
    if (output.dataTempFile !== null) await this.#files.remove(output.dataTempFile);
    return { lengths, checksums, isAdopted: true };
  }

  /**
   * The checksums of the published output. Where it has none ours are added, but only to data of the
   * same shape: checksums of other bytes would blame the disk later.
   */
  async #adoptChecksums(
    shuffleId: number,
    mapId: bigint,
    lengths: readonly number[],
    output: MapOutputToCommit,
  ): Promise<readonly number[]> {
    const { checksums = [] } = output;
    if (checksums.length === 0) return [];
    const path = this.getChecksumFile(shuffleId, mapId);
    try {
      const published = await readChecksumFile(this.#files, path, lengths.length);
      if (published !== null) return published;
    } catch (error) {
      this.#logger.error(`reading ${path}: ${String(error)}`);
      return [];
    }
    const isSameShape = lengths.every((length, index) => length === output.lengths[index]);
    return isSameShape ? this.#writeChecksums(path, checksums) : [];
  }

  /** Index before data, as readers of other processes expect; never an index without its data. */
  async #publish(
    shuffleId: number,
    mapId: bigint,
    index: ShuffleIndexFile,
    output: MapOutputToCommit,
  ): Promise<CommittedMapOutput> {
    const { dataTempFile, checksums = [] } = output;
    await this.#checkTempFile(index, dataTempFile);
    const indexPath = this.getIndexFile(shuffleId, mapId);
    const dataPath = this.getDataFile(shuffleId, mapId);
    await this.#replace(indexPath, index.toBytes());
    try {
      if (dataTempFile === null) await this.#files.remove(dataPath);
      else await this.#files.rename(dataTempFile, dataPath);
    } catch (error) {
      await this.#files.remove(indexPath);
      throw error;
    }
    const written =
      checksums.length === 0
        ? []
        : await this.#writeChecksums(this.getChecksumFile(shuffleId, mapId), checksums);
    return { lengths: index.lengths, checksums: written, isAdopted: false };
  }

  async #checkTempFile(index: ShuffleIndexFile, dataTempFile: string | null): Promise<void> {
    const data = dataTempFile === null ? null : await this.#files.stat(dataTempFile);
    if (index.dataBytes === (data?.bytes ?? 0)) return;
    const text = `partitions of ${index.dataBytes} bytes in a file of ${data?.bytes ?? 0}`;
    throw new ShuffleError("COMMIT_INVALID", `${dataTempFile ?? "no data file"}: ${text}`);
  }

  /** Best effort: checksums serve to find the culprit later, a map output is good without them. */
  async #writeChecksums(path: string, checksums: readonly number[]): Promise<readonly number[]> {
    try {
      await this.#replace(path, encodeChecksums(checksums));
      return checksums;
    } catch (error) {
      this.#logger.error(`writing ${path}: ${String(error)}`);
      return [];
    }
  }

  /** Writes under another name and renames, so that no reader sees half a file. */
  async #replace(path: string, bytes: Uint8Array): Promise<void> {
    const temp = await this.createTempFile(path);
    try {
      await this.#files.writeFile(temp, bytes);
      await this.#files.rename(temp, path);
    } catch (error) {
      await this.#files.remove(temp).catch(() => false);
      throw error;
    }
  }

  #pathOf(name: string): string {
    return localFilePath(this.#localDirs, this.#subDirs, name).path;
  }
}

function keyOf(shuffleId: number, mapId: bigint): string {
  return `${shuffleId}_${mapId}`;
}
