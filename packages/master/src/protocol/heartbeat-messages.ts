import type { BlockManagerId } from "@bm/block";
import { defineMessage, protobufCodec, type RpcMessage } from "@bm/rpc";
import { bm } from "../gen/master.js";
import { idFromWire, idToWire } from "./values.ts";

/** A sign of life of an executor. */
export interface ExecutorHeartbeat {
  readonly executorId: string;
  readonly blockManagerId: BlockManagerId;
}

/** What the executor has to do. */
export interface HeartbeatResponse {
  readonly reregisterBlockManager: boolean;
}

/** Sent by every executor, many times within the time-out. */
export const Heartbeat: RpcMessage<ExecutorHeartbeat, HeartbeatResponse> = defineMessage({
  type: "Heartbeat",
  request: protobufCodec(bm.master.Heartbeat, {
    toWire: ({ executorId, blockManagerId }: ExecutorHeartbeat) => ({
      executorId,
      blockManagerId: idToWire(blockManagerId),
    }),
    fromWire: (wire) => ({
      executorId: wire.executorId,
      blockManagerId: idFromWire(wire.blockManagerId),
    }),
  }),
  reply: protobufCodec(bm.master.HeartbeatResponse, {
    toWire: (response: HeartbeatResponse) => ({ ...response }),
    fromWire: (wire) => ({ reregisterBlockManager: wire.reregisterBlockManager }),
  }),
});
