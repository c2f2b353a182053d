/** Finds the blocks that executors left on the disks of this machine. */
import { localFilePath } from "@bm/block";
import {
  BytesManagedBuffer,
  type Clock,
  FileSegmentManagedBuffer,
  type Files,
  type Int64,
  type ManagedBuffer,
} from "@bm/transport";
import type { ExecutorShuffleInfo } from "../protocol/block-transfer-message.ts";
import type { ExecutorRegistry } from "./executor-registry.ts";
import { IndexCache, type KnownMapOutput, type MapOutput } from "./index-cache.ts";
import type { LocalDirsGuard } from "./local-dirs-guard.ts";
import { type LookupLimits, LookupQueue } from "./lookup-queue.ts";
import { StoredChecksums } from "./stored-checksums.ts";

/** Options of {@link ExternalShuffleBlockResolver}. */
export interface ExternalShuffleBlockResolverOptions {
  readonly files: Files;
  readonly clock: Clock;
  readonly registry: ExecutorRegistry;
  readonly guard: LocalDirsGuard;
  /** Spark: `spark.shuffle.service.index.cache.size`. */
  readonly indexCacheBytesMax: number;
  /** Data files of map outputs that stay open. */
  readonly openFilesMax: number;
  /** Lookups on disk at once; the rest waits in turns. */
  readonly lookupLimits: LookupLimits;
}

const EMPTY_BODY = new Uint8Array(0);

/** See the file comment. Every method rejects with BLOCK_NOT_FOUND for an unknown executor. */
export class ExternalShuffleBlockResolver {
  readonly indexCache: IndexCache;
  readonly lookups: LookupQueue;
  readonly storedChecksums: StoredChecksums;
  readonly #files: Files;
  readonly #registry: ExecutorRegistry;
  readonly #guard: LocalDirsGuard;

  constructor(options: ExternalShuffleBlockResolverOptions) {
    const { clock, files, guard, indexCacheBytesMax, lookupLimits, openFilesMax } = options;
    this.#files = files;
    this.#registry = options.registry;
    this.#guard = guard;
    this.indexCache = new IndexCache({
      files,
      clock,
      bytesMax: indexCacheBytesMax,
      openFilesMax,
      checkRead: (path, localDirs) => guard.checkRead(path, localDirs),
    });
    this.lookups = new LookupQueue(lookupLimits);
    this.storedChecksums = new StoredChecksums({ files, guard });
  }

  /** The map output when it is known and its data file can be looked at in this turn, else null. */
  findMapOutputNow(
    appId: string,
    execId: string,
    shuffleId: number,
    mapId: Int64,
  ): KnownMapOutput | null {
    const executor = this.#registry.executorsOf(appId).get(execId);
    if (executor === undefined) return null;
    return this.indexCache.findNow(executor, shuffleId, mapId);
  }

  /**
   * A map output, from which segments can be taken.
   * @throws ShuffleError BLOCK_NOT_FOUND, INDEX_INVALID; TransportError FILE_FAILED (rejects).
   */
  findMapOutput(
    appId: string,
    execId: string,
    shuffleId: number,
    mapId: Int64,
  ): Promise<MapOutput> {
    return this.lookups.run(appId, async () => {
      const executor = this.#registry.get(appId, execId);
      const name = `${shuffleId}_${mapId}`;
      return this.indexCache.find(
        { executor, shuffleId, mapId },
        {
          index: pathOf(executor, `shuffle_${name}_0.index`),
          data: pathOf(executor, `shuffle_${name}_0.data`),
        },
      );
    });
  }

  /** As `readNow` of {@link IndexCache}. */
  readNow(output: KnownMapOutput, offset: number, target: Uint8Array): number {
    return this.indexCache.readNow(output, offset, target);
  }

  /** The bytes of a segment of a map output. */
  segmentBody(output: MapOutput, offset: number, length: number): ManagedBuffer {
    if (length === 0) return new BytesManagedBuffer(EMPTY_BODY);
    return this.indexCache.segmentBody(output, offset, length);
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
