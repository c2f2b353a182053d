/**
 * The figures of a service as Prometheus text: Spark's under the names that its own servlet for
 * Prometheus gives them, so that dashboards carry over, and ours beside them.
 */
import type { ExternalShuffleService, MeterSnapshot, TimerSnapshot } from "@bm/shuffle";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";

/** Spark: instance `shuffleService`, source `shuffleService`. */
const SPARK_PREFIX = "metrics_shuffleService_";

const METERS = [
  "blockTransferRate",
  "blockTransferMessageRate",
  "blockTransferRateBytes",
  "blockAppendCollisions",
  "lateBlockPushes",
  "blockBytesWritten",
  "deferredBlocks",
  "staleBlockPushes",
  "ignoredBlockBytes",
] as const;

const TIMERS = [
  "openBlockRequestLatencyMillis",
  "registerExecutorRequestLatencyMillis",
  "fetchMergedBlocksMetaLatencyMillis",
  "finalizeShuffleMergeLatencyMillis",
] as const;

/** See the file comment. Values are read when text is asked for. */
export class ServiceMetricsText {
  readonly #registry = new Registry();

  constructor(service: ExternalShuffleService) {
    const registry = this.#registry;
    collectDefaultMetrics({ register: registry });
    for (const name of METERS) addMeter(registry, name, () => service.metrics[name].snapshot());
    for (const name of TIMERS) addTimer(registry, name, () => service.metrics[name].snapshot());
    addSparkGauges(registry, service);
    addOurs(registry, service);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

function addMeter(registry: Registry, name: string, read: () => MeterSnapshot): void {
  const prefix = `${SPARK_PREFIX}${name}_`;
  addGauge(registry, `${prefix}Count`, `${name}, total`, () => read().count);
  addGauge(registry, `${prefix}MeanRate`, `${name}, a second`, () => read().meanRate);
  addGauge(registry, `${prefix}OneMinuteRate`, `${name}, a second`, () => read().oneMinuteRate);
  addGauge(registry, `${prefix}FiveMinuteRate`, `${name}, a second`, () => read().fiveMinuteRate);
  const fifteen = (): number => read().fifteenMinuteRate;
  addGauge(registry, `${prefix}FifteenMinuteRate`, `${name}, a second`, fifteen);
}

function addTimer(registry: Registry, name: string, read: () => TimerSnapshot): void {
  const prefix = `${SPARK_PREFIX}${name}_`;
  addGauge(registry, `${prefix}Count`, `${name}, total`, () => read().count);
  addGauge(registry, `${prefix}Min`, `${name}, milliseconds`, () => read().minMs);
  addGauge(registry, `${prefix}Mean`, `${name}, milliseconds`, () => read().meanMs);
  addGauge(registry, `${prefix}Max`, `${name}, milliseconds`, () => read().maxMs);
  addGauge(registry, `${prefix}50thPercentile`, `${name}, milliseconds`, () => read().p50Ms);
  addGauge(registry, `${prefix}75thPercentile`, `${name}, milliseconds`, () => read().p75Ms);
  addGauge(registry, `${prefix}95thPercentile`, `${name}, milliseconds`, () => read().p95Ms);
  addGauge(registry, `${prefix}98thPercentile`, `${name}, milliseconds`, () => read().p98Ms);
  addGauge(registry, `${prefix}99thPercentile`, `${name}, milliseconds`, () => read().p99Ms);
  addGauge(registry, `${prefix}999thPercentile`, `${name}, milliseconds`, () => read().p999Ms);
}

function addSparkGauges(registry: Registry, { metrics, parts }: ExternalShuffleService): void {
  const add = (name: string, help: string, read: () => number): void =>
    addGauge(registry, `${SPARK_PREFIX}${name}`, help, read);
  const memory = (): Readonly<Record<string, number>> => parts.transport.snapshot();
  add(
    "blockTransferAvgSize_1min_Value",
    "bytes of a chunk over the last minute",
    () => metrics.blockTransferAvgSizeOneMinute,
  );
  add("registeredExecutorsSize_Value", "executors", () => parts.registry.size);
  add("numActiveConnections_Count", "connections", () => metrics.numActiveConnections);
  add("numRegisteredConnections_Count", "connections", () => parts.transport.registeredConnections);
  add("numCaughtExceptions_Count", "exceptions", () => metrics.numCaughtExceptions);
  add("deferredBlockBytes_Count", "bytes that wait in memory", () => metrics.deferredBlockBytes);
  add(
    "shuffle_server_usedHeapMemory_Value",
    "bytes",
    () => memory()["shuffle-server.usedHeapMemory"] ?? 0,
  );
  add(
    "shuffle_server_usedDirectMemory_Value",
    "bytes",
    () => memory()["shuffle-server.usedDirectMemory"] ?? 0,
  );
}

function addOurs(registry: Registry, service: ExternalShuffleService): void {
  for (const [name, help, read] of gaugesOf(service)) addGauge(registry, name, help, read);
  for (const [name, help, read] of countersOf(service)) addCounter(registry, name, help, read);
  const { diagnosedCorruption } = service.metrics;
  registry.registerMetric(
    new Gauge({
      name: "bm_shuffle_corruption_diagnoses",
      help: "Answers to readers of corrupt blocks, by cause.",
      labelNames: ["cause"],
      registers: [],
      collect() {
        for (const [cause, count] of diagnosedCorruption) this.set({ cause }, count);
      },
    }),
  );
}

/** Name, help and value. */
type Figure = readonly [string, string, () => number];

function gaugesOf({ parts }: ExternalShuffleService): Figure[] {
  const { handler, orphans, registry, resolver } = parts;
  const { indexCache, lookups } = resolver;
  const { references, streamManager } = handler;
  return [
    [
      "bm_shuffle_applications",
      "Applications with executors.",
      () => registry.applicationIds.length,
    ],
    ["bm_shuffle_open_streams", "Streams with chunks left.", () => streamManager.streamCount],
    [
      "bm_shuffle_chunks_being_sent",
      "Chunks on their way.",
      () => streamManager.chunksBeingTransferred(),
    ],
    ["bm_shuffle_open_reference_bytes", "Memory of opened blocks.", () => references.bytes],
    ["bm_shuffle_index_cache_bytes", "Memory of indexes.", () => indexCache.bytes],
    ["bm_shuffle_index_cache_entries", "Indexes in memory.", () => indexCache.size],
    ["bm_shuffle_lookups_waiting", "Lookups that wait for a turn.", () => lookups.waiting],
    ["bm_shuffle_orphans", "Orphans that the last search left.", () => orphans.left.count],
    ["bm_shuffle_orphan_bytes", "Their size.", () => orphans.left.bytes],
  ];
}

function countersOf({ metrics, parts }: ExternalShuffleService): Figure[] {
  const { expiry, orphans, resolver } = parts;
  const { indexCache } = resolver;
  return [
    ["bm_shuffle_index_cache_hits_total", "Lookups that read no index.", () => indexCache.hits],
    ["bm_shuffle_index_cache_misses_total", "Lookups that read one.", () => indexCache.misses],
    ["bm_shuffle_refused_requests_total", "Requests that failed.", () => metrics.refusedRequests],
    ["bm_shuffle_failed_chunks_total", "Chunks that failed.", () => metrics.failedChunks],
    [
      "bm_shuffle_corrupt_merged_chunks_total",
      "Merged chunks that were not served.",
      () => metrics.corruptMergedChunks,
    ],
    ["bm_shuffle_expired_executors_total", "Executors forgotten.", () => expiry.expired],
    ["bm_shuffle_orphans_deleted_total", "Orphans deleted.", () => orphans.deleted.count],
    ["bm_shuffle_orphan_bytes_deleted_total", "Their size.", () => orphans.deleted.bytes],
    ["bm_shuffle_orphan_failures_total", "Orphans not deleted.", () => orphans.failed],
  ];
}

function addGauge(registry: Registry, name: string, help: string, read: () => number): void {
  const collect = function (this: Gauge): void {
    this.set(read());
  };
  registry.registerMetric(new Gauge({ name, help, registers: [], collect }));
}

function addCounter(registry: Registry, name: string, help: string, read: () => number): void {
  const collect = function (this: Counter): void {
    this.reset();
    this.inc(read());
  };
  registry.registerMetric(new Counter({ name, help, registers: [], collect }));
}
