import {
  type BlockManagerId,
  SHUFFLE_MERGER_EXECUTOR_ID,
  type ShuffleBlockBatchId,
  type ShuffleBlockId,
  shuffleBlockBatchId,
} from "@bm/block";
import type { Random } from "@bm/transport";
import type {
  ChunkToFetch,
  MetaToAsk,
  PushMergedPartition,
} from "../merged/push-merged-options.ts";
import { ShuffleError } from "../shuffle-error.ts";

/** One block that a reader wants. */
export interface BlockToFetch {
  readonly blockId: ShuffleBlockId | ShuffleBlockBatchId;
  /** About how many bytes it has; more than 0. */
  readonly size: number;
  /** Index of the map task in its stage. */
  readonly mapIndex: number;
}

/** The wanted blocks that one block manager holds. */
export interface BlocksByLocation {
  readonly location: BlockManagerId;
  readonly blocks: readonly BlockToFetch[];
}

/** Whatever brings data: blocks of maps, and merged chunks. */
export type DataBlock = BlockToFetch | ChunkToFetch;

/** Whatever is asked for: data, or which chunks there are. */
export type RequestedBlock = DataBlock | MetaToAsk;

/** What is asked for at one place. */
export interface BlocksToRequest {
  readonly location: BlockManagerId;
  readonly blocks: readonly RequestedBlock[];
}

/** Whether it is the question which chunks there are. */
export function isMeta(block: RequestedBlock): block is MetaToAsk {
  return block.blockId.kind === "shuffleMerged";
}

/** Whether it is a merged chunk. */
export function isChunk(block: RequestedBlock): block is ChunkToFetch {
  return block.blockId.kind === "shuffleChunk";
}

/** Blocks that are asked for together, all of one kind. */
export interface FetchRequest extends BlocksToRequest {
  /** Sum of the sizes of the blocks. */
  readonly size: number;
}

/**
 * Cuts the blocks of one location into requests: of at least `targetBytes` where there are that many,
 * and of at most `blocksMax` blocks.
 */
export function cutIntoRequests(
  { location, blocks }: BlocksToRequest,
  targetBytes: number,
  blocksMax: number,
): FetchRequest[] {
  const requests: FetchRequest[] = [];
  let pending: RequestedBlock[] = [];
  let size = 0;
  const cut = (): void => {
    if (pending.length > 0) requests.push({ location, blocks: pending, size });
    pending = [];
    size = 0;
  };
  for (const block of blocks) {
    pending.push(block);
    size += block.size;
    if (size >= targetBytes || pending.length >= blocksMax) cut();
  }
  cut();
  return requests;
}

/** Blocks of one map that stand together and ascend, as one block for each run of partitions. */
export function mergeRuns({ location, blocks }: BlocksByLocation): BlocksByLocation {
  const merged: BlockToFetch[] = [];
  for (const block of blocks) {
    const last = merged.at(-1);
    const both = last === undefined ? null : merge(last, block);
    if (both === null) merged.push(block);
    else merged[merged.length - 1] = both;
  }
  // A server is asked for runs or for single blocks, never for both in one request.
  const hasRuns = merged.some(({ blockId }) => blockId.kind === "shuffleBatch");
  return { location, blocks: hasRuns ? merged.map(asRun) : merged };
}

function merge(first: BlockToFetch, second: BlockToFetch): BlockToFetch | null {
  const [start, end] = rangeOf(first);
  const [nextStart, nextEnd] = rangeOf(second);
  const { mapId, shuffleId } = first.blockId;
  const isSameMap = second.blockId.shuffleId === shuffleId && second.blockId.mapId === mapId;
  if (!isSameMap || nextStart < end) return null;
  const blockId = shuffleBlockBatchId(shuffleId, mapId, start, nextEnd);
  return { blockId, size: first.size + second.size, mapIndex: first.mapIndex };
}

function asRun(block: BlockToFetch): BlockToFetch {
  const { mapId, shuffleId } = block.blockId;
  const [start, end] = rangeOf(block);
  return { ...block, blockId: shuffleBlockBatchId(shuffleId, mapId, start, end) };
}

function rangeOf({ blockId }: BlockToFetch): readonly [number, number] {
  return blockId.kind === "shuffleBatch"
    ? [blockId.startReduceId, blockId.endReduceId]
    : [blockId.reduceId, blockId.reduceId + 1];
}

/**
 * Refuses blocks that would never be answered as they should: empty ones, which a reader leaves out,
 * and the same one twice.
 * @throws ShuffleError OPTION_INVALID
 */
export function checkBlocksToFetch(locations: readonly BlocksByLocation[]): void {
  const names = new Set<string>();
  for (const { blockId, size } of locations.flatMap(({ blocks }) => blocks)) {
    if (!(size > 0)) {
      const text = `${blockId.name} has a size of ${size}: empty blocks are left out`;
      throw new ShuffleError("OPTION_INVALID", text);
    }
    if (names.has(blockId.name)) {
      throw new ShuffleError("OPTION_INVALID", `${blockId.name} is wanted twice`);
    }
    names.add(blockId.name);
  }
}

/**
 * Refuses merged partitions that are empty, of no merger, or whose maps are wanted block by block, too.
 * @throws ShuffleError OPTION_INVALID
 */
export function checkPartitions(
  partitions: readonly PushMergedPartition[],
  locations: readonly BlocksByLocation[],
): void {
  const keyOf = (id: { readonly shuffleId: number; readonly reduceId: number }): string =>
    `${id.shuffleId} ${id.reduceId}`;
  const merged = new Map(partitions.map((one) => [keyOf(one.blockId), one.maps]));
  if (merged.size < partitions.length) throw invalid("a merged partition is wanted twice");
  for (const { blockId, location, maps, size } of partitions) {
    const isMerger = location.executorId === SHUFFLE_MERGER_EXECUTOR_ID;
    if (size > 0 && maps.numMaps > 0 && isMerger) continue;
    throw invalid(`${blockId.name} of ${size} bytes at ${location.executorId}`);
  }
  for (const { blockId, mapIndex } of locations.flatMap(({ blocks }) => blocks)) {
    const isMerged =
      blockId.kind === "shuffle"
        ? merged.get(keyOf(blockId))?.hasMap(mapIndex)
        : // A run may span partitions that are merged.
          merged.size > 0;
    if (isMerged) throw invalid(`${blockId.name} is wanted beside what has it merged`);
  }
}

function invalid(text: string): ShuffleError {
  return new ShuffleError("OPTION_INVALID", text);
}

/** A random order, so that many readers do not all begin with the same server. */
export function shuffled<Element>(elements: readonly Element[], random: Random): Element[] {
  const keyed = elements.map((element) => ({ element, key: random.next() }));
  return keyed.toSorted((a, b) => a.key - b.key).map(({ element }) => element);
}
