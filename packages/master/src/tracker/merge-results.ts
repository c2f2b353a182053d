/** What was merged of one shuffle, and where it may be merged. */
import type { BlockManagerId } from "@bm/block";
import { MasterError } from "../master-error.ts";
import type { MergeStatus } from "./merge-status.ts";
import { serializeMergeStatuses } from "./serialized-statuses.ts";
import { PublishedStatuses, type StatusesPublishing } from "./statuses-broadcast.ts";

/** Told of every change. */
export interface MergeRows {
  put(partition: number, status: MergeStatus): void;
  delete(partition: number): void;
}

/** See the file comment. */
export class MergeResults {
  /** Shuffle services that were chosen for the shuffle. */
  mergerLocations: readonly BlockManagerId[] = [];
  readonly #rows: MergeRows | null;
  readonly #byPartition = new Map<number, MergeStatus>();
  readonly #published: PublishedStatuses;

  constructor(publishing: StatusesPublishing, rows: MergeRows | null) {
    this.#published = new PublishedStatuses(publishing);
    this.#rows = rows;
  }

  /** By reduce partition. */
  get byPartition(): ReadonlyMap<number, MergeStatus> {
    return this.#byPartition;
  }

  /** For executors, made once per change. */
  serialized(): Promise<Uint8Array> {
    return this.#published.bytes(() => serializeMergeStatuses(this.#byPartition));
  }

  /** In place of what was known of the partition. @throws MasterError PARTITION_INVALID */
  set(partition: number, status: MergeStatus): void {
    if (!Number.isInteger(partition) || partition < 0) {
      throw new MasterError("PARTITION_INVALID", `merged partition ${partition}`);
    }
    this.#byPartition.set(partition, status);
    this.#rows?.put(partition, status);
    this.#published.drop();
  }

  /** Forgets a result, if it is at `location` and, when a map is given, has its block. */
  remove(partition: number, location: BlockManagerId, mapIndex: number | null): boolean {
    const status = this.#byPartition.get(partition);
    if (status === undefined || !status.location.equals(location)) return false;
    if (mapIndex !== null && !status.hasMap(mapIndex)) return false;
    this.#published.drop();
    this.#rows?.delete(partition);
    return this.#byPartition.delete(partition);
  }

  /** Forgets the results at the places for which `isLost` holds. */
  removeAt(isLost: (location: BlockManagerId) => boolean): void {
    for (const [partition, { location }] of this.#byPartition) {
      if (isLost(location)) this.remove(partition, location, null);
    }
  }
}
