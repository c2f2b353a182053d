import type { BlockManagerId } from "@bm/block";
import type { MapStatus } from "./map-status.ts";
import type { BlocksAtLocation } from "./shuffle-outputs.ts";

/** Which maps are read, and how long to wait. */
export interface MapSizesOptions {
  /** First map index to read. Default: 0. */
  readonly startMapIndex?: number | undefined;
  /** Map index behind the last one to read. Default: all. */
  readonly endMapIndex?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What writers and readers of shuffles need to know of the tracker, on the driver
 * (`MapOutputTrackerMaster`) and elsewhere (`MapOutputTracker`).
 */
export interface MapOutputRegistry {
  /** @throws MasterError SHUFFLE_REGISTERED_TWICE */
  registerShuffle(shuffleId: number, numMaps: number): void | Promise<void>;

  /** @throws MasterError SHUFFLE_UNKNOWN, MAP_INDEX_INVALID */
  registerMapOutput(
    shuffleId: number,
    mapIndex: number,
    status: MapStatus,
  ): boolean | Promise<void>;

  /**
   * Forgets a map's output that could not be read at `location`.
   * @throws MasterError SHUFFLE_UNKNOWN
   */
  unregisterMapOutput(
    shuffleId: number,
    mapIndex: number,
    location: BlockManagerId,
  ): void | Promise<void>;

  /** Forgets a shuffle: everywhere on the driver, elsewhere what this process remembers of it. */
  unregisterShuffle(shuffleId: number): void;

  /**
   * The blocks of the partitions from `startPartition` up to but not including `endPartition`, by
   * place, without empty ones. Sizes are approximate.
   * @throws MasterError METADATA_FETCH_FAILED, SHUFFLE_UNKNOWN, PARTITION_INVALID (rejects).
   */
  getMapSizesByExecutorId(
    shuffleId: number,
    startPartition: number,
    endPartition: number,
    options?: MapSizesOptions,
  ): Promise<readonly BlocksAtLocation[]>;
}
