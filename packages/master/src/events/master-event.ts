import type { BlockId, BlockManagerId } from "@bm/block";
import type { BlockUpdate } from "../protocol/registration-messages.ts";

/** A block manager was registered. */
export interface BlockManagerAdded {
  readonly type: "BlockManagerAdded";
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly blockManagerId: BlockManagerId;
  /** Bytes it can store, in all, on heap and off heap. */
  readonly maxMem: number;
  readonly maxOnHeapMem: number;
  readonly maxOffHeapMem: number;
}

/** A block manager was forgotten, with every block it had. */
export interface BlockManagerRemoved {
  readonly type: "BlockManagerRemoved";
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly blockManagerId: BlockManagerId;
  /** Blocks that nobody has any more. */
  readonly lostBlocks: readonly BlockId[];
}

/** A block manager reported a block, and the master took note. */
export interface BlockUpdated {
  readonly type: "BlockUpdated";
  readonly update: BlockUpdate;
}

/** An executor was silent for too long. Its block manager is removed in the same turn. */
export interface ExecutorExpired {
  readonly type: "ExecutorExpired";
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly executorId: string;
  /** Time since it was heard of. */
  readonly silentMs: number;
}

/** What happens at the master, as its listener is told. */
export type MasterEvent = BlockManagerAdded | BlockManagerRemoved | BlockUpdated | ExecutorExpired;

/** Takes events in the turn in which they happen. What it throws is logged. */
export type MasterListener = (event: MasterEvent) => void;
