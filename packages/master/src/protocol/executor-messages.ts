import type { BlockManagerId } from "@bm/block";
import {
  defineMessage,
  endpointAddressFromWire,
  endpointAddressToWire,
  type MessageCodec,
  protobufCodec,
  type RpcEndpointAddress,
  type RpcMessage,
} from "@bm/rpc";
import { bm } from "../gen/master.js";
import { flagCodec, idsCodec } from "./answers.ts";
import { idFromWire, idToWire } from "./values.ts";

const endpointCodec: MessageCodec<RpcEndpointAddress | null> = protobufCodec(
  bm.master.ExecutorEndpointRef,
  {
    toWire: (endpoint: RpcEndpointAddress | null) => ({
      endpoint: endpoint === null ? null : endpointAddressToWire(endpoint),
    }),
    fromWire: ({ endpoint }) => (endpoint ? endpointAddressFromWire(endpoint) : null),
  },
);

/** Whether a block manager of the executor is registered. */
export const IsExecutorAlive: RpcMessage<string, boolean> = defineMessage({
  type: "IsExecutorAlive",
  request: executorIdCodec(bm.master.IsExecutorAlive),
  reply: flagCodec,
});

/** Whether the executor holds any block that is not part of a broadcast. */
export const HasCachedBlocks: RpcMessage<string, boolean> = defineMessage({
  type: "HasCachedBlocks",
  request: executorIdCodec(bm.master.HasCachedBlocks),
  reply: flagCodec,
});

/** Where the executor's block manager takes orders; null when it is not registered. */
export const GetExecutorEndpointRef: RpcMessage<string, RpcEndpointAddress | null> = defineMessage({
  type: "GetExecutorEndpointRef",
  request: executorIdCodec(bm.master.GetExecutorEndpointRef),
  reply: endpointCodec,
});

/** Forgets the executor's block manager with all its blocks. Answers true. */
export const RemoveExecutor: RpcMessage<string, boolean> = defineMessage({
  type: "RemoveExecutor",
  request: executorIdCodec(bm.master.RemoveExecutor),
  reply: flagCodec,
});

/** Takes executors out of the peer lists. Answers true. */
export const DecommissionBlockManagers: RpcMessage<readonly string[], boolean> = defineMessage({
  type: "DecommissionBlockManagers",
  request: protobufCodec(bm.master.DecommissionBlockManagers, {
    toWire: (executorIds: readonly string[]) => ({ executorIds: [...executorIds] }),
    fromWire: (wire) => wire.executorIds,
  }),
  reply: flagCodec,
});

/** Whom a block manager may replicate to. */
export const GetPeers: RpcMessage<BlockManagerId, readonly BlockManagerId[]> = defineMessage({
  type: "GetPeers",
  request: protobufCodec(bm.master.GetPeers, {
    toWire: (id: BlockManagerId) => ({ blockManagerId: idToWire(id) }),
    fromWire: (wire) => idFromWire(wire.blockManagerId),
  }),
  reply: idsCodec,
});

/** Looks now for executors that were silent for too long, rather than when the next look is due. */
export const ExpireDeadHosts: RpcMessage<void, void> = defineMessage({ type: "ExpireDeadHosts" });

interface ExecutorIdType {
  encode(fields: { executorId: string }): { finish(): Uint8Array };
  decode(bytes: Uint8Array): { executorId?: string | null };
}

/** Of the messages whose only field is an executor id. */
function executorIdCodec(type: ExecutorIdType): MessageCodec<string> {
  return protobufCodec(type, {
    toWire: (executorId: string) => ({ executorId }),
    fromWire: (wire) => wire.executorId ?? "",
  });
}
