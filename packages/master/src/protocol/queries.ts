/** Requests that the master takes and passes on to block managers in the same form. */
import type { BlockId, BlockIdKind } from "@bm/block";
import { int64FromWire, int64ToWire, type MessageCodec, protobufCodec } from "@bm/rpc";
import { bm } from "../gen/master.js";
import { type BlockIdFilter, blockIdFromWire } from "./values.ts";

/** A block, and whether block managers are asked or the master tells what it knows. */
export interface BlockStatusQuery {
  readonly blockId: BlockId;
  readonly askStorageEndpoints: boolean;
}

/** A filter, and whether block managers are asked or the master tells what it knows. */
export interface MatchingBlockIdsQuery {
  readonly filter: BlockIdFilter;
  readonly askStorageEndpoints: boolean;
}

/** A broadcast that is to go. */
export interface BroadcastRemoval {
  readonly broadcastId: bigint;
  /** False leaves the driver its copy. Chooses who is asked; a block manager ignores it. */
  readonly removeFromDriver: boolean;
}

/** Of GetBlockStatus. */
export const blockStatusQueryCodec: MessageCodec<BlockStatusQuery> = protobufCodec(
  bm.master.GetBlockStatus,
  {
    toWire: ({ blockId, askStorageEndpoints }: BlockStatusQuery) => ({
      blockId: blockId.name,
      askStorageEndpoints,
    }),
    fromWire: (wire) => ({
      blockId: blockIdFromWire(wire.blockId),
      askStorageEndpoints: wire.askStorageEndpoints,
    }),
  },
);

/** Of GetMatchingBlockIds. */
export const matchingBlockIdsQueryCodec: MessageCodec<MatchingBlockIdsQuery> = protobufCodec(
  bm.master.GetMatchingBlockIds,
  {
    toWire: ({ filter, askStorageEndpoints }: MatchingBlockIdsQuery) => ({
      filter: { kinds: [...(filter.kinds ?? [])], namePrefix: filter.namePrefix ?? "" },
      askStorageEndpoints,
    }),
    fromWire: ({ filter, askStorageEndpoints }) => ({
      filter: {
        kinds: (filter?.kinds ?? []) as BlockIdKind[],
        namePrefix: filter?.namePrefix ?? "",
      },
      askStorageEndpoints: askStorageEndpoints,
    }),
  },
);

/** Of RemoveRdd. */
export const rddIdCodec: MessageCodec<number> = protobufCodec(bm.master.RemoveRdd, {
  toWire: (rddId: number) => ({ rddId }),
  fromWire: (wire) => wire.rddId,
});

/** Of RemoveShuffle. */
export const shuffleIdCodec: MessageCodec<number> = protobufCodec(bm.master.RemoveShuffle, {
  toWire: (shuffleId: number) => ({ shuffleId }),
  fromWire: (wire) => wire.shuffleId,
});

/** Of RemoveBroadcast. */
export const broadcastRemovalCodec: MessageCodec<BroadcastRemoval> = protobufCodec(
  bm.master.RemoveBroadcast,
  {
    toWire: ({ broadcastId, removeFromDriver }: BroadcastRemoval) => ({
      broadcastId: int64ToWire(broadcastId),
      removeFromDriver,
    }),
    fromWire: (wire) => ({
      broadcastId: int64FromWire(wire.broadcastId),
      removeFromDriver: wire.removeFromDriver,
    }),
  },
);

/** Of RemoveBlock. */
export const blockIdCodec: MessageCodec<BlockId> = protobufCodec(bm.master.RemoveBlock, {
  toWire: (id: BlockId) => ({ blockId: id.name }),
  fromWire: (wire) => blockIdFromWire(wire.blockId),
});
