import type { BlockManagerId } from "@bm/block";
import { MasterError } from "../master-error.ts";
import type { MapStatus } from "./map-status.ts";
import { MergeResults } from "./merge-results.ts";
import { serializeStatuses } from "./serialized-statuses.ts";
import type { ShuffleOutputs } from "./shuffle-outputs.ts";

/** What the driver knows of one shuffle. */
export class ShuffleStatus implements ShuffleOutputs {
  readonly shuffleId: number;
  readonly numMaps: number;
  readonly merges: MergeResults = new MergeResults();
  readonly #byMapIndex = new Map<number, MapStatus>();
  /** Outputs that were lost, by map index: an executor that moves blocks may bring one back. */
  readonly #lost = new Map<number, MapStatus>();
  readonly #mapIndexById = new Map<bigint, number>();
  #serialized: Uint8Array | null = null;

  constructor(shuffleId: number, numMaps: number) {
    this.shuffleId = shuffleId;
    this.numMaps = numMaps;
  }

  /** The known outputs. */
  get byMapIndex(): ReadonlyMap<number, MapStatus> {
    return this.#byMapIndex;
  }

  /**
   * The statuses for executors, made once per change. Spark keeps the old bytes when a known output
   * is replaced by another; here every change counts, so nobody is sent to a place that is gone.
   */
  serialized(): Uint8Array {
    this.#serialized ??= serializeStatuses(this);
    return this.#serialized;
  }

  /**
   * Makes an output known. Gives whether its checksum differs from that of the output before it.
   * @throws MasterError MAP_INDEX_INVALID
   */
  add(mapIndex: number, status: MapStatus): boolean {
    if (!Number.isInteger(mapIndex) || mapIndex < 0 || mapIndex >= this.numMaps) {
      const detail = `map ${mapIndex} of shuffle ${this.shuffleId}, which has ${this.numMaps}`;
      throw new MasterError("MAP_INDEX_INVALID", detail);
    }
    const former = this.#byMapIndex.get(mapIndex) ?? this.#lost.get(mapIndex);
    if (former !== undefined) this.#mapIndexById.delete(former.mapId);
    this.#set(mapIndex, status);
    return former !== undefined && former.checksum !== status.checksum;
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

  #set(mapIndex: number, status: MapStatus): void {
    this.#byMapIndex.set(mapIndex, status);
    this.#lost.delete(mapIndex);
    this.#mapIndexById.set(status.mapId, mapIndex);
    this.#serialized = null;
  }

  #lose(mapIndex: number, status: MapStatus): void {
    this.#byMapIndex.delete(mapIndex);
    this.#lost.set(mapIndex, status);
    this.#serialized = null;
  }
}
