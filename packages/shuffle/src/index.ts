/** Block transfer between executors and shuffle files, wire compatible with Spark. See README.md. */
export type { CorruptBlock } from "./client/block-questions.ts";
export {
  ExternalShuffleClient,
  type ExternalShuffleClientOptions,
} from "./client/external-shuffle-client.ts";
export { DownloadFiles, type DownloadFilesOptions } from "./download/download-files.ts";
export type { BlockFetchClient, MergedPartition } from "./fetch/block-fetch-client.ts";
export { BlockFetcherIterator } from "./fetch/block-fetcher-iterator.ts";
export type {
  BlockFetcherIteratorOptions,
  FetchedBlock,
} from "./fetch/block-fetcher-options.ts";
export type { FetchOptions } from "./fetch/block-fetches.ts";
export type { BlockFetchingListener } from "./fetch/block-fetching-listener.ts";
export type { BlocksWanted } from "./fetch/blocks-request.ts";
export type { DiagnosisClient } from "./fetch/corrupt-blocks.ts";
export type { LocalDirsClient } from "./fetch/executor-dirs.ts";
export { FetchMemory } from "./fetch/fetch-memory.ts";
export type { BlocksByLocation, BlockToFetch } from "./fetch/fetch-requests.ts";
export { HostLocalBlocks, type HostLocalBlocksOptions } from "./fetch/host-local-blocks.ts";
export {
  OneForOneBlockFetcher,
  type OneForOneBlockFetcherOptions,
} from "./fetch/one-for-one-block-fetcher.ts";
export { type RetryCause, retryCauseOf } from "./fetch/retry-cause.ts";
export {
  RetryingBlockFetcher,
  type RetryingBlockFetcherOptions,
  type StartFetch,
} from "./fetch/retrying-block-fetcher.ts";
export { type DiagnosedMapOutput, diagnoseMapOutput } from "./files/diagnose-map-output.ts";
export {
  type CommittedMapOutput,
  IndexShuffleBlockResolver,
  type IndexShuffleBlockResolverOptions,
  type MapOutputToCommit,
} from "./files/index-shuffle-block-resolver.ts";
export type { MergedMeta } from "./files/read-merged-block.ts";
export {
  readShuffleSegment,
  ShuffleIndexFile,
  type ShuffleSegment,
} from "./files/shuffle-index-file.ts";
export { FetchHedging, type FetchHedgingOptions } from "./hedging/fetch-hedging.ts";
export type { FetchPlace, HedgingRules } from "./hedging/hedged-fetch.ts";
export {
  HostLocalMergedBlocks,
  type HostLocalMergedBlocksOptions,
} from "./merged/host-local-merged-blocks.ts";
export type {
  MergedMaps,
  PushMergedFigures,
  PushMergedOptions,
  PushMergedPartition,
} from "./merged/push-merged-options.ts";
export {
  BLOCK_PUSH_RETURN_CODES,
  type BlockPushReturnCode,
  type BlockPushReturnCodeName,
  type BlocksRemoved,
  type BlockTransferMessage,
  type BlockTransferMessageName,
  BlockTransferMessageType,
  CORRUPTION_CAUSES,
  type CorruptionCause,
  type CorruptionCauseName,
  type DiagnoseCorruption,
  type ExecutorShuffleInfo,
  type FetchShuffleBlockChunks,
  type FetchShuffleBlocks,
  type FinalizeShuffleMerge,
  type GetLocalDirsForExecutors,
  type LocalDirsForExecutors,
  type MergeStatuses,
  type OpenBlocks,
  type PushBlockStream,
  type RegisterExecutor,
  type RemoveBlocks,
  type RemoveShuffleMerge,
  type StreamHandle,
  type UploadBlock,
  type UploadBlockStream,
} from "./protocol/block-transfer-message.ts";
export { decodeBlockTransferMessage } from "./protocol/decode-message.ts";
export { encodeBlockTransferMessage } from "./protocol/encode-message.ts";
export { roaringBitmapBytes, roaringBitmapValues } from "./protocol/roaring-bitmap.ts";
export {
  decodeUploadMetadata,
  encodeUploadMetadata,
  type ScalaVersion,
  type UploadMetadata,
} from "./protocol/upload-metadata.ts";
export type { BlockPushingListener } from "./push/block-pushing-listener.ts";
export {
  OneForOneBlockPusher,
  type OneForOneBlockPusherOptions,
} from "./push/one-for-one-block-pusher.ts";
export type { PushedMapOutput } from "./push/push-requests.ts";
export {
  type MapOutputToPush,
  type PushClient,
  type PushOutcome,
  ShuffleBlockPusher,
  type ShuffleBlockPusherOptions,
} from "./push/shuffle-block-pusher.ts";
export type { BlockDataManager } from "./server/block-data-manager.ts";
export {
  NettyBlockRpcServer,
  type NettyBlockRpcServerOptions,
} from "./server/netty-block-rpc-server.ts";
export {
  cleanOrphans,
  type Orphan,
  type OrphanCleaning,
  type OrphanPolicy,
} from "./service/cleanup/clean-orphans.ts";
export { describeOrphan } from "./service/cleanup/describe-orphan.ts";
export type { OrphanKind } from "./service/cleanup/orphan-shapes.ts";
export {
  type ExecutorChange,
  type ExecutorStore,
  forgetfulStore,
  type RegisteredExecutor,
} from "./service/executor-store.ts";
export type { EndedApplications } from "./service/expiry.ts";
export {
  ExternalShuffleService,
  type ExternalShuffleServiceOptions,
  type ReloadedKeys,
  type ShuffleServiceParts,
} from "./service/external-shuffle-service.ts";
export { LevelExecutorStore } from "./service/level-executor-store.ts";
export { LevelRows, type LevelRowsOptions } from "./service/level-rows.ts";
export { mergedChunkMapId } from "./service/merge/merged-chunk-map-id.ts";
export type { MeterSnapshot } from "./service/metrics/meter.ts";
export { ShuffleServiceMetrics } from "./service/metrics/shuffle-service-metrics.ts";
export type { TimerSnapshot } from "./service/metrics/timer.ts";
export {
  type DirectoryTree,
  nodeDirectoryTree,
  type TreeNode,
} from "./service/platform/directory-tree.ts";
export { forgetfulRows, type Row, type RowChange, type RowStore } from "./service/row-store.ts";
export { ServiceConf } from "./service/service-conf.ts";
export { SERVICE_KEYS, type ServiceKey } from "./service/service-keys.ts";
export {
  type FetchCulprit,
  SHUFFLE_ERROR_CODES,
  ShuffleError,
  type ShuffleErrorCode,
  type ShuffleErrorOptions,
} from "./shuffle-error.ts";
export {
  NettyBlockTransferService,
  type NettyBlockTransferServiceOptions,
} from "./transfer/netty-block-transfer-service.ts";
