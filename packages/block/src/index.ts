export { BLOCK_ERROR_CODES, BlockError, type BlockErrorCode } from "./block-error.ts";
export {
  type BlockId,
  type BlockIdKind,
  equalBlockIds,
  isBroadcast,
  isLog,
  isRdd,
  isShuffle,
  isShuffleChunk,
} from "./block-id/block-id.ts";
export {
  type BroadcastBlockId,
  broadcastBlockId,
  type CacheBlockId,
  cacheBlockId,
  type PythonStreamBlockId,
  pythonStreamBlockId,
  type RddBlockId,
  rddBlockId,
  type StreamBlockId,
  streamBlockId,
  type TaskResultBlockId,
  taskResultBlockId,
} from "./block-id/data-block-ids.ts";
export {
  type PythonWorkerLogBlockId,
  pythonWorkerLogBlockId,
  type TempLocalBlockId,
  type TempShuffleBlockId,
  type TestBlockId,
  type TestLogBlockId,
  tempLocalBlockId,
  tempShuffleBlockId,
  testBlockId,
  testLogBlockId,
} from "./block-id/local-block-ids.ts";
export {
  type ShuffleBlockChunkId,
  type ShuffleMergedBlockId,
  type ShuffleMergedDataBlockId,
  type ShuffleMergedIndexBlockId,
  type ShuffleMergedMetaBlockId,
  type ShufflePushBlockId,
  shuffleBlockChunkId,
  shuffleMergedBlockId,
  shuffleMergedDataBlockId,
  shuffleMergedIndexBlockId,
  shuffleMergedMetaBlockId,
  shufflePushBlockId,
} from "./block-id/merged-block-ids.ts";
export { parseBlockId, tryParseBlockId } from "./block-id/parse-block-id.ts";
export {
  type ShuffleBlockBatchId,
  type ShuffleBlockId,
  type ShuffleChecksumBlockId,
  type ShuffleDataBlockId,
  type ShuffleIndexBlockId,
  shuffleBlockBatchId,
  shuffleBlockId,
  shuffleChecksumBlockId,
  shuffleDataBlockId,
  shuffleIndexBlockId,
} from "./block-id/shuffle-block-ids.ts";
export {
  BlockManagerId,
  DRIVER_EXECUTOR_ID,
  FALLBACK_EXECUTOR_ID,
  INVALID_EXECUTOR_ID,
  SHUFFLE_MERGER_EXECUTOR_ID,
} from "./identity/block-manager-id.ts";
export { type BlockStatus, EMPTY_BLOCK_STATUS, isCached } from "./identity/block-status.ts";
export { javaStringHash } from "./java/java-string-hash.ts";
export { javaUtfLength, readJavaUtf, writeJavaUtf } from "./java/java-utf.ts";
export { type LocalFilePath, localFilePath } from "./local-dirs/local-file-path.ts";
export {
  STORAGE_LEVEL_BYTES,
  StorageLevel,
  type StorageLevelName,
  type StorageLevelProperties,
} from "./storage-level/storage-level.ts";
