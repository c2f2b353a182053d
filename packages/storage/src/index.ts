/** Stores for blocks, the block manager, and the sort shuffle on top of them. See README.md. */
export { BlockManager } from "./block-manager/block-manager.ts";
export type {
  BlockManagerMetrics,
  BlockManagerOptions,
  PutOptions,
} from "./block-manager/block-manager-options.ts";
export type { MigrationProgress } from "./block-manager/decommission/migration-progress.ts";
export type { RddPartition } from "./block-manager/rdd-cache.ts";
export {
  basicReplicationPolicy,
  type PeerChoice,
  type ReplicationPolicy,
  randomReplicationPolicy,
} from "./block-manager/replication/replication-policy.ts";
export {
  type DecommissionConf,
  readStorageConf,
  type StorageConf,
} from "./block-manager/storage-conf.ts";
export { BytesBroadcast, type BytesBroadcastOptions } from "./broadcast/bytes-broadcast.ts";
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
