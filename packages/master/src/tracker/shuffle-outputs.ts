/** Where the map output of one shuffle is, as far as it is known, and what a reducer reads of it. */
import { type BlockManagerId, type ShuffleBlockId, shuffleBlockId } from "@bm/block";
import { MasterError } from "../master-error.ts";
import type { MapStatus } from "./map-status.ts";
import type { MapStatuses } from "./status-columns.ts";

/** One block of map output. */
export interface ShuffleBlockInfo {
  readonly blockId: ShuffleBlockId;
  /** Approximate bytes, never 0. */
  readonly size: number;
  /** Index of the map task, which is not its id. */
  readonly mapIndex: number;
}

/** Blocks that are to be read from one block manager. */
export interface BlocksAtLocation {
  readonly location: BlockManagerId;
  readonly blocks: readonly ShuffleBlockInfo[];
}

/** What is to be read: partitions of the output of all maps, or of some. Ends are exclusive. */
export interface MapOutputRange {
  readonly startPartition: number;
  readonly endPartition: number;
  /** Default: 0. */
  readonly startMapIndex?: number | undefined;
  /** Default: all maps. */
  readonly endMapIndex?: number | undefined;
}

/** The known statuses of one shuffle. */
export interface ShuffleOutputs {
  readonly shuffleId: number;
  readonly numMaps: number;
  readonly byMapIndex: MapStatuses;
}

/**
 * Groups the blocks of a range by place; empty blocks are left out.
 * @throws MasterError METADATA_FETCH_FAILED - the place of a map's output is not known;
 *   PARTITION_INVALID
 */
export function blocksByLocation(
  outputs: ShuffleOutputs,
  range: MapOutputRange,
): BlocksAtLocation[] {
  checkRange(range);
  const { shuffleId, numMaps, byMapIndex } = outputs;
  const { startPartition, startMapIndex = 0 } = range;
  const endMapIndex = Math.min(range.endMapIndex ?? numMaps, numMaps);

  const byLocation = new Map<string, { location: BlockManagerId; blocks: ShuffleBlockInfo[] }>();
  for (let mapIndex = startMapIndex; mapIndex < endMapIndex; mapIndex++) {
    const status = byMapIndex.get(mapIndex);
    if (status === undefined) throw missingOutput(shuffleId, startPartition, mapIndex);
    const blocks = blocksOfMap(shuffleId, mapIndex, status, range);
    if (blocks.length === 0) continue;
    const { location } = status;
    const atLocation = byLocation.get(location.key);
    if (atLocation === undefined) byLocation.set(location.key, { location, blocks });
    else atLocation.blocks.push(...blocks);
  }
  return [...byLocation.values()];
}

function blocksOfMap(
  shuffleId: number,
  mapIndex: number,
  status: MapStatus,
  { startPartition, endPartition }: MapOutputRange,
): ShuffleBlockInfo[] {
  const blocks: ShuffleBlockInfo[] = [];
  for (let partition = startPartition; partition < endPartition; partition++) {
    const size = status.sizeOf(partition);
    if (size === 0) continue;
    blocks.push({ blockId: shuffleBlockId(shuffleId, status.mapId, partition), size, mapIndex });
  }
  return blocks;
}

function checkRange({ startPartition, endPartition, startMapIndex = 0 }: MapOutputRange): void {
  const starts = [startPartition, startMapIndex];
  const isValid = starts.every((start) => Number.isInteger(start) && start >= 0);
  if (isValid && Number.isInteger(endPartition) && endPartition >= startPartition) return;
  const detail = `partitions ${startPartition} to ${endPartition}, maps from ${startMapIndex}`;
  throw new MasterError("PARTITION_INVALID", detail);
}

function missingOutput(shuffleId: number, partition: number, mapIndex: number): MasterError {
  const text = `missing an output location for map ${mapIndex} of shuffle ${shuffleId}`;
  return new MasterError("METADATA_FETCH_FAILED", text, { shuffleId, partition });
}
