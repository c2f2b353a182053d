/** Reads blocks of other executors on the same host from their files, without the network. */
import {
  type BlockManagerId,
  localFilePath,
  shuffleDataBlockId,
  shuffleIndexBlockId,
} from "@bm/block";
import type { Files, ManagedBuffer, RequestOptions } from "@bm/transport";
import { readShuffleBlock } from "../files/read-shuffle-block.ts";
import { ExecutorDirs, type LocalDirsClient } from "./executor-dirs.ts";
import type { BlockToFetch } from "./fetch-requests.ts";

/** What {@link HostLocalBlocks} needs. */
export interface HostLocalBlocksOptions {
  readonly files: Files;
  /** Of the shuffle service, or `NettyBlockTransferService` where there is none. */
  readonly client: LocalDirsClient;
  /** `spark.diskStore.subDirectories` of the other executors. Default: 64. */
  readonly subDirsPerLocalDir?: number | undefined;
  /** `spark.storage.localDiskByExecutors.cacheSize`: executors to remember. Default: 1,000. */
  readonly executorsMax?: number | undefined;
}

/** `spark.diskStore.subDirectories` where nobody set it. */
export const SUB_DIRS_DEFAULT = 64;
const EXECUTORS_MAX_DEFAULT = 1000;

/** See the file comment. Where an executor writes is asked once, and remembered. */
export class HostLocalBlocks {
  readonly #files: Files;
  readonly #subDirs: number;
  readonly #dirs: ExecutorDirs;

  constructor(options: HostLocalBlocksOptions) {
    this.#files = options.files;
    this.#subDirs = options.subDirsPerLocalDir ?? SUB_DIRS_DEFAULT;
    this.#dirs = new ExecutorDirs(options.client, options.executorsMax ?? EXECUTORS_MAX_DEFAULT);
  }

  /**
   * The bytes of a block as a part of its data file; whoever gets them releases them. `location` is
   * that of the map output: the executor, or the shuffle service that answers for it.
   * @throws ShuffleError BLOCK_NOT_FOUND, INDEX_INVALID, ANSWER_INVALID; TransportError (rejects).
   */
  async read(
    location: BlockManagerId,
    blockId: BlockToFetch["blockId"],
    options: RequestOptions = {},
  ): Promise<ManagedBuffer> {
    const dirs = await this.#dirs.of(location, options);
    const { mapId, shuffleId } = blockId;
    const pathOf = (name: string): string => localFilePath(dirs, this.#subDirs, name).path;
    return readShuffleBlock(this.#files, blockId, {
      index: pathOf(shuffleIndexBlockId(shuffleId, mapId).name),
      data: pathOf(shuffleDataBlockId(shuffleId, mapId).name),
    });
  }
}
