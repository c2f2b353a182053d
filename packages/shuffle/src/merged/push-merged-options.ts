import type { BlockManagerId, ShuffleBlockChunkId, ShuffleMergedBlockId } from "@bm/block";
import type { BlocksByLocation } from "../fetch/fetch-requests.ts";
import type { HostLocalMergedBlocks } from "./host-local-merged-blocks.ts";

/** A partition that a shuffle service has merged of pushed blocks. */
export interface PushMergedPartition {
  /** The service, as executor `shuffle-push-merger`. */
  readonly location: BlockManagerId;
  readonly blockId: ShuffleMergedBlockId;
  /** Bytes of it; more than 0. */
  readonly size: number;
  /** Whose blocks are in it, as the merger said when it was done: a `MergeStatus` is one. */
  readonly maps: MergedMaps;
}

/** A set of map indexes. */
export interface MergedMaps {
  /** Of the set. */
  readonly numMaps: number;
  hasMap(mapIndex: number): boolean;
}

/** What a reading needs to know of push-merged partitions. */
export interface PushMergedOptions {
  /** Instead of the blocks of their maps, which are not among the wanted ones. */
  readonly partitions: Iterable<PushMergedPartition>;
  /**
   * Where the blocks of the partition are that `maps` have left: of each of them one. Asked when what
   * was merged of them cannot be had; a rejection ends the reading.
   */
  readonly originalsOf: (
    partition: PushMergedPartition,
    maps: MergedMaps,
  ) => Iterable<BlocksByLocation> | Promise<Iterable<BlocksByLocation>>;
  /** Reads partitions that were merged on this host from their files. Default: over the network. */
  readonly hostLocal?: Pick<HostLocalMergedBlocks, "readChunk" | "readMeta"> | undefined;
}

/** How much of a reading was merged. */
export interface PushMergedFigures {
  /** Chunks that were given to the reader. */
  readonly chunks: number;
  /** Blocks of maps in them. */
  readonly blocks: number;
  /** Times that originals were read instead, of a chunk or a whole partition. */
  readonly fallbacks: number;
  /** Chunks that arrived corrupt. */
  readonly corruptChunks: number;
}

/** Index of the map of what has many: Spark's number for it. */
export const MERGED_MAP_INDEX = -1;

/** The question which chunks there are. */
export interface MetaToAsk {
  readonly blockId: ShuffleMergedBlockId;
  /** About how many bytes the answer has. */
  readonly size: number;
  readonly mapIndex: typeof MERGED_MAP_INDEX;
  readonly partition: PushMergedPartition;
}

/** A chunk of a merged partition. */
export interface ChunkToFetch {
  readonly blockId: ShuffleBlockChunkId;
  readonly size: number;
  readonly mapIndex: typeof MERGED_MAP_INDEX;
  readonly partition: PushMergedPartition;
  /** Whose blocks are in it. */
  readonly mapIndexes: readonly number[];
}
