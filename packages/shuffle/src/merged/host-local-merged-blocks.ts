/** Reads partitions that the shuffle service on the same host has merged from their files. */
import {
  type BlockManagerId,
  localFilePath,
  type ShuffleBlockChunkId,
  type ShuffleMergedBlockId,
  shuffleMergedDataBlockId,
  shuffleMergedIndexBlockId,
  shuffleMergedMetaBlockId,
} from "@bm/block";
import type { Files, ManagedBuffer, RequestOptions } from "@bm/transport";
import { ExecutorDirs, type LocalDirsClient } from "../fetch/executor-dirs.ts";
import { SUB_DIRS_DEFAULT } from "../fetch/host-local-blocks.ts";
import {
  type MergedMeta,
  type MergedPaths,
  readMergedChunk,
  readMergedMeta,
} from "../files/read-merged-block.ts";

/** What {@link HostLocalMergedBlocks} needs. */
export interface HostLocalMergedBlocksOptions {
  readonly files: Files;
  /** Of the shuffle service. */
  readonly client: LocalDirsClient;
  readonly appId: string;
  /** `spark.diskStore.subDirectories`. Default: 64. */
  readonly subDirsPerLocalDir?: number | undefined;
}

/** Shuffle services on one host. */
const MERGERS_MAX = 16;

/** See the file comment. Where a service merges is asked once, and remembered. */
export class HostLocalMergedBlocks {
  readonly #files: Files;
  readonly #appId: string;
  readonly #subDirs: number;
  readonly #dirs: ExecutorDirs;

  constructor(options: HostLocalMergedBlocksOptions) {
    this.#files = options.files;
    this.#appId = options.appId;
    this.#subDirs = options.subDirsPerLocalDir ?? SUB_DIRS_DEFAULT;
    this.#dirs = new ExecutorDirs(options.client, MERGERS_MAX);
  }

  /**
   * Which maps are in which chunk. `location` is the service, as executor `shuffle-push-merger`.
   * @throws ShuffleError BLOCK_NOT_FOUND, INDEX_INVALID, ANSWER_INVALID; TransportError (rejects).
   */
  async readMeta(
    location: BlockManagerId,
    blockId: ShuffleMergedBlockId,
    options: RequestOptions = {},
  ): Promise<MergedMeta> {
    return readMergedMeta(this.#files, await this.#pathsOf(location, blockId, options));
  }

  /** The bytes of a chunk as a part of the data file; whoever gets them releases them. As `readMeta`. */
  async readChunk(
    location: BlockManagerId,
    blockId: ShuffleBlockChunkId,
    options: RequestOptions = {},
  ): Promise<ManagedBuffer> {
    const paths = await this.#pathsOf(location, blockId, options);
    return readMergedChunk(this.#files, blockId.chunkId, paths);
  }

  async #pathsOf(
    location: BlockManagerId,
    { reduceId, shuffleId, shuffleMergeId }: ShuffleMergedBlockId | ShuffleBlockChunkId,
    options: RequestOptions,
  ): Promise<MergedPaths> {
    const dirs = await this.#dirs.of(location, options);
    const pathOf = ({ name }: { readonly name: string }): string =>
      localFilePath(dirs, this.#subDirs, name).path;
    const ids = [this.#appId, shuffleId, shuffleMergeId, reduceId] as const;
    return {
      data: pathOf(shuffleMergedDataBlockId(...ids)),
      index: pathOf(shuffleMergedIndexBlockId(...ids)),
      meta: pathOf(shuffleMergedMetaBlockId(...ids)),
    };
  }
}
