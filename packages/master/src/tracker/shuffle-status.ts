import type { BlockManagerId } from "@bm/block";
import type { ShuffleRows } from "../journal/shuffle-rows.ts";
import { MasterError } from "../master-error.ts";
import type { MapStatus } from "./map-status.ts";
import { MergeResults } from "./merge-results.ts";
import { serializeStatuses } from "./serialized-statuses.ts";
import type { ShuffleOutputs } from "./shuffle-outputs.ts";
import { SizeSlabs } from "./size-slabs.ts";
import { PublishedStatuses, type StatusesPublishing } from "./statuses-broadcast.ts";

/** What the driver knows of one shuffle. */
export class ShuffleStatus implements ShuffleOutputs {
  readonly shuffleId: number;
  readonly numMaps: number;
  readonly merges: MergeResults;
  readonly #rows: ShuffleRows | null;
  readonly #byMapIndex = new Map<number, MapStatus>();
  /** Outputs that were lost, by map index: an executor that moves blocks may bring one back. */
  readonly #lost = new Map<number, MapStatus>();
  readonly #slabs = new SizeSlabs();
  readonly #places = new Map<string, BlockManagerId>();
  readonly #mapIndexById = new Map<bigint, number>();
  readonly #published: PublishedStatuses;

  /** @param rows told of every change; null where nothing outlives the process. */
  constructor(
    shuffleId: number,
    numMaps: number,
    rows: ShuffleRows | null,
    publishing: StatusesPublishing,
  ) {
    this.shuffleId = shuffleId;
    this.numMaps = numMaps;
    this.#rows = rows;
    this.#published = new PublishedStatuses(publishing);
    this.merges = new MergeResults(
      publishing,
      rows && {
        put: (partition, status) => rows.putMerge(shuffleId, partition, status),
        delete: (partition) => rows.deleteMerge(shuffleId, partition),
      },
    );
  }

  /** The known outputs. */
  get byMapIndex(): ReadonlyMap<number, MapStatus> {
    return this.#byMapIndex;
  }

  /**
   * The statuses for executors, made once per change. Spark keeps the old bytes when a known output
   * is replaced by another; here every change counts, so nobody is sent to a place that is gone.
   */
  serialized(): Promise<Uint8Array> {
    return this.#published.bytes(() => serializeStatuses(this));
  }

  /**
   * Makes an output known. Gives whether its checksum differs from that of the output before it.
   * @throws MasterError MAP_INDEX_INVALID
   */
  add(mapIndex: number, status: MapStatus): boolean {
    this.#check(mapIndex);
    const former = this.#byMapIndex.get(mapIndex) ?? this.#lost.get(mapIndex);
    if (former !== undefined) this.#mapIndexById.delete(former.mapId);
    this.#set(mapIndex, this.#slabs.keep(status));
    return former !== undefined && former.checksum !== status.checksum;
  }

  /** Takes in an output that was known, or lost, before the driver was started again. */
  restore(mapIndex: number, status: MapStatus, isLost: boolean): void {
    this.#check(mapIndex);
    (isLost ? this.#lost : this.#byMapIndex).set(
      mapIndex,
      this.#atOnePlace(this.#slabs.keep(status)),
    );
    this.#mapIndexById.set(status.mapId, mapIndex);
  }

  /** Removes what outlives the process. */
  forget(): void {
    for (const mapIndex of [...this.#byMapIndex.keys(), ...this.#lost.keys()]) {
      this.#rows?.deleteOutput(this.shuffleId, mapIndex);
    }
    this.merges.removeAt(() => true);
    this.#published.drop();
    this.#rows?.deleteShuffle(this.shuffleId);
  }

  /** Forgets an output, if it is the one at `location`. */
  remove(mapIndex: number, location: BlockManagerId): void {
    const status = this.#byMapIndex.get(mapIndex);
    if (status?.location.equals(location)) this.#lose(mapIndex, status);
  }

  /** Forgets the outputs at the places for which `isLost` holds. */
  removeAt(isLost: (location: BlockManagerId) => boolean): void {
    for (const [mapIndex, status] of this.#byMapIndex) {
      if (isLost(status.location)) this.#lose(mapIndex, status);
    }
  }

  /** Follows an output that was moved; false when no output of that map id is known or was lost. */
  move(mapId: bigint, location: BlockManagerId): boolean {
    const mapIndex = this.#mapIndexById.get(mapId);
    if (mapIndex === undefined) return false;
    const status = this.#byMapIndex.get(mapIndex) ?? this.#lost.get(mapIndex);
    if (status === undefined) return false;
    this.#set(mapIndex, status.withLocation(location));
    return true;
  }

  /** One object for each place: many maps share few of them. */
  #atOnePlace(status: MapStatus): MapStatus {
    const { location } = status;
    const known = this.#places.get(location.key);
    if (known === location) return status;
    if (known !== undefined) return status.withLocation(known);
    this.#places.set(location.key, location);
    return status;
  }

  #check(mapIndex: number): void {
    if (Number.isInteger(mapIndex) && mapIndex >= 0 && mapIndex < this.numMaps) return;
    const detail = `map ${mapIndex} of shuffle ${this.shuffleId}, which has ${this.numMaps}`;
    throw new MasterError("MAP_INDEX_INVALID", detail);
  }

  #set(mapIndex: number, given: MapStatus): void {
    const status = this.#atOnePlace(given);
    this.#byMapIndex.set(mapIndex, status);
    this.#lost.delete(mapIndex);
    this.#mapIndexById.set(status.mapId, mapIndex);
    this.#published.drop();
    this.#rows?.putOutput(this.shuffleId, mapIndex, status, false);
  }

  #lose(mapIndex: number, status: MapStatus): void {
    this.#byMapIndex.delete(mapIndex);
    this.#lost.set(mapIndex, status);
    this.#published.drop();
    this.#rows?.putOutput(this.shuffleId, mapIndex, status, true);
  }
}
