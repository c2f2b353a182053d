/**
 * What a block manager's endpoint is asked. Where the master has a message of the same type, the
 * request is the same.
 */
import type { BlockId, BlockStatus } from "@bm/block";
import { defineMessage, type MessageCodec, protobufCodec, type RpcMessage } from "@bm/rpc";
import { bm } from "../gen/master.js";
import { blockIdsCodec, countCodec, flagCodec } from "./answers.ts";
import {
  type BlockStatusQuery,
  type BroadcastRemoval,
  blockIdCodec,
  blockStatusQueryCodec,
  broadcastRemovalCodec,
  type MatchingBlockIdsQuery,
  matchingBlockIdsQueryCodec,
  rddIdCodec,
  shuffleIdCodec,
} from "./queries.ts";
import { orderFromWire, orderToWire, type ReplicationOrder } from "./replicate-block.ts";
import { blockIdFromWire, statusFromWire, statusToWire } from "./values.ts";

const textRowsCodec: MessageCodec<readonly string[]> = protobufCodec(bm.master.TextRows, {
  toWire: (rows: readonly string[]) => ({ rows: [...rows] }),
  fromWire: (wire) => wire.rows,
});

/** Drops a block and tells the master. Answers true. */
export const SlaveRemoveBlock: RpcMessage<BlockId, boolean> = defineMessage({
  type: "RemoveBlock",
  request: blockIdCodec,
  reply: flagCodec,
});

/** Drops an RDD's blocks without telling the master. Answers their number. */
export const SlaveRemoveRdd: RpcMessage<number, number> = defineMessage({
  type: "RemoveRdd",
  request: rddIdCodec,
  reply: countCodec,
});

/** Drops everything of a shuffle. */
export const SlaveRemoveShuffle: RpcMessage<number, boolean> = defineMessage({
  type: "RemoveShuffle",
  request: shuffleIdCodec,
  reply: flagCodec,
});

/** Drops a broadcast's blocks and tells the master. Answers their number. */
export const SlaveRemoveBroadcast: RpcMessage<BroadcastRemoval, number> = defineMessage({
  type: "RemoveBroadcast",
  request: broadcastRemovalCodec,
  reply: countCodec,
});

/** What the block manager has of a block now; null when nothing. */
export const SlaveGetBlockStatus: RpcMessage<BlockStatusQuery, BlockStatus | null> = defineMessage({
  type: "GetBlockStatus",
  request: blockStatusQueryCodec,
  reply: protobufCodec(bm.master.OptionalBlockStatus, {
    toWire: (status: BlockStatus | null) => ({ status: status && statusToWire(status) }),
    fromWire: ({ status }) => (status ? statusFromWire(status) : null),
  }),
});

/** Blocks that the block manager has and that match a filter. */
export const SlaveGetMatchingBlockIds: RpcMessage<MatchingBlockIdsQuery, readonly BlockId[]> =
  defineMessage({
    type: "GetMatchingBlockIds",
    request: matchingBlockIdsQueryCodec,
    reply: blockIdsCodec,
  });

/** Makes more copies of a block. Answers whether there are enough in the end. */
export const ReplicateBlock: RpcMessage<ReplicationOrder, boolean> = defineMessage({
  type: "ReplicateBlock",
  request: protobufCodec(bm.master.ReplicateBlock, {
    toWire: orderToWire,
    fromWire: orderFromWire,
  }),
  reply: flagCodec,
});

/** Moves everything to other block managers. */
export const DecommissionBlockManager: RpcMessage<void, void> = defineMessage({
  type: "DecommissionBlockManager",
});

/** Lets a cached partition be read. */
export const MarkRDDBlockAsVisible: RpcMessage<BlockId, void> = defineMessage({
  type: "MarkRDDBlockAsVisible",
  request: protobufCodec(bm.master.MarkRDDBlockAsVisible, {
    toWire: (id: BlockId) => ({ blockId: id.name }),
    fromWire: (wire) => blockIdFromWire(wire.blockId),
  }),
});

/** What the process is doing, as text. */
export const TriggerThreadDump: RpcMessage<void, readonly string[]> = defineMessage({
  type: "TriggerThreadDump",
  reply: textRowsCodec,
});

/** What fills the heap, as text. */
export const TriggerHeapHistogram: RpcMessage<void, readonly string[]> = defineMessage({
  type: "TriggerHeapHistogram",
  reply: textRowsCodec,
});
