import type {
  BroadcastBlockId,
  CacheBlockId,
  PythonStreamBlockId,
  RddBlockId,
  StreamBlockId,
  TaskResultBlockId,
} from "./data-block-ids.ts";
import type {
  PythonWorkerLogBlockId,
  TempLocalBlockId,
  TempShuffleBlockId,
  TestBlockId,
  TestLogBlockId,
} from "./local-block-ids.ts";
import type {
  ShuffleBlockChunkId,
  ShuffleMergedBlockId,
  ShuffleMergedDataBlockId,
  ShuffleMergedIndexBlockId,
  ShuffleMergedMetaBlockId,
  ShufflePushBlockId,
} from "./merged-block-ids.ts";
import type {
  ShuffleBlockBatchId,
  ShuffleBlockId,
  ShuffleChecksumBlockId,
  ShuffleDataBlockId,
  ShuffleIndexBlockId,
} from "./shuffle-block-ids.ts";

/**
 * Names a block. `kind` tells the fields; `name` is the canonical text that stands on the wire, on
 * disk and in maps. Made by the factory of its kind or by `parseBlockId`.
 */
export type BlockId =
  | RddBlockId
  | ShuffleBlockId
  | ShuffleBlockBatchId
  | ShuffleBlockChunkId
  | ShuffleDataBlockId
  | ShuffleIndexBlockId
  | ShuffleChecksumBlockId
  | ShufflePushBlockId
  | ShuffleMergedBlockId
  | ShuffleMergedDataBlockId
  | ShuffleMergedIndexBlockId
  | ShuffleMergedMetaBlockId
  | BroadcastBlockId
  | TaskResultBlockId
  | StreamBlockId
  | PythonStreamBlockId
  | TempLocalBlockId
  | TempShuffleBlockId
  | TestBlockId
  | TestLogBlockId
  | PythonWorkerLogBlockId
  | CacheBlockId;

/** The 22 kinds of block. */
export type BlockIdKind = BlockId["kind"];

/** Whether the block is a cached partition. */
export function isRdd(id: BlockId): id is RddBlockId {
  return id.kind === "rdd";
}

/**
 * Whether the block is map output: a partition, a run of them, a data file or an index file. As in
 * Spark, checksum files and everything of push-based shuffle are not.
 */
export function isShuffle(
  id: BlockId,
): id is ShuffleBlockId | ShuffleBlockBatchId | ShuffleDataBlockId | ShuffleIndexBlockId {
  const { kind } = id;
  return (
    kind === "shuffle" ||
    kind === "shuffleBatch" ||
    kind === "shuffleData" ||
    kind === "shuffleIndex"
  );
}

/** Whether the block is a chunk of a merged partition. */
export function isShuffleChunk(id: BlockId): id is ShuffleBlockChunkId {
  return id.kind === "shuffleChunk";
}

/** Whether the block is a broadcast value or a part of one. */
export function isBroadcast(id: BlockId): id is BroadcastBlockId {
  return id.kind === "broadcast";
}

/** Whether the block holds lines of a log. */
export function isLog(id: BlockId): id is TestLogBlockId | PythonWorkerLogBlockId {
  return id.kind === "testLog" || id.kind === "pythonWorkerLog";
}

/** Whether two ids are of one kind with equal fields. A few odd names stand for more than one id. */
export function equalBlockIds(a: BlockId, b: BlockId): boolean {
  if (a === b) return true;
  if (a.kind !== b.kind || a.name !== b.name) return false;
  const fieldsOfB = new Map<string, unknown>(Object.entries(b));
  return Object.entries(a).every(([field, value]) => fieldsOfB.get(field) === value);
}
