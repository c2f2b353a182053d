/** Reports of many blocks at once, in columns: a block costs a third of what it costs in a message alone. */
import { type BlockManagerId, StorageLevel } from "@bm/block";
import {
  defineMessage,
  type MessageCodec,
  protobufCodec,
  RpcError,
  type RpcMessage,
} from "@bm/rpc";
import { bm } from "../gen/master.js";
import { flagCodec } from "./answers.ts";
import type { BlockWithStatus } from "./status-messages.ts";
import { blockIdFromWire, idFromWire, idToWire } from "./values.ts";

/** What a block manager has of many blocks from now on. */
export interface BlockReport {
  readonly blockManagerId: BlockManagerId;
  readonly blocks: readonly BlockWithStatus[];
  /**
   * The block manager, which has registered again, has now reported everything: what it had before
   * and did not report since is gone.
   */
  readonly isLastOfAll: boolean;
}

const FLAG_BITS = 4;
const FLAGS_MASK = 15;

const reportCodec: MessageCodec<BlockReport> = protobufCodec(bm.master.ReportBlocks, {
  toWire: ({ blockManagerId, blocks, isLastOfAll }: BlockReport) => ({
    blockManagerId: idToWire(blockManagerId),
    blockIds: blocks.map(({ blockId }) => blockId.name),
    levels: blocks.map(({ status: { storageLevel } }) => {
      return storageLevel.flags | (storageLevel.replication << FLAG_BITS);
    }),
    memSizes: blocks.map(({ status }) => checkSize(status.memSize)),
    diskSizes: blocks.map(({ status }) => checkSize(status.diskSize)),
    isLastOfAll,
  }),
  fromWire: ({ blockManagerId, blockIds, levels, memSizes, diskSizes, isLastOfAll }) => {
    const columns = [levels, memSizes, diskSizes];
    if (!columns.every(({ length }) => length === blockIds.length)) throw odd(blockIds.length);
    const blocks = blockIds.map((name, row): BlockWithStatus => {
      const level = levels[row] ?? 0;
      const storageLevel = StorageLevel.fromFlags(level & FLAGS_MASK, level >> FLAG_BITS);
      const memSize = checkSize(memSizes[row] ?? 0);
      const diskSize = checkSize(diskSizes[row] ?? 0);
      return { blockId: blockIdFromWire(name), status: { storageLevel, memSize, diskSize } };
    });
    return { blockManagerId: idFromWire(blockManagerId), blocks, isLastOfAll };
  },
});

/** As many UpdateBlockInfo. Answers false when the block manager must register again. */
export const ReportBlocks: RpcMessage<BlockReport, boolean> = defineMessage({
  type: "ReportBlocks",
  request: reportCodec,
  reply: flagCodec,
});

function checkSize(size: number): number {
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw new RpcError("MESSAGE_MALFORMED", `${size} is no size`);
}

function odd(blocks: number): RpcError {
  return new RpcError(
    "MESSAGE_MALFORMED",
    `not one level and two sizes for each of ${blocks} blocks`,
  );
}
