import type { BlockId, BlockManagerId } from "@bm/block";
import { defineMessage, protobufCodec, type RpcMessage } from "@bm/rpc";
import { bm } from "../gen/master.js";
import { countsCodec, flagCodec, flagsCodec } from "./answers.ts";
import {
  type BroadcastRemoval,
  blockIdCodec,
  broadcastRemovalCodec,
  rddIdCodec,
  shuffleIdCodec,
} from "./queries.ts";
import { orderFromWire, orderToWire, type ReplicationOrder } from "./replicate-block.ts";
import { idFromWire, idToWire } from "./values.ts";

/** Forgets an RDD's blocks, then has every block manager drop them. Answers their counts. */
export const RemoveRdd: RpcMessage<number, readonly number[]> = defineMessage({
  type: "RemoveRdd",
  request: rddIdCodec,
  reply: countsCodec,
});

/** Has every block manager drop its part of a shuffle. */
export const RemoveShuffle: RpcMessage<number, readonly boolean[]> = defineMessage({
  type: "RemoveShuffle",
  request: shuffleIdCodec,
  reply: flagsCodec,
});

/** Has block managers drop a broadcast, which they report piece by piece. Answers their counts. */
export const RemoveBroadcast: RpcMessage<BroadcastRemoval, readonly number[]> = defineMessage({
  type: "RemoveBroadcast",
  request: broadcastRemovalCodec,
  reply: countsCodec,
});

/** Has the holders of a block drop it. Answers true at once. */
export const RemoveBlock: RpcMessage<BlockId, boolean> = defineMessage({
  type: "RemoveBlock",
  request: blockIdCodec,
  reply: flagCodec,
});

/** What has to be replicated before a block manager may go. */
export const GetReplicateInfoForRDDBlocks: RpcMessage<BlockManagerId, readonly ReplicationOrder[]> =
  defineMessage({
    type: "GetReplicateInfoForRDDBlocks",
    request: protobufCodec(bm.master.GetReplicateInfoForRDDBlocks, {
      toWire: (id: BlockManagerId) => ({ blockManagerId: idToWire(id) }),
      fromWire: (wire) => idFromWire(wire.blockManagerId),
    }),
    reply: protobufCodec(bm.master.ReplicateInfos, {
      toWire: (orders: readonly ReplicationOrder[]) => ({ orders: orders.map(orderToWire) }),
      fromWire: (wire) => wire.orders.map(orderFromWire),
    }),
  });
