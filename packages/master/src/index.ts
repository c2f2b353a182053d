/** Who has which block: the driver's master and tracker, their clients, and block managers' endpoint. */
export {
  BlockManagerMaster,
  type BlockManagerMasterOptions,
} from "./client/block-manager-master.ts";
export {
  BlockManagerMasterEndpoint,
  type BlockManagerMasterEndpointOptions,
} from "./endpoint/block-manager-master-endpoint.ts";
export {
  HEARTBEAT_RECEIVER_ENDPOINT_NAME,
  MASTER_ENDPOINT_NAME,
  MASTER_HEARTBEAT_ENDPOINT_NAME,
} from "./endpoint/endpoint-names.ts";
export type { MovedOutputs } from "./endpoint/master-state.ts";
export type { PushMergerOptions } from "./endpoint/push-mergers.ts";
export type { IsExecutorAlive } from "./endpoint/slave-orders.ts";
export { ListenerBus, type ListenerBusOptions } from "./events/listener-bus.ts";
export type { BusListener, ListenerState } from "./events/listener-queue.ts";
export type {
  BlockManagerAdded,
  BlockManagerRemoved,
  BlockUpdated,
  ExecutorExpired,
  MasterEvent,
  MasterListener,
} from "./events/master-event.ts";
export type { HeartbeatLimits } from "./heartbeat/heartbeat-monitor.ts";
export {
  type JournalState,
  MasterJournal,
  type MasterJournalOptions,
} from "./journal/master-journal.ts";
export type { RowChange, RowStore } from "./journal/row-store.ts";
export type { BlockTotals } from "./locations/block-totals.ts";
export {
  MASTER_ERROR_CODES,
  MasterError,
  type MasterErrorCode,
  type MasterErrorOptions,
} from "./master-error.ts";
export {
  type ExecutorHeartbeat,
  Heartbeat,
  type HeartbeatResponse,
} from "./protocol/heartbeat-messages.ts";
export type { LocationsAndStatus } from "./protocol/location-messages.ts";
export type { BlockManagerRegistration, BlockUpdate } from "./protocol/registration-messages.ts";
export type { ReplicationOrder } from "./protocol/replicate-block.ts";
export type { BlockReport } from "./protocol/report-messages.ts";
export {
  DecommissionBlockManager,
  MarkRDDBlockAsVisible,
  ReplicateBlock,
  TriggerHeapHistogram,
  TriggerThreadDump,
} from "./protocol/slave-messages.ts";
export type {
  ManagerSnapshot,
  MasterSnapshot,
  RddSnapshot,
  ShuffleSnapshot,
  TrackerSnapshot,
} from "./protocol/snapshot-messages.ts";
export type {
  BlockStatusAt,
  BlockWithStatus,
  MemoryStatus,
  StorageStatus,
} from "./protocol/status-messages.ts";
export { StopMapOutputTracker } from "./protocol/tracker-messages.ts";
export { type BlockIdFilter, matchesFilter } from "./protocol/values.ts";
export {
  BlockManagerSlaveEndpoint,
  type BlockManagerSlaveEndpointOptions,
} from "./slave/block-manager-slave-endpoint.ts";
export type { BlockOwner } from "./slave/block-owner.ts";
export {
  FileBasedTopologyMapper,
  type FileBasedTopologyMapperOptions,
} from "./topology/file-based-topology-mapper.ts";
export { defaultTopologyMapper, type TopologyMapper } from "./topology/topology-mapper.ts";
export { type BlockSizes, CompressedSizes, HighlyCompressedSizes } from "./tracker/block-sizes.ts";
export type { CompressionLimits } from "./tracker/compression-limits.ts";
export type { MapOutputRegistry, MapSizesOptions } from "./tracker/map-output-registry.ts";
export { MapOutputTracker, type MapOutputTrackerOptions } from "./tracker/map-output-tracker.ts";
export {
  MapOutputTrackerMaster,
  type MapOutputTrackerMasterOptions,
} from "./tracker/map-output-tracker-master.ts";
export {
  MAP_OUTPUT_TRACKER_ENDPOINT_NAME,
  MapOutputTrackerMasterEndpoint,
} from "./tracker/map-output-tracker-master-endpoint.ts";
export { MapStatus, type MapStatusFields } from "./tracker/map-status.ts";
export { MergeStatus, type MergeStatusFields } from "./tracker/merge-status.ts";
export { deserializeStatuses, serializeStatuses } from "./tracker/serialized-statuses.ts";
export type {
  BlocksAtLocation,
  ShuffleBlockInfo,
  ShuffleOutputs,
} from "./tracker/shuffle-outputs.ts";
export { decodeSize, encodeSize } from "./tracker/size-code.ts";
export type { StatusesBroadcast } from "./tracker/statuses-broadcast.ts";
