/** Blocks of push-based shuffle: pushed by map tasks, merged by a shuffle service, read in chunks. */
import { checkInt } from "../java/java-integers.ts";

/** A block on its way to a merger: `shufflePush_<shuffleId>_<shuffleMergeId>_<mapIndex>_<reduceId>`. */
export interface ShufflePushBlockId {
  readonly kind: "shufflePush";
  readonly name: string;
  readonly shuffleId: number;
  readonly shuffleMergeId: number;
  /** Index of the map task in its stage, not the task's id. */
  readonly mapIndex: number;
  readonly reduceId: number;
}

/** A merged partition: `shuffleMerged_<shuffleId>_<shuffleMergeId>_<reduceId>`. */
export interface ShuffleMergedBlockId {
  readonly kind: "shuffleMerged";
  readonly name: string;
  readonly shuffleId: number;
  readonly shuffleMergeId: number;
  readonly reduceId: number;
}

/** One chunk of it: `shuffleChunk_<shuffleId>_<shuffleMergeId>_<reduceId>_<chunkId>`. */
export interface ShuffleBlockChunkId {
  readonly kind: "shuffleChunk";
  readonly name: string;
  readonly shuffleId: number;
  readonly shuffleMergeId: number;
  readonly reduceId: number;
  readonly chunkId: number;
}

interface MergedFileFields {
  readonly name: string;
  /** Application id. With a character other than letters, digits and `_` the name does not parse. */
  readonly appId: string;
  readonly shuffleId: number;
  readonly shuffleMergeId: number;
  readonly reduceId: number;
}

/** A merger's data file: `shuffleMerged_<appId>_<shuffleId>_<shuffleMergeId>_<reduceId>.data`. */
export interface ShuffleMergedDataBlockId extends MergedFileFields {
  readonly kind: "shuffleMergedData";
}

/** A merger's index file, with the suffix `.index`. */
export interface ShuffleMergedIndexBlockId extends MergedFileFields {
  readonly kind: "shuffleMergedIndex";
}

/** A merger's file of chunk bitmaps, with the suffix `.meta`. */
export interface ShuffleMergedMetaBlockId extends MergedFileFields {
  readonly kind: "shuffleMergedMeta";
}

/** Names a pushed block. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function shufflePushBlockId(
  shuffleId: number,
  shuffleMergeId: number,
  mapIndex: number,
  reduceId: number,
): ShufflePushBlockId {
  return {
    kind: "shufflePush",
    name: `shufflePush_${checkInt(shuffleId)}_${checkInt(shuffleMergeId)}_${checkInt(mapIndex)}_${checkInt(reduceId)}`,
    shuffleId,
    shuffleMergeId,
    mapIndex,
    reduceId,
  };
}

/** Names a merged partition. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function shuffleMergedBlockId(
  shuffleId: number,
  shuffleMergeId: number,
  reduceId: number,
): ShuffleMergedBlockId {
  return {
    kind: "shuffleMerged",
    name: `shuffleMerged_${checkInt(shuffleId)}_${checkInt(shuffleMergeId)}_${checkInt(reduceId)}`,
    shuffleId,
    shuffleMergeId,
    reduceId,
  };
}

/** Names a chunk of a merged partition. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function shuffleBlockChunkId(
  shuffleId: number,
  shuffleMergeId: number,
  reduceId: number,
  chunkId: number,
): ShuffleBlockChunkId {
  return {
    kind: "shuffleChunk",
    name: `shuffleChunk_${checkInt(shuffleId)}_${checkInt(shuffleMergeId)}_${checkInt(reduceId)}_${checkInt(chunkId)}`,
    shuffleId,
    shuffleMergeId,
    reduceId,
    chunkId,
  };
}

/** Names a merger's data file. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function shuffleMergedDataBlockId(
  appId: string,
  shuffleId: number,
  shuffleMergeId: number,
  reduceId: number,
): ShuffleMergedDataBlockId {
  const fields = mergedFile(appId, shuffleId, shuffleMergeId, reduceId, ".data");
  return { kind: "shuffleMergedData", ...fields };
}

/** Names a merger's index file. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function shuffleMergedIndexBlockId(
  appId: string,
  shuffleId: number,
  shuffleMergeId: number,
  reduceId: number,
): ShuffleMergedIndexBlockId {
  const fields = mergedFile(appId, shuffleId, shuffleMergeId, reduceId, ".index");
  return { kind: "shuffleMergedIndex", ...fields };
}

/** Names a merger's file of chunk bitmaps. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function shuffleMergedMetaBlockId(
  appId: string,
  shuffleId: number,
  shuffleMergeId: number,
  reduceId: number,
): ShuffleMergedMetaBlockId {
  const fields = mergedFile(appId, shuffleId, shuffleMergeId, reduceId, ".meta");
  return { kind: "shuffleMergedMeta", ...fields };
}

function mergedFile(
  appId: string,
  shuffleId: number,
  shuffleMergeId: number,
  reduceId: number,
  suffix: string,
): MergedFileFields {
  const numbers = `${checkInt(shuffleId)}_${checkInt(shuffleMergeId)}_${checkInt(reduceId)}`;
  const name = `shuffleMerged_${appId}_${numbers}${suffix}`;
  return { name, appId, shuffleId, shuffleMergeId, reduceId };
}
