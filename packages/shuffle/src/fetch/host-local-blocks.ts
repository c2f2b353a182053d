/**
 * Reads blocks of other executors on the same host from their files, without the network.
 *
 * Where an executor writes is asked once, of its shuffle service or of the executor itself, and
 * remembered for the executors that were used last.
 */
import {
  type BlockManagerId,
  localFilePath,
  shuffleDataBlockId,
  shuffleIndexBlockId,
} from "@bm/block";
import type { Files, ManagedBuffer, RequestOptions } from "@bm/transport";
import { readShuffleBlock } from "../files/read-shuffle-block.ts";
import { ShuffleError } from "../shuffle-error.ts";
import type { BlockToFetch } from "./fetch-requests.ts";

/** The part of a client that knows where executors write. */
export interface LocalDirsClient {
  /** See `ExternalShuffleClient.getHostLocalDirs`. */
  getHostLocalDirs(
    host: string,
    port: number,
    execIds: readonly string[],
    options?: RequestOptions,
  ): Promise<ReadonlyMap<string, readonly string[]>>;
}

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

const SUB_DIRS_DEFAULT = 64;
const EXECUTORS_MAX_DEFAULT = 1000;

/** See the file comment. */
export class HostLocalBlocks {
  readonly #files: Files;
  readonly #client: LocalDirsClient;
  readonly #subDirs: number;
  readonly #executorsMax: number;
  /** By executor; the one used last comes last. */
  readonly #dirs = new Map<string, Promise<readonly string[]>>();

  constructor(options: HostLocalBlocksOptions) {
    this.#files = options.files;
    this.#client = options.client;
    this.#subDirs = options.subDirsPerLocalDir ?? SUB_DIRS_DEFAULT;
    this.#executorsMax = options.executorsMax ?? EXECUTORS_MAX_DEFAULT;
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
    const dirs = await this.#dirsOf(location, options);
    const { mapId, shuffleId } = blockId;
    const pathOf = (name: string): string => localFilePath(dirs, this.#subDirs, name).path;
    return readShuffleBlock(this.#files, blockId, {
      index: pathOf(shuffleIndexBlockId(shuffleId, mapId).name),
      data: pathOf(shuffleDataBlockId(shuffleId, mapId).name),
    });
  }

  #dirsOf(location: BlockManagerId, options: RequestOptions): Promise<readonly string[]> {
    const { key } = location;
    const known = this.#dirs.get(key);
    this.#dirs.delete(key);
    const dirs = known ?? this.#ask(location, options);
    this.#dirs.set(key, dirs);
    const [oldest] = this.#dirs.keys();
    if (this.#dirs.size > this.#executorsMax && oldest !== undefined) this.#dirs.delete(oldest);
    return dirs;
  }

  async #ask(location: BlockManagerId, options: RequestOptions): Promise<readonly string[]> {
    const { executorId, host, key, port } = location;
    try {
      const answer = await this.#client.getHostLocalDirs(host, port, [executorId], options);
      const dirs = answer.get(executorId);
      if (dirs !== undefined && dirs.length > 0) return dirs;
      const text = `no local directories of executor ${executorId} at ${location.hostPort}`;
      throw new ShuffleError("ANSWER_INVALID", text);
    } catch (error) {
      // The next reader asks again.
      this.#dirs.delete(key);
      throw error;
    }
  }
}
