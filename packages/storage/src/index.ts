/** Stores for blocks, the block manager, and the sort shuffle on top of them. See README.md. */
export {
  BlockManager,
  type BlockManagerMetrics,
  type BlockManagerOptions,
  type PutOptions,
} from "./block-manager/block-manager.ts";
export { DiskBlockManager, type DiskBlockManagerOptions } from "./disk/disk-block-manager.ts";
export { DiskStore } from "./disk/disk-store.ts";
export { MemoryStore, type MemoryStoreOptions } from "./memory/memory-store.ts";
export { RecordReader } from "./serializer/record-reader.ts";
export { RecordWriter } from "./serializer/record-writer.ts";
export {
  bytesField,
  countField,
  doubleField,
  type Field,
  type Serializer,
  stringField,
} from "./serializer/serializer.ts";
export { readShuffleConf, type ShuffleConf } from "./shuffle/shuffle-conf.ts";
export {
  type Aggregator,
  hashPartitioner,
  type Partitioner,
  type ShuffleHandle,
  type ShuffleIdentity,
  sumAggregator,
} from "./shuffle/shuffle-handle.ts";
export { ShuffleManager, type ShuffleManagerOptions } from "./shuffle/shuffle-manager.ts";
export {
  ShuffleReader,
  type ShuffleReaderOptions,
  type ShuffleReadMetrics,
} from "./shuffle/shuffle-reader.ts";
export {
  type ShuffleWriteMetrics,
  SortShuffleWriter,
  type SortShuffleWriterOptions,
} from "./shuffle/sort-shuffle-writer.ts";
export {
  STORAGE_ERROR_CODES,
  StorageError,
  type StorageErrorCode,
  type StorageErrorOptions,
} from "./storage-error.ts";
