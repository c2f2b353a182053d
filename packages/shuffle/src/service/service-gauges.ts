import type { TransportMetrics } from "@bm/transport";
import type { ExternalBlockHandler } from "./external-block-handler.ts";
import type { ExternalShuffleBlockResolver } from "./external-shuffle-block-resolver.ts";
import type { ShuffleServiceMetrics } from "./metrics/shuffle-service-metrics.ts";

/** What a service has in its hands now. */
export interface ServiceGauges {
  /** Connections that are up. */
  readonly registeredConnections: number;
  readonly activeConnections: number;
  /** Bytes of pushed blocks that wait in memory. */
  readonly deferredBlockBytes: number;
  /** Streams with chunks that nobody has asked for yet. */
  readonly openStreams: number;
  readonly chunksBeingSent: number;
  /** Memory of opened blocks. */
  readonly openReferenceBytes: number;
  readonly indexCacheBytes: number;
  readonly indexCacheEntries: number;
  readonly indexCacheHits: number;
  readonly indexCacheMisses: number;
  /** Lookups that wait for their turn. */
  readonly lookupsWaiting: number;
}

/** What the gauges are read from. */
export interface GaugedParts {
  readonly handler: ExternalBlockHandler;
  readonly resolver: ExternalShuffleBlockResolver;
  readonly transport: TransportMetrics;
  readonly metrics: ShuffleServiceMetrics;
}

/** The gauges of one event loop. */
export function gaugesOf({ handler, metrics, resolver, transport }: GaugedParts): ServiceGauges {
  const { indexCache, lookups } = resolver;
  return {
    registeredConnections: transport.registeredConnections,
    activeConnections: metrics.numActiveConnections,
    deferredBlockBytes: metrics.deferredBlockBytes,
    openStreams: handler.streamManager.streamCount,
    chunksBeingSent: handler.streamManager.chunksBeingTransferred(),
    openReferenceBytes: handler.references.bytes,
    indexCacheBytes: indexCache.bytes,
    indexCacheEntries: indexCache.size,
    indexCacheHits: indexCache.hits,
    indexCacheMisses: indexCache.misses,
    lookupsWaiting: lookups.waiting,
  };
}

/** The gauges of several event loops together. */
export function sumOfGauges(all: readonly ServiceGauges[]): ServiceGauges {
  const sum: Record<string, number> = {};
  for (const gauges of all) {
    for (const [name, value] of Object.entries(gauges) as [string, number][]) {
      sum[name] = (sum[name] ?? 0) + value;
    }
  }
  return sum as unknown as ServiceGauges;
}
