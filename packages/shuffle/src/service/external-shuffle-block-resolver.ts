/** Finds the blocks that executors left on the disks of this machine. */
import { localFilePath } from "@bm/block";
import {
  BytesManagedBuffer,
  FileSegmentManagedBuffer,
  type Files,
  type ManagedBuffer,
} from "@bm/transport";
import type { ExecutorShuffleInfo } from "../protocol/block-transfer-message.ts";
import type { ExecutorRegistry } from "./executor-registry.ts";
import { IndexCache, type MapOutput } from "./index-cache.ts";
import type { LocalDirsGuard } from "./local-dirs-guard.ts";
import { type LookupLimits, LookupQueue } from "./lookup-queue.ts";
import { ReferenceBudget } from "./reference-budget.ts";

/** Options of {@link ExternalShuffleBlockResolver}. */
export interface ExternalShuffleBlockResolverOptions {
  readonly files: Files;
  readonly registry: ExecutorRegistry;
  readonly guard: LocalDirsGuard;
  /** Spark: `spark.shuffle.service.index.cache.size`. */
  readonly indexCacheBytesMax: number;
  /** Lookups on disk at once; the rest waits in turns. */
  readonly lookupLimits: LookupLimits;
}

const WINDOWS_BYTES_MAX = 64 * 1024 * 1024;
const EMPTY_BODY = new Uint8Array(0);

/** See the file comment. Every method rejects with BLOCK_NOT_FOUND for an unknown executor. */
export class ExternalShuffleBlockResolver {
  readonly indexCache: IndexCache;
  readonly lookups: LookupQueue;
  /** Memory of small segments that were read together. */
  readonly windows: ReferenceBudget = new ReferenceBudget(WINDOWS_BYTES_MAX);
  readonly #files: Files;
  readonly #registry: ExecutorRegistry;
  readonly #guard: LocalDirsGuard;

  constructor(options: ExternalShuffleBlockResolverOptions) {
    const { files, guard, indexCacheBytesMax, lookupLimits } = options;
    this.#files = files;
    this.#registry = options.registry;
    this.#guard = guard;
    this.indexCache = new IndexCache({
      files,
      bytesMax: indexCacheBytesMax,
      checkRead: (path, localDirs) => guard.checkRead(path, localDirs),
    });
    this.lookups = new LookupQueue(lookupLimits);
  }

  /**
   * A map output, from which segments can be taken.
   * @throws ShuffleError BLOCK_NOT_FOUND, INDEX_INVALID; TransportError FILE_FAILED (rejects).
   */
  findMapOutput(
    appId: string,
    execId: string,
    shuffleId: number,
    mapId: bigint,
  ): Promise<MapOutput> {
    return this.lookups.run(appId, async () => {
      const info = this.#registry.get(appId, execId);
      const paths = {
        index: pathOf(info, `shuffle_${shuffleId}_${mapId}_0.index`),
        data: pathOf(info, `shuffle_${shuffleId}_${mapId}_0.data`),
      };
      return this.indexCache.find(paths, info.localDirs);
    });
  }

  /** The bytes of a segment of a map output. */
  segmentBody(output: MapOutput, offset: number, length: number): ManagedBuffer {
    if (length === 0) return new BytesManagedBuffer(EMPTY_BODY);
    return new FileSegmentManagedBuffer({
      files: this.#files,
      path: output.dataPath,
      offset,
      length,
    });
  }

  /**
   * A block of an RDD that was persisted to disk, or null when it is not here.
   * @throws ShuffleError BLOCK_NOT_FOUND; TransportError FILE_FAILED (rejects).
   */
  openRddBlock(
    appId: string,
    execId: string,
    rddId: number,
    splitIndex: number,
  ): Promise<ManagedBuffer | null> {
    return this.lookups.run(appId, async () => {
      const info = this.#registry.get(appId, execId);
      const path = pathOf(info, `rdd_${rddId}_${splitIndex}`);
      const file = await this.#files.stat(path);
      if (file?.isFile !== true) return null;
      await this.#guard.checkRead(path, info.localDirs);
      if (file.bytes === 0) return new BytesManagedBuffer(EMPTY_BODY);
      return new FileSegmentManagedBuffer({
        files: this.#files,
        path,
        offset: 0,
        length: file.bytes,
      });
    });
  }
}

/** Where an executor puts a file of that name. The name must be a block's canonical one. */
export function pathOf(info: ExecutorShuffleInfo, name: string): string {
  return localFilePath(info.localDirs, info.subDirsPerLocalDir, name).path;
}
