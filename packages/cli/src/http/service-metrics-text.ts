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
  readonly #service: ExternalShuffleService;

  constructor(service: ExternalShuffleService) {
    this.#service = service;
    const registry = this.#registry;
    collectDefaultMetrics({ register: registry });
    for (const name of METERS) addMeter(registry, name, () => service.metrics[name].snapshot());
    for (const name of TIMERS) addTimer(registry, name, () => service.metrics[name].snapshot());
    addSparkGauges(registry, service);
    addOurs(registry, service);
    addQuotas(registry, service);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    await this.#service.collect();
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

function addSparkGauges(registry: Registry, service: ExternalShuffleService): void {
  const { metrics, parts } = service;
  const add = (name: string, help: string, read: () => number): void =>
    addGauge(registry, `${SPARK_PREFIX}${name}`, help, read);
  const memory = (): Readonly<Record<string, number>> => parts.transport.snapshot();
  add(
    "blockTransferAvgSize_1min_Value",
    "bytes of a chunk over the last minute",
    () => metrics.blockTransferAvgSizeOneMinute,
  );
  add("registeredExecutorsSize_Value", "executors", () => parts.registry.size);
  add("numActiveConnections_Count", "connections", () => service.gauges.activeConnections);
  add("numRegisteredConnections_Count", "connections", () => service.gauges.registeredConnections);
  add("numCaughtExceptions_Count", "exceptions", () => metrics.numCaughtExceptions);
  add("deferredBlockBytes_Count", "bytes that wait", () => service.gauges.deferredBlockBytes);
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

function addQuotas(registry: Registry, service: ExternalShuffleService): void {
  registry.registerMetric(
    new Gauge({
      name: "bm_shuffle_quota_waiting",
      help: "What waits because its application has too much at once, by quota.",
      labelNames: ["quota"],
      registers: [],
      collect() {
        const { lookupsWaiting, sendingWaiting, streamsWaiting } = service.gauges;
        this.set({ quota: "lookups" }, lookupsWaiting);
        this.set({ quota: "sending" }, sendingWaiting);
        this.set({ quota: "streams" }, streamsWaiting);
      },
    }),
  );
  registry.registerMetric(
    new Counter({
      name: "bm_shuffle_quota_waits_total",
      help: "What had to wait so far, by quota.",
      labelNames: ["quota"],
      registers: [],
      collect() {
        const { lookupWaits, sendingWaits, streamWaits } = service.gauges;
        this.reset();
        this.inc({ quota: "lookups" }, lookupWaits);
        this.inc({ quota: "sending" }, sendingWaits);
        this.inc({ quota: "streams" }, streamWaits);
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: "bm_shuffle_application_sending_bytes",
      help: "Bytes being sent under the quota, of the twenty applications with the most.",
      labelNames: ["application"],
      registers: [],
      collect() {
        this.reset();
        for (const [application, bytes] of service.gauges.sendingBytes) {
          this.set({ application }, bytes);
        }
      },
    }),
  );
}

/** Name, help and value. */
type Figure = readonly [string, string, () => number];

function gaugesOf(service: ExternalShuffleService): Figure[] {
  const { orphans, registry } = service.parts;
  return [
    [
      "bm_shuffle_applications",
      "Applications with executors.",
      () => registry.applicationIds.length,
    ],
    ["bm_shuffle_open_streams", "Streams with chunks left.", () => service.gauges.openStreams],
    ["bm_shuffle_chunks_being_sent", "Chunks on their way.", () => service.gauges.chunksBeingSent],
    [
      "bm_shuffle_open_reference_bytes",
      "Memory of opened blocks.",
      () => service.gauges.openReferenceBytes,
    ],
    ["bm_shuffle_index_cache_bytes", "Memory of indexes.", () => service.gauges.indexCacheBytes],
    ["bm_shuffle_index_cache_entries", "Indexes kept.", () => service.gauges.indexCacheEntries],
    ["bm_shuffle_lookups_waiting", "Lookups that wait.", () => service.gauges.lookupsWaiting],
    ["bm_shuffle_event_loops", "Event loops that serve.", () => service.loopCount],
    ["bm_shuffle_orphans", "Orphans that the last search left.", () => orphans.left.count],
    ["bm_shuffle_orphan_bytes", "Their size.", () => orphans.left.bytes],
  ];
}

function countersOf(service: ExternalShuffleService): Figure[] {
  const { metrics, parts } = service;
  const { expiry, orphans } = parts;
  return [
    [
      "bm_shuffle_index_cache_hits_total",
      "Lookups that read no index.",
      () => service.gauges.indexCacheHits,
    ],
    [
      "bm_shuffle_index_cache_misses_total",
      "Lookups that read one.",
      () => service.gauges.indexCacheMisses,
    ],
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
