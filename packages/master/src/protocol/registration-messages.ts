import type { BlockId, BlockManagerId, StorageLevel } from "@bm/block";
import {
  defineMessage,
  endpointAddressFromWire,
  endpointAddressToWire,
  type MessageCodec,
  protobufCodec,
  type RpcEndpointAddress,
  type RpcMessage,
  sizeFromWire,
  sizeToWire,
} from "@bm/rpc";
import { bm } from "../gen/master.js";
import { flagCodec, idCodec } from "./answers.ts";
import { blockIdFromWire, idFromWire, idToWire, levelFromWire, levelToWire } from "./values.ts";

/** A block manager that wants to be known. */
export interface BlockManagerRegistration {
  /** Without topology: the master adds it. */
  readonly blockManagerId: BlockManagerId;
  /** Where its files are, in the order that places blocks. */
  readonly localDirs: readonly string[];
  /** Bytes it can ever store on heap and off heap. */
  readonly maxOnHeapMemSize: number;
  readonly maxOffHeapMemSize: number;
  /** Where it takes orders. */
  readonly slaveEndpoint: RpcEndpointAddress;
  /** It was registered before and found that the master forgot it. */
  readonly isReRegister: boolean;
}

/** What a block manager has of one block from now on. */
export interface BlockUpdate {
  readonly blockManagerId: BlockManagerId;
  readonly blockId: BlockId;
  /** Invalid (`isValid` false) when the block is gone. */
  readonly storageLevel: StorageLevel;
  readonly memSize: number;
  readonly diskSize: number;
}

const registrationCodec: MessageCodec<BlockManagerRegistration> = protobufCodec(
  bm.master.RegisterBlockManager,
  {
    toWire: (registration: BlockManagerRegistration) => ({
      blockManagerId: idToWire(registration.blockManagerId),
      localDirs: [...registration.localDirs],
      maxOnHeapMemSize: sizeToWire(registration.maxOnHeapMemSize),
      maxOffHeapMemSize: sizeToWire(registration.maxOffHeapMemSize),
      slaveEndpoint: endpointAddressToWire(registration.slaveEndpoint),
      isReRegister: registration.isReRegister,
    }),
    fromWire: (wire) => ({
      blockManagerId: idFromWire(wire.blockManagerId),
      localDirs: wire.localDirs,
      maxOnHeapMemSize: sizeFromWire(wire.maxOnHeapMemSize),
      maxOffHeapMemSize: sizeFromWire(wire.maxOffHeapMemSize),
      slaveEndpoint: endpointAddressFromWire(wire.slaveEndpoint),
      isReRegister: wire.isReRegister,
    }),
  },
);

const updateCodec: MessageCodec<BlockUpdate> = protobufCodec(bm.master.UpdateBlockInfo, {
  toWire: (update: BlockUpdate) => ({
    blockManagerId: idToWire(update.blockManagerId),
    blockId: update.blockId.name,
    storageLevel: levelToWire(update.storageLevel),
    memSize: sizeToWire(update.memSize),
    diskSize: sizeToWire(update.diskSize),
  }),
  fromWire: (wire) => ({
    blockManagerId: idFromWire(wire.blockManagerId),
    blockId: blockIdFromWire(wire.blockId),
    storageLevel: levelFromWire(wire.storageLevel),
    memSize: sizeFromWire(wire.memSize),
    diskSize: sizeFromWire(wire.diskSize),
  }),
});

/** Answers the id with topology, or one of executor `invalid`. */
export const RegisterBlockManager: RpcMessage<BlockManagerRegistration, BlockManagerId> =
  defineMessage({ type: "RegisterBlockManager", request: registrationCodec, reply: idCodec });

/** Answers false when the block manager must register again. */
export const UpdateBlockInfo: RpcMessage<BlockUpdate, boolean> = defineMessage({
  type: "UpdateBlockInfo",
  request: updateCodec,
  reply: flagCodec,
});

/** Answers false when the block manager must register again. */
export const BlockManagerHeartbeat: RpcMessage<BlockManagerId, boolean> = defineMessage({
  type: "BlockManagerHeartbeat",
  request: protobufCodec(bm.master.BlockManagerHeartbeat, {
    toWire: (id: BlockManagerId) => ({ blockManagerId: idToWire(id) }),
    fromWire: (wire) => idFromWire(wire.blockManagerId),
  }),
  reply: flagCodec,
});

/** Answers true, then the endpoint stops. */
export const StopBlockManagerMaster: RpcMessage<void, boolean> = defineMessage({
  type: "StopBlockManagerMaster",
  reply: flagCodec,
});
