import {
  type BlockId,
  type ShuffleBlockBatchId,
  type ShuffleBlockChunkId,
  type ShuffleBlockId,
  tryParseBlockId,
} from "@bm/block";
import type {
  FetchShuffleBlockChunks,
  FetchShuffleBlocks,
  OpenBlocks,
} from "../protocol/block-transfer-message.ts";
import { ShuffleError } from "../shuffle-error.ts";

/** Who asks whom for what. */
export interface BlocksWanted {
  readonly appId: string;
  /** The executor that holds the blocks. */
  readonly execId: string;
  readonly blockIds: readonly string[];
  /** Ask by name also for shuffle blocks, as peers before Spark 3 need it. Default: false. */
  readonly useOldFetchProtocol?: boolean | undefined;
}

/** A request for blocks and what its answer will hold. */
export interface BlocksRequest {
  readonly message: OpenBlocks | FetchShuffleBlocks | FetchShuffleBlockChunks;
  /** Chunk i of the stream is block i of this list: the wanted ones, maybe in another order. */
  readonly blockIds: readonly string[];
}

/** Ids that belong to one map output or merged partition, and the numbers that tell them apart. */
interface Group<Key> {
  readonly key: Key;
  readonly numbers: number[];
  readonly blockIds: string[];
}

/**
 * The request that asks for `blockIds`: by numbers when all are blocks of one shuffle, by name
 * otherwise. Blocks of one map are asked for together, so the order of the chunks may differ.
 * @throws ShuffleError BLOCK_IDS_INVALID - none, or shuffle blocks of several shuffles or kinds.
 */
export function createBlocksRequest(wanted: BlocksWanted): BlocksRequest {
  const { appId, execId, blockIds } = wanted;
  const [first] = blockIds;
  if (first === undefined) throw new ShuffleError("BLOCK_IDS_INVALID", "Zero-sized blockIds array");
  const ids = wanted.useOldFetchProtocol ? [] : blockIds.map(tryParseBlockId);
  if (areAll(ids, isBatch)) return requestBatches(wanted, ids);
  if (areAll(ids, isSingle)) return requestSingles(wanted, ids);
  if (areAll(ids, isChunk)) return requestChunks(wanted, ids);
  if (areAll(ids, (id): id is BlockId => isSingle(id) || isBatch(id))) {
    throw new ShuffleError("BLOCK_IDS_INVALID", "single blocks and runs of blocks in one request");
  }
  return { message: { type: "OpenBlocks", appId, execId, blockIds }, blockIds };
}

function requestSingles(wanted: BlocksWanted, ids: readonly ShuffleBlockId[]): BlocksRequest {
  const shuffleId = commonShuffleId(ids);
  const groups = groupBy(wanted.blockIds, ids, (id) => [id.mapId, id.reduceId]);
  return {
    message: {
      type: "FetchShuffleBlocks",
      appId: wanted.appId,
      execId: wanted.execId,
      shuffleId,
      mapIds: groups.map(({ key }) => key),
      reduceIds: groups.map(({ numbers }) => numbers),
      batchFetchEnabled: false,
    },
    blockIds: groups.flatMap((group) => group.blockIds),
  };
}

/** Each run has an entry of its own: a server takes the first two numbers of an entry as its range. */
function requestBatches(wanted: BlocksWanted, ids: readonly ShuffleBlockBatchId[]): BlocksRequest {
  return {
    message: {
      type: "FetchShuffleBlocks",
      appId: wanted.appId,
      execId: wanted.execId,
      shuffleId: commonShuffleId(ids),
      mapIds: ids.map(({ mapId }) => mapId),
      reduceIds: ids.map(({ startReduceId, endReduceId }) => [startReduceId, endReduceId]),
      batchFetchEnabled: true,
    },
    blockIds: wanted.blockIds,
  };
}

function requestChunks(wanted: BlocksWanted, ids: readonly ShuffleBlockChunkId[]): BlocksRequest {
  const shuffleId = commonShuffleId(ids);
  const shuffleMergeId = ids[0]?.shuffleMergeId ?? 0;
  if (ids.some((id) => id.shuffleMergeId !== shuffleMergeId)) {
    throw new ShuffleError("BLOCK_IDS_INVALID", `chunks not all of merge ${shuffleMergeId}`);
  }
  const groups = groupBy(wanted.blockIds, ids, (id) => [id.reduceId, id.chunkId]);
  return {
    message: {
      type: "FetchShuffleBlockChunks",
      appId: wanted.appId,
      execId: wanted.execId,
      shuffleId,
      shuffleMergeId,
      reduceIds: groups.map(({ key }) => key),
      chunkIds: groups.map(({ numbers }) => numbers),
    },
    blockIds: groups.flatMap((group) => group.blockIds),
  };
}

/** Groups in the order in which their keys come first, each with its members in their order. */
function groupBy<Id, Key>(
  names: readonly string[],
  ids: readonly Id[],
  split: (id: Id) => readonly [Key, number],
): Group<Key>[] {
  const groups = new Map<Key, Group<Key>>();
  for (const [index, id] of ids.entries()) {
    const [key, number] = split(id);
    const group = groups.get(key) ?? { key, numbers: [], blockIds: [] };
    groups.set(key, group);
    group.numbers.push(number);
    group.blockIds.push(names[index] ?? "");
  }
  return [...groups.values()];
}

function commonShuffleId(
  ids: readonly { readonly shuffleId: number; readonly name: string }[],
): number {
  const shuffleId = ids[0]?.shuffleId ?? 0;
  const stranger = ids.find((id) => id.shuffleId !== shuffleId);
  if (stranger === undefined) return shuffleId;
  const text = `Expected shuffleId=${shuffleId}, got:${stranger.name}`;
  throw new ShuffleError("BLOCK_IDS_INVALID", text);
}

function areAll<Kind extends BlockId>(
  ids: readonly (BlockId | null)[],
  isKind: (id: BlockId) => id is Kind,
): ids is readonly Kind[] {
  return ids.length > 0 && ids.every((id) => id !== null && isKind(id));
}

function isSingle(id: BlockId): id is ShuffleBlockId {
  return id.kind === "shuffle";
}

function isBatch(id: BlockId): id is ShuffleBlockBatchId {
  return id.kind === "shuffleBatch";
}

function isChunk(id: BlockId): id is ShuffleBlockChunkId {
  return id.kind === "shuffleChunk";
}
