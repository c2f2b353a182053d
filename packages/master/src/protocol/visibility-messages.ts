import type { BlockId } from "@bm/block";
import { defineMessage, int64FromWire, int64ToWire, protobufCodec, type RpcMessage } from "@bm/rpc";
import { bm } from "../gen/master.js";
import { flagCodec } from "./answers.ts";
import { blockIdFromWire } from "./values.ts";

/** A cached partition and the task that computed it. */
export interface BlockOfTask {
  readonly blockId: BlockId;
  readonly taskId: bigint;
}

/** Whether what a task cached may be read. */
export interface TaskVisibility {
  readonly taskId: bigint;
  readonly visible: boolean;
}

/** Tells which task computes a cached partition. */
export const UpdateRDDBlockTaskInfo: RpcMessage<BlockOfTask, void> = defineMessage({
  type: "UpdateRDDBlockTaskInfo",
  request: protobufCodec(bm.master.UpdateRDDBlockTaskInfo, {
    toWire: ({ blockId, taskId }: BlockOfTask) => ({
      blockId: blockId.name,
      taskId: int64ToWire(taskId),
    }),
    fromWire: (wire) => ({
      blockId: blockIdFromWire(wire.blockId),
      taskId: int64FromWire(wire.taskId),
    }),
  }),
});

/** Whether a cached partition may be read. */
export const GetRDDBlockVisibility: RpcMessage<BlockId, boolean> = defineMessage({
  type: "GetRDDBlockVisibility",
  request: protobufCodec(bm.master.GetRDDBlockVisibility, {
    toWire: (id: BlockId) => ({ blockId: id.name }),
    fromWire: (wire) => blockIdFromWire(wire.blockId),
  }),
  reply: flagCodec,
});

/** Tells how a task ended. */
export const UpdateRDDBlockVisibility: RpcMessage<TaskVisibility, void> = defineMessage({
  type: "UpdateRDDBlockVisibility",
  request: protobufCodec(bm.master.UpdateRDDBlockVisibility, {
    toWire: ({ taskId, visible }: TaskVisibility) => ({ taskId: int64ToWire(taskId), visible }),
    fromWire: (wire) => ({ taskId: int64FromWire(wire.taskId), visible: wire.visible }),
  }),
});
