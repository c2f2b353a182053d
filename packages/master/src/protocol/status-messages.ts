import type { BlockId, BlockManagerId, BlockStatus } from "@bm/block";
import {
  defineMessage,
  int64FromWire,
  int64ToWire,
  type MessageCodec,
  protobufCodec,
  type RpcMessage,
  sizeFromWire,
  sizeToWire,
} from "@bm/rpc";
import { bm } from "../gen/master.js";
import { blockIdsCodec } from "./answers.ts";
import {
  type BlockStatusQuery,
  blockStatusQueryCodec,
  type MatchingBlockIdsQuery,
  matchingBlockIdsQueryCodec,
} from "./queries.ts";
import { blockIdFromWire, idFromWire, idToWire, statusFromWire, statusToWire } from "./values.ts";

/** Memory of one block manager, in bytes. */
export interface MemoryStatus {
  readonly blockManagerId: BlockManagerId;
  readonly maxMem: number;
  /** What its blocks leave of it; negative when it reported more than it has. */
  readonly remainingMem: number;
}

/** A block with its status. */
export interface BlockWithStatus {
  readonly blockId: BlockId;
  readonly status: BlockStatus;
}

/** One block manager with everything that the master knows it holds. */
export interface StorageStatus {
  readonly blockManagerId: BlockManagerId;
  readonly maxOnHeapMem: number;
  readonly maxOffHeapMem: number;
  readonly blocks: readonly BlockWithStatus[];
}

/** What one block manager has of a block; null when it has nothing of it. */
export interface BlockStatusAt {
  readonly blockManagerId: BlockManagerId;
  readonly status: BlockStatus | null;
}

const memoryStatusesCodec: MessageCodec<readonly MemoryStatus[]> = protobufCodec(
  bm.master.MemoryStatus,
  {
    toWire: (statuses: readonly MemoryStatus[]) => ({
      entries: statuses.map(({ blockManagerId, maxMem, remainingMem }) => ({
        blockManagerId: idToWire(blockManagerId),
        maxMem: sizeToWire(maxMem),
        remainingMem: int64ToWire(BigInt(remainingMem)),
      })),
    }),
    fromWire: (wire) =>
      wire.entries.map((entry) => ({
        blockManagerId: idFromWire(entry.blockManagerId),
        maxMem: sizeFromWire(entry.maxMem),
        remainingMem: Number(int64FromWire(entry.remainingMem)),
      })),
  },
);

const storageStatusesCodec: MessageCodec<readonly StorageStatus[]> = protobufCodec(
  bm.master.StorageStatuses,
  {
    toWire: (statuses: readonly StorageStatus[]) => ({
      entries: statuses.map((entry) => ({
        blockManagerId: idToWire(entry.blockManagerId),
        maxOnHeapMem: sizeToWire(entry.maxOnHeapMem),
        maxOffHeapMem: sizeToWire(entry.maxOffHeapMem),
        blocks: entry.blocks.map(({ blockId, status }) => ({
          blockId: blockId.name,
          status: statusToWire(status),
        })),
      })),
    }),
    fromWire: (wire) =>
      wire.entries.map((entry) => ({
        blockManagerId: idFromWire(entry.blockManagerId),
        maxOnHeapMem: sizeFromWire(entry.maxOnHeapMem),
        maxOffHeapMem: sizeFromWire(entry.maxOffHeapMem),
        blocks: (entry.blocks ?? []).map(({ blockId, status }) => ({
          blockId: blockIdFromWire(blockId),
          status: statusFromWire(status),
        })),
      })),
  },
);

const blockStatusesCodec: MessageCodec<readonly BlockStatusAt[]> = protobufCodec(
  bm.master.BlockStatuses,
  {
    toWire: (statuses: readonly BlockStatusAt[]) => ({
      entries: statuses.map(({ blockManagerId, status }) => ({
        blockManagerId: idToWire(blockManagerId),
        status: status && statusToWire(status),
      })),
    }),
    fromWire: (wire) =>
      wire.entries.map(({ blockManagerId, status }) => ({
        blockManagerId: idFromWire(blockManagerId),
        status: status ? statusFromWire(status) : null,
      })),
  },
);

/** Memory of every registered block manager. */
export const GetMemoryStatus: RpcMessage<void, readonly MemoryStatus[]> = defineMessage({
  type: "GetMemoryStatus",
  reply: memoryStatusesCodec,
});

/** Everything that the master knows of every block manager. */
export const GetStorageStatus: RpcMessage<void, readonly StorageStatus[]> = defineMessage({
  type: "GetStorageStatus",
  reply: storageStatusesCodec,
});

/** What every block manager has of a block. */
export const GetBlockStatus: RpcMessage<BlockStatusQuery, readonly BlockStatusAt[]> = defineMessage(
  {
    type: "GetBlockStatus",
    request: blockStatusQueryCodec,
    reply: blockStatusesCodec,
  },
);

/** Blocks that match a filter; one that several hold stands there several times. */
export const GetMatchingBlockIds: RpcMessage<MatchingBlockIdsQuery, readonly BlockId[]> =
  defineMessage({
    type: "GetMatchingBlockIds",
    request: matchingBlockIdsQueryCodec,
    reply: blockIdsCodec,
  });
