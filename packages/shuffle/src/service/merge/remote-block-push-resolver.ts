/**
 * Merges pushed blocks into files, one for each reduce partition, and serves these: the manager that
 * Spark runs in its service on YARN, under the same name.
 *
 * An application is known by its directories, which the first executor of an attempt tells. Of each
 * shuffle only the latest merge id counts: an older one is dropped, and what still comes for it is
 * refused as stale. Finalising marks the shuffle first and closes its files afterwards, so nothing can
 * be written to a file that was given out.
 */
import { dirname } from "node:path";
import { localFilePath, shufflePushBlockId } from "@bm/block";
import {
  type Files,
  type Logger,
  type ManagedBuffer,
  type MergedBlockMetaQuery,
  type StreamCallbackWithId,
} from "@bm/transport";
import type {
  BlockPushReturnCodeName,
  CorruptionCauseName,
  ExecutorShuffleInfo,
  FinalizeShuffleMerge,
  MergeStatuses,
  PushBlockStream,
  RemoveShuffleMerge,
} from "../../protocol/block-transfer-message.ts";
import { ShuffleError } from "../../shuffle-error.ts";
import type { LocalDirsGuard } from "../local-dirs-guard.ts";
import type { ShuffleServiceMetrics } from "../metrics/shuffle-service-metrics.ts";
import { ReferenceBudget } from "../reference-budget.ts";
import { forgetfulRows, type Row, type RowChange, type RowStore } from "../row-store.ts";
import { JAVA, serviceFailure } from "../service-failure.ts";
import { diagnoseChunk, type ReaderChecksum } from "./diagnose-merged-chunk.ts";
import { readMergeDirectories } from "./merge-directories.ts";
import { finalizedKey, pathKey, pathValue } from "./merge-rows.ts";

import {
  applicationNotRegistered,
  attemptMismatch,
  type MergedApplication,
  type MergedShuffle,
  newShuffle,
} from "./merged-application.ts";
import { type MergedFiles, MergedPartition, type MergedStatus } from "./merged-partition.ts";
import type {
  MergedBlockMetaAnswer,
  MergedChunkQuery,
  MergedShuffleFileManager,
} from "./merged-shuffle-file-manager.ts";
import {
  checkAppId,
  checkNumbers,
  staleFinalize,
  staleRemoval,
  tooOldAttempt,
} from "./push-failures.ts";
import { type Flow, PushedBlock } from "./pushed-block.ts";
import { openMergedChunk, readMergedMeta } from "./read-merged-files.ts";
import { recoverApplications } from "./recover-applications.ts";
import { RefusedPush } from "./refused-push.ts";

/** Options of {@link RemoteBlockPushResolver}. */
export interface RemoteBlockPushResolverOptions {
  readonly files: Files;
  readonly guard: LocalDirsGuard;
  readonly metrics: ShuffleServiceMetrics;
  readonly logger: Logger;
  /** Default: nothing outlives the process. Taken over and closed. */
  readonly store?: RowStore | undefined;
  /** Spark: `spark.shuffle.push.server.minChunkSizeInMergedShuffleFile`. */
  readonly chunkBytesMin: number;
  /** Spark: `spark.shuffle.push.server.ioExceptionsThresholdDuringMerge`. */
  readonly ioErrorsMax: number;
  /** Memory of blocks that wait for another one to be written. Default: 256 MiB. */
  readonly waitingBytesMax?: number | undefined;
  /** Chunks are compared with their checksums before they are served. Default: false. */
  readonly verifiesChunks?: boolean | undefined;
  /** Partitions that are merged at once; each has three open files. Default: 4,096. */
  readonly partitionsMax?: number | undefined;
}

const WAITING_BYTES_MAX_DEFAULT = 256 * 1024 * 1024;
const PARTITIONS_MAX_DEFAULT = 4096;

/** See the file comment. Made by `open`. */
export class RemoteBlockPushResolver implements MergedShuffleFileManager {
  readonly #options: RemoteBlockPushResolverOptions;
  readonly #store: RowStore;
  readonly #waiting: ReferenceBudget;
  readonly #applications = new Map<string, MergedApplication>();
  /** Deletions and other work that nobody waits for. */
  readonly #background = new Set<Promise<unknown>>();
  /** One write of rows after the other. */
  #writing: Promise<unknown> = Promise.resolve();
  #openPartitions = 0;

  private constructor(options: RemoteBlockPushResolverOptions) {
    this.#options = options;
    this.#store = options.store ?? forgetfulRows;
    this.#waiting = new ReferenceBudget(options.waitingBytesMax ?? WAITING_BYTES_MAX_DEFAULT);
  }

  /** Reads what the store kept. @throws what the store throws (rejects). */
  static async open(options: RemoteBlockPushResolverOptions): Promise<RemoteBlockPushResolver> {
    const resolver = new RemoteBlockPushResolver(options);
    const obsolete = await recoverApplications(resolver.#store, resolver.#applications);
    if (obsolete.length > 0) await resolver.#write(obsolete);
    resolver.#store.restoreFrom?.(() => [...resolver.#applications.values()].flatMap(rowsOf));
    return resolver;
  }

  async registerExecutor(appId: string, info: ExecutorShuffleInfo): Promise<void> {
    const directories = readMergeDirectories(info);
    if (directories === null) return;
    const known = this.#applications.get(appId);
    const isNewer = known === undefined || directories.attemptId > known.directories.attemptId;
    if (!isNewer) return;
    checkAppId(appId);
    await this.#options.guard.checkRegistration(directories.dirs, directories.subDirsPerLocalDir);
    // Another executor of the same attempt may have been faster.
    if (this.#applications.get(appId) !== known) return;
    this.#applications.set(appId, { appId, directories, shuffles: new Map() });
    const { attemptId } = directories;
    await this.#write([
      ...(known === undefined ? [] : removalsOf(known)),
      { key: pathKey(appId, attemptId), value: pathValue(directories) },
    ]);
    if (known !== undefined) this.#inBackground(this.#dropApplication(known, true));
  }

  receiveBlock(message: PushBlockStream, flow: Flow): StreamCallbackWithId {
    const { appAttemptId, appId, mapIndex, reduceId, shuffleId, shuffleMergeId } = message;
    const application = this.#application(appId);
    checkNumbers([shuffleId, shuffleMergeId, mapIndex, reduceId]);
    const id = shufflePushBlockId(shuffleId, shuffleMergeId, mapIndex, reduceId).name;
    if (appAttemptId !== application.directories.attemptId) throw tooOldAttempt(id);
    const { metrics } = this.#options;
    const shuffle = this.#shuffleFor(application, message);
    if (shuffle === null) return new RefusedPush(id, "STALE_BLOCK_PUSH", metrics);
    if (shuffle.isFinalized) return new RefusedPush(id, "TOO_LATE_BLOCK_PUSH", metrics);
    const partition = this.#partitionFor(application, shuffle, message);
    if (partition.maps.has(mapIndex)) return new RefusedPush(id, "SUCCESS", metrics);
    partition.checkUsable(id);
    return new PushedBlock({
      id,
      mapIndex,
      partition,
      verdict: () => this.#verdict(application, message),
      metrics,
      waiting: this.#waiting,
      flow,
    });
  }

  async finalizeShuffleMerge(message: FinalizeShuffleMerge): Promise<MergeStatuses> {
    const { appAttemptId, appId, shuffleId, shuffleMergeId } = message;
    const application = this.#application(appId);
    checkNumbers([shuffleId, shuffleMergeId]);
    const { attemptId } = application.directories;
    if (appAttemptId !== attemptId) {
      throw attemptMismatch("FinalizeShuffleMerge", appAttemptId, application);
    }
    const shuffle = application.shuffles.get(shuffleId);
    if (shuffle !== undefined && (shuffle.isFinalized || shuffleMergeId < shuffle.shuffleMergeId)) {
      throw staleFinalize(message);
    }
    const isSame = shuffle?.shuffleMergeId === shuffleMergeId;
    const finalized = newShuffle(shuffleMergeId, true);
    application.shuffles.set(shuffleId, finalized);
    if (shuffle !== undefined && !isSame) this.#inBackground(this.#dropPartitions(shuffle));
    await this.#write([
      { key: finalizedKey({ appId, attemptId, shuffleId, shuffleMergeId }), value: "" },
    ]);
    const statuses = isSame ? await this.#finish(shuffle) : [];
    finalized.reduceIds = statuses.map(({ reduceId }) => reduceId);
    return {
      type: "MergeStatuses",
      shuffleId,
      shuffleMergeId,
      bitmaps: statuses.map(({ maps }) => maps),
      reduceIds: finalized.reduceIds,
      sizes: statuses.map(({ bytes }) => BigInt(bytes)),
    };
  }

  async removeShuffleMerge(message: RemoveShuffleMerge): Promise<void> {
    const { appAttemptId, appId, shuffleId, shuffleMergeId } = message;
    const application = this.#application(appId);
    const { attemptId } = application.directories;
    if (appAttemptId !== attemptId) {
      throw attemptMismatch("RemoveShuffleMerge", appAttemptId, application);
    }
    const shuffle = application.shuffles.get(shuffleId);
    if (shuffle === undefined && shuffleMergeId < 0) return;
    const current = shuffle?.shuffleMergeId ?? shuffleMergeId;
    if (shuffleMergeId >= 0 && shuffleMergeId < current) throw staleRemoval(message, current);
    const kept = Math.max(shuffleMergeId, current);
    application.shuffles.set(shuffleId, newShuffle(kept, true));
    await this.#write([
      { key: finalizedKey({ appId, attemptId, shuffleId, shuffleMergeId: kept }), value: "" },
    ]);
    if (shuffle === undefined) return;
    this.#inBackground(this.#dropPartitions(shuffle));
    this.#inBackground(this.#removeFinished(application, shuffleId, shuffle));
  }

  async mergedBlockMeta(query: MergedBlockMetaQuery): Promise<MergedBlockMetaAnswer> {
    const application = this.#applicationFor(query, "MergedBlockMeta");
    const paths = this.#pathsOf(application, query);
    return readMergedMeta(paths, application.directories.dirs, this.#options);
  }

  async mergedBlockData(query: MergedChunkQuery): Promise<ManagedBuffer> {
    const application = this.#applicationFor(query, "MergedBlockData");
    const paths = this.#pathsOf(application, query);
    const { dirs } = application.directories;
    if (this.#options.verifiesChunks === true) await this.#verifyChunk(query, paths, dirs);
    return openMergedChunk(paths, query.chunkId, dirs, this.#options);
  }

  async diagnoseMergedChunk(
    query: MergedChunkQuery,
    reader: ReaderChecksum,
  ): Promise<CorruptionCauseName> {
    const { reduceId, shuffleId, shuffleMergeId } = query;
    checkNumbers([shuffleId, shuffleMergeId, reduceId, query.chunkId]);
    const application = this.#applicationFor(query, "MergedBlockData");
    const paths = this.#pathsOf(application, query);
    const { dirs } = application.directories;
    const { cause, detail } = await diagnoseChunk(paths, query.chunkId, dirs, {
      ...this.#options,
      reader,
    });
    this.#options.logger.warn(`a reader got ${nameOf(query)} corrupt: ${cause}, ${detail}`);
    return cause;
  }

  /** @throws ShuffleError BLOCK_CORRUPT: the reader turns to the blocks that were merged (rejects). */
  async #verifyChunk(
    query: MergedChunkQuery,
    paths: MergedFiles,
    dirs: readonly string[],
  ): Promise<void> {
    const { logger, metrics } = this.#options;
    const { cause, detail } = await diagnoseChunk(paths, query.chunkId, dirs, this.#options);
    if (cause !== "DISK_ISSUE") return;
    metrics.corruptMergedChunks += 1;
    const text = `${nameOf(query)} is corrupt and not served: ${detail}`;
    logger.error(text);
    throw new ShuffleError("BLOCK_CORRUPT", text);
  }

  mergedBlockDirs(appId: string): readonly string[] {
    return this.#application(appId).directories.dirs;
  }

  async applicationRemoved(appId: string, deleteFiles: boolean): Promise<void> {
    const application = this.#applications.get(appId);
    if (application === undefined) return;
    this.#applications.delete(appId);
    await this.#write(removalsOf(application));
    this.#inBackground(this.#dropApplication(application, deleteFiles));
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#background);
    const partitions = [...this.#applications.values()].flatMap(({ shuffles }) =>
      [...shuffles.values()].flatMap((shuffle) => [...shuffle.partitions.values()]),
    );
    await Promise.allSettled(partitions.map((partition) => partition.close()));
    await this.#writing.catch(() => {});
    await this.#store.close();
  }

  #application(appId: string): MergedApplication {
    const application = this.#applications.get(appId);
    if (application === undefined) throw applicationNotRegistered(appId);
    return application;
  }

  #applicationFor(query: MergedBlockMetaQuery, what: string): MergedApplication {
    const application = this.#application(query.appId);
    const { reduceId, shuffleId, shuffleMergeId } = query;
    const stored = application.shuffles.get(shuffleId)?.shuffleMergeId ?? shuffleMergeId;
    if (stored <= shuffleMergeId) return application;
    // Spark's readers look for this sentence: they then do not ask again.
    const text = `${what} fetch for shuffle ${shuffleId} with shuffleMergeId ${shuffleMergeId} reduceId ${reduceId} is stale shuffle block fetch request as shuffle blocks of a higher shuffleMergeId for the shuffle is available`;
    throw serviceFailure("BLOCK_NOT_FOUND", JAVA.runtime, text);
  }

  /** The shuffle at the merge id of the message, or null when that one is over. */
  #shuffleFor(application: MergedApplication, message: PushBlockStream): MergedShuffle | null {
    const { shuffleId, shuffleMergeId } = message;
    const stored = application.shuffles.get(shuffleId);
    if (stored !== undefined && stored.shuffleMergeId > shuffleMergeId) return null;
    if (stored?.shuffleMergeId === shuffleMergeId) return stored;
    const fresh = newShuffle(shuffleMergeId);
    application.shuffles.set(shuffleId, fresh);
    if (stored !== undefined) this.#inBackground(this.#dropPartitions(stored));
    return fresh;
  }

  #partitionFor(
    application: MergedApplication,
    shuffle: MergedShuffle,
    message: PushBlockStream,
  ): MergedPartition {
    const { appId, reduceId, shuffleId, shuffleMergeId } = message;
    const known = shuffle.partitions.get(reduceId);
    if (known !== undefined) return known;
    const description = `appId ${appId} shuffleId ${shuffleId} shuffleMergeId ${shuffleMergeId} reduceId ${reduceId}`;
    if (this.#openPartitions >= (this.#options.partitionsMax ?? PARTITIONS_MAX_DEFAULT)) {
      const text = `Cannot initialize merged shuffle partition for ${description}: too many are open`;
      throw serviceFailure("BLOCK_NOT_STORED", JAVA.runtime, text);
    }
    const { chunkBytesMin, files, guard, ioErrorsMax, logger } = this.#options;
    const paths = this.#pathsOf(application, message);
    const { dirs } = application.directories;
    const checkPaths = async (): Promise<void> => {
      for (const path of Object.values(paths) as string[]) {
        await guard.checkRead(dirname(path), dirs);
        await guard.checkRead(path, dirs);
      }
    };
    const partition = new MergedPartition({
      files,
      logger,
      paths,
      reduceId,
      description,
      checkPaths,
      chunkBytesMin,
      ioErrorsMax,
    });
    shuffle.partitions.set(reduceId, partition);
    this.#openPartitions += 1;
    // One that could not be made is forgotten, so that a later push tries again.
    partition.open().catch(() => {
      if (shuffle.partitions.get(reduceId) !== partition) return;
      shuffle.partitions.delete(reduceId);
      this.#openPartitions -= 1;
    });
    return partition;
  }

  #verdict(
    application: MergedApplication,
    message: PushBlockStream,
  ): BlockPushReturnCodeName | null {
    const { appId, reduceId, shuffleId, shuffleMergeId } = message;
    if (this.#applications.get(appId) !== application) return "TOO_LATE_BLOCK_PUSH";
    const shuffle = application.shuffles.get(shuffleId);
    if (shuffle === undefined || shuffle.isFinalized) return "TOO_LATE_BLOCK_PUSH";
    if (shuffle.shuffleMergeId > shuffleMergeId) return "STALE_BLOCK_PUSH";
    // Missing when its files could not be made: then the failure to write tells more.
    return shuffle.partitions.has(reduceId) || shuffle.shuffleMergeId === shuffleMergeId
      ? null
      : "TOO_LATE_BLOCK_PUSH";
  }

  async #finish(shuffle: MergedShuffle): Promise<MergedStatus[]> {
    const partitions = [...shuffle.partitions.values()];
    shuffle.partitions.clear();
    const results = await Promise.allSettled(partitions.map((partition) => partition.finish()));
    this.#openPartitions -= partitions.length;
    const statuses: MergedStatus[] = [];
    for (const result of results) {
      if (result.status === "fulfilled" && result.value !== null) statuses.push(result.value);
      if (result.status === "rejected") {
        this.#options.logger.error(`a merged partition is not served: ${String(result.reason)}`);
      }
    }
    return statuses.toSorted((a, b) => a.reduceId - b.reduceId);
  }

  #pathsOf({ directories }: MergedApplication, partition: MergedBlockMetaQuery): MergedFiles {
    const { appId, reduceId, shuffleId, shuffleMergeId } = partition;
    const name = `shuffleMerged_${appId}_${shuffleId}_${shuffleMergeId}_${reduceId}`;
    const { dirs, subDirsPerLocalDir } = directories;
    const pathOf = (end: string): string =>
      localFilePath(dirs, subDirsPerLocalDir, `${name}.${end}`).path;
    return {
      data: pathOf("data"),
      index: pathOf("index"),
      meta: pathOf("meta"),
      checksums: pathOf("checksums"),
    };
  }

  async #dropPartitions(shuffle: MergedShuffle): Promise<void> {
    const partitions = [...shuffle.partitions.values()];
    shuffle.partitions.clear();
    this.#openPartitions -= partitions.length;
    await Promise.allSettled(partitions.map((partition) => partition.remove()));
  }

  async #removeFinished(
    application: MergedApplication,
    shuffleId: number,
    { reduceIds, shuffleMergeId }: MergedShuffle,
  ): Promise<void> {
    const { appId } = application;
    for (const reduceId of reduceIds) {
      const query = { appId, shuffleId, shuffleMergeId, reduceId };
      const paths = Object.values(this.#pathsOf(application, query)) as string[];
      await Promise.allSettled(paths.map((path) => this.#options.files.remove(path)));
    }
  }

  async #dropApplication(application: MergedApplication, deleteFiles: boolean): Promise<void> {
    for (const shuffle of application.shuffles.values()) {
      const partitions = [...shuffle.partitions.values()];
      this.#openPartitions -= partitions.length;
      shuffle.partitions.clear();
      await Promise.allSettled(partitions.map((partition) => partition.close()));
    }
    if (!deleteFiles) return;
    for (const dir of application.directories.dirs) await this.#options.files.remove(dir);
  }

  #inBackground(work: Promise<unknown>): void {
    const done = work.catch((error: unknown) => {
      this.#options.logger.warn(`cleaning merged files: ${String(error)}`);
    });
    this.#background.add(done);
    void done.finally(() => this.#background.delete(done));
  }

  #write(changes: readonly RowChange[]): Promise<void> {
    const before = this.#writing;
    const write = (async () => {
      await before.catch(() => {});
      await this.#store.write(changes);
    })();
    this.#writing = write;
    return write;
  }
}

/** For the log. */
function nameOf({ appId, chunkId, reduceId, shuffleId, shuffleMergeId }: MergedChunkQuery): string {
  const name = `shuffleChunk_${shuffleId}_${shuffleMergeId}_${reduceId}_${chunkId}`;
  return `merged chunk ${name} of ${appId}`;
}

/** Everything that is kept of an application's attempt. */
function rowsOf({ appId, directories, shuffles }: MergedApplication): Row[] {
  const { attemptId } = directories;
  const finalized = [...shuffles].filter(([, shuffle]) => shuffle.isFinalized);
  return [
    { key: pathKey(appId, attemptId), value: pathValue(directories) },
    ...finalized.map(([shuffleId, { shuffleMergeId }]) => ({
      key: finalizedKey({ appId, attemptId, shuffleId, shuffleMergeId }),
      value: "",
    })),
  ];
}

function removalsOf(application: MergedApplication): RowChange[] {
  return rowsOf(application).map(({ key }) => ({ key, value: null }));
}
