/** The driver's knowledge of where the map output of every shuffle is. */
import type { BlockManagerId } from "@bm/block";
import { type Logger, silentLogger } from "@bm/transport";
import type { MasterJournal } from "../journal/master-journal.ts";
import { ShuffleRows } from "../journal/shuffle-rows.ts";
import { MasterError } from "../master-error.ts";
import type { TrackerSnapshot } from "../protocol/snapshot-messages.ts";
import type { MapOutputRegistry, MapSizesOptions } from "./map-output-registry.ts";
import type { MapStatus } from "./map-status.ts";
import type { MergeStatus } from "./merge-status.ts";
import { type BlocksAtLocation, blocksByLocation } from "./shuffle-outputs.ts";
import { ShuffleStatus } from "./shuffle-status.ts";
import type { StatusesBroadcast } from "./statuses-broadcast.ts";

/** What {@link MapOutputTrackerMaster} takes. */
export interface MapOutputTrackerMasterOptions {
  /** Default: says nothing. */
  readonly logger?: Logger | undefined;
  /** Kept up to date; see {@link MapOutputTrackerMaster.restored}. Default: none. */
  readonly journal?: MasterJournal | undefined;
  /**
   * Serialised statuses from this size on are broadcast, once there is what broadcasts
   * (`spark.shuffle.mapOutput.minSizeForBroadcast`). Default: 512 KiB.
   */
  readonly broadcastBytesMin?: number | undefined;
}

const BROADCAST_BYTES_MIN_DEFAULT = 512 * 1024;

/** Epochs of a driver that was started again are above those of the one before: they may be lost. */
const EPOCHS_PER_GENERATION = 2 ** 32;

/**
 * See the file comment. Every loss of output raises the epoch: whoever schedules reduce tasks sends
 * `epoch` along, and an executor that sees a higher one than its own forgets what it cached.
 */
export class MapOutputTrackerMaster implements MapOutputRegistry {
  readonly #shuffles = new Map<number, ShuffleStatus>();
  readonly #logger: Logger;
  readonly #rows: ShuffleRows | null;
  readonly #publishing: { broadcast: StatusesBroadcast | null; readonly broadcastBytesMin: number };
  #epoch = 0;

  constructor(options: MapOutputTrackerMasterOptions = {}) {
    const { journal, logger = silentLogger } = options;
    const broadcastBytesMin = options.broadcastBytesMin ?? BROADCAST_BYTES_MIN_DEFAULT;
    this.#publishing = { broadcast: null, broadcastBytesMin };
    this.#logger = logger;
    this.#rows = journal ? new ShuffleRows(journal) : null;
    if (journal) this.#epoch = (journal.generation - 1) * EPOCHS_PER_GENERATION;
  }

  /** With the shuffles that are in the journal. */
  static async restored(
    options: MapOutputTrackerMasterOptions & { readonly journal: MasterJournal },
  ): Promise<MapOutputTrackerMaster> {
    const tracker = new MapOutputTrackerMaster(options);
    await tracker.#restore();
    return tracker;
  }

  /** Has large statuses broadcast from now on; executors need the same kind of it. */
  useBroadcast(broadcast: StatusesBroadcast): void {
    this.#publishing.broadcast = broadcast;
  }

  /** Rises with every loss of output, and when a driver is started again from its journal. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Who has the output of each map that is known. @throws MasterError SHUFFLE_UNKNOWN */
  outputLocations(shuffleId: number): ReadonlyMap<number, BlockManagerId> {
    const { byMapIndex } = this.#shuffle(shuffleId);
    return new Map([...byMapIndex].map(([mapIndex, { location }]) => [mapIndex, location]));
  }

  /** How much is known of every shuffle. */
  snapshot(): TrackerSnapshot {
    const shuffles = [...this.#shuffles.values()].map((shuffle) => ({
      shuffleId: shuffle.shuffleId,
      numMaps: shuffle.numMaps,
      availableMaps: shuffle.byMapIndex.size,
      mergedPartitions: shuffle.merges.byPartition.size,
    }));
    return { epoch: this.#epoch, shuffles };
  }

  /** Whether the shuffle is registered. */
  hasShuffle(shuffleId: number): boolean {
    return this.#shuffles.has(shuffleId);
  }

  /** Number of maps whose output is known. @throws MasterError SHUFFLE_UNKNOWN */
  numAvailableOutputs(shuffleId: number): number {
    return this.#shuffle(shuffleId).byMapIndex.size;
  }

  /** @throws MasterError SHUFFLE_REGISTERED_TWICE, OPTION_INVALID */
  registerShuffle(shuffleId: number, numMaps: number): void {
    if (!Number.isInteger(numMaps) || numMaps < 0) {
      throw new MasterError("OPTION_INVALID", `shuffle ${shuffleId} of ${numMaps} maps`);
    }
    if (this.#shuffles.has(shuffleId)) {
      throw new MasterError("SHUFFLE_REGISTERED_TWICE", `Shuffle ID ${shuffleId} registered twice`);
    }
    this.#shuffles.set(
      shuffleId,
      new ShuffleStatus(shuffleId, numMaps, this.#rows, this.#publishing),
    );
    this.#rows?.putShuffle(shuffleId, numMaps, []);
  }

  /**
   * Makes a map's output known, in place of what was known before. Gives whether a repeated map
   * produced something else: its checksum differs from that of the output before.
   * @throws MasterError SHUFFLE_UNKNOWN, MAP_INDEX_INVALID
   */
  registerMapOutput(shuffleId: number, mapIndex: number, status: MapStatus): boolean {
    return this.#shuffle(shuffleId).add(mapIndex, status);
  }

  /**
   * Forgets a map's output, if it is still the one at `location`. The epoch rises in any case.
   * @throws MasterError SHUFFLE_UNKNOWN
   */
  unregisterMapOutput(shuffleId: number, mapIndex: number, location: BlockManagerId): void {
    this.#shuffle(shuffleId).remove(mapIndex, location);
    this.#epoch += 1;
  }

  /**
   * Forgets all output of a shuffle, merged or not; it stays registered.
   * @throws MasterError SHUFFLE_UNKNOWN
   */
  unregisterAllMapOutput(shuffleId: number): void {
    this.#shuffle(shuffleId).removeAt(() => true);
    this.#shuffle(shuffleId).merges.removeAt(() => true);
    this.#epoch += 1;
  }

  /**
   * Makes known what was merged of a reduce partition, in place of what was known before.
   * @throws MasterError SHUFFLE_UNKNOWN, PARTITION_INVALID
   */
  registerMergeResult(shuffleId: number, partition: number, status: MergeStatus): void {
    this.#shuffle(shuffleId).merges.set(partition, status);
  }

  /**
   * Forgets what was merged of a partition, if it is still at `location` and, when a map is given,
   * has that map's block. Only then the epoch rises.
   * @throws MasterError SHUFFLE_UNKNOWN
   */
  unregisterMergeResult(
    shuffleId: number,
    partition: number,
    location: BlockManagerId,
    mapIndex: number | null = null,
  ): void {
    const { merges } = this.#shuffle(shuffleId);
    if (merges.remove(partition, location, mapIndex)) this.#epoch += 1;
  }

  /** What was merged, by reduce partition. @throws MasterError SHUFFLE_UNKNOWN */
  mergeResults(shuffleId: number): ReadonlyMap<number, MergeStatus> {
    return this.#shuffle(shuffleId).merges.byPartition;
  }

  /** Says which shuffle services merge a shuffle. @throws MasterError SHUFFLE_UNKNOWN */
  setShufflePushMergerLocations(shuffleId: number, locations: readonly BlockManagerId[]): void {
    const { numMaps, merges } = this.#shuffle(shuffleId);
    merges.mergerLocations = locations;
    this.#rows?.putShuffle(shuffleId, numMaps, locations);
  }

  /** Which shuffle services merge a shuffle. @throws MasterError SHUFFLE_UNKNOWN */
  getShufflePushMergerLocations(shuffleId: number): readonly BlockManagerId[] {
    return this.#shuffle(shuffleId).merges.mergerLocations;
  }

  /** Forgets the output that was in an executor's own care. */
  removeOutputsOnExecutor(executorId: string): void {
    this.#removeAt((location) => location.executorId === executorId);
  }

  /** Forgets all output on a host, merged or not, as when its shuffle service is gone. */
  removeOutputsOnHost(host: string): void {
    const isLost = (location: BlockManagerId): boolean => location.host === host;
    for (const { merges } of this.#shuffles.values()) merges.removeAt(isLost);
    this.#removeAt(isLost);
  }

  /** Follows map output that was moved. The epoch stays: who asks the old place asks here again. */
  updateMapOutput(shuffleId: number, mapId: bigint, location: BlockManagerId): void {
    if (this.#shuffles.get(shuffleId)?.move(mapId, location)) return;
    const what = `map ${mapId} of shuffle ${shuffleId}`;
    this.#logger.warn(`output of unknown ${what} moved to ${location.toString()}`);
  }

  unregisterShuffle(shuffleId: number): void {
    this.#shuffles.get(shuffleId)?.forget();
    this.#shuffles.delete(shuffleId);
  }

  /**
   * The statuses of a shuffle for executors (serialized-statuses.ts). Shared: not to be changed.
   * @throws MasterError SHUFFLE_UNKNOWN
   */
  serializedStatuses(shuffleId: number): Promise<Uint8Array> {
    return this.#shuffle(shuffleId).serialized();
  }

  /** As above, of what was merged. @throws MasterError SHUFFLE_UNKNOWN */
  serializedMergeStatuses(shuffleId: number): Promise<Uint8Array> {
    return this.#shuffle(shuffleId).merges.serialized();
  }

  async getMapSizesByExecutorId(
    shuffleId: number,
    startPartition: number,
    endPartition: number,
    options: MapSizesOptions = {},
  ): Promise<readonly BlocksAtLocation[]> {
    const { startMapIndex, endMapIndex } = options;
    const range = { startPartition, endPartition, startMapIndex, endMapIndex };
    return blocksByLocation(this.#shuffle(shuffleId), range);
  }

  async #restore(): Promise<void> {
    const shuffles = this.#shuffles;
    const damaged = await this.#rows?.restore({
      shuffle: (shuffleId, numMaps, mergerLocations) => {
        const status = new ShuffleStatus(shuffleId, numMaps, this.#rows, this.#publishing);
        status.merges.mergerLocations = mergerLocations;
        shuffles.set(shuffleId, status);
      },
      output: (shuffleId, ...output) => shuffles.get(shuffleId)?.restore(...output),
      merge: (shuffleId, ...merge) => shuffles.get(shuffleId)?.merges.set(...merge),
    });
    if (damaged) this.#logger.error(`${damaged} rows of map output cannot be read`);
  }

  #removeAt(isLost: (location: BlockManagerId) => boolean): void {
    for (const shuffle of this.#shuffles.values()) shuffle.removeAt(isLost);
    this.#epoch += 1;
  }

  #shuffle(shuffleId: number): ShuffleStatus {
    const shuffle = this.#shuffles.get(shuffleId);
    if (shuffle !== undefined) return shuffle;
    throw new MasterError("SHUFFLE_UNKNOWN", `no shuffle ${shuffleId} is registered`);
  }
}
