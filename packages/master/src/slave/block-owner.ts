import type { BlockId, BlockStatus } from "@bm/block";
import type { ReplicationOrder } from "../protocol/replicate-block.ts";
import type { BlockIdFilter } from "../protocol/values.ts";

/** Who has blocks and carries out the master's orders: a block manager. */
export interface BlockOwner {
  /** Drops a block, if there, and reports it to the master. */
  removeBlock(id: BlockId): void | Promise<void>;
  /** Drops an RDD's blocks; the master has forgotten them already. Gives their number. */
  removeRdd(rddId: number): Promise<number>;
  /** Drops a broadcast's blocks and reports each. Gives their number. */
  removeBroadcast(broadcastId: bigint): Promise<number>;
  /** Drops the files of a shuffle. True unless something could not be dropped. */
  removeShuffle(shuffleId: number): Promise<boolean>;
  /** What there is of a block now; null when nothing. */
  blockStatus(id: BlockId): BlockStatus | null | Promise<BlockStatus | null>;
  /** The blocks that match, in memory and on disk. */
  matchingBlockIds(filter: BlockIdFilter): readonly BlockId[] | Promise<readonly BlockId[]>;
  /** Makes more copies of a block; true when there are enough in the end. Default: unimplemented. */
  replicateBlock?(order: ReplicationOrder): Promise<boolean>;
  /** Lets a cached partition be read that was hidden. Default: nothing is hidden here. */
  markRddBlockAsVisible?(id: BlockId): void;
  /** Moves everything to other block managers. Default: unimplemented. */
  decommission?(): void;
}
