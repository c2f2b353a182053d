import type { TransportMetrics } from "@bm/transport";
import type { ExternalBlockHandler } from "./external-block-handler.ts";
import type { ExternalShuffleBlockResolver } from "./external-shuffle-block-resolver.ts";
import type { ShuffleServiceMetrics } from "./metrics/shuffle-service-metrics.ts";
import type { ApplicationQuotas } from "./quota/application-quotas.ts";

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
  /** Lookups that had to wait so far. */
  readonly lookupWaits: number;
  /** Chunks that wait because their application has too many bytes on their way, and how many had to. */
  readonly sendingWaiting: number;
  readonly sendingWaits: number;
  /** Streams that wait because their application has too many open, and how many had to. */
  readonly streamsWaiting: number;
  readonly streamWaits: number;
  /** Bytes on their way, of the applications with the most, the most first. */
  readonly sendingBytes: readonly SendingBytes[];
}

/** An application, and its bytes on their way. */
export type SendingBytes = readonly [appId: string, bytes: number];

/** What the gauges are read from. */
export interface GaugedParts {
  readonly handler: ExternalBlockHandler;
  readonly resolver: ExternalShuffleBlockResolver;
  readonly quotas: ApplicationQuotas;
  readonly transport: TransportMetrics;
  readonly metrics: ShuffleServiceMetrics;
}

/** The gauges of one event loop. */
export function gaugesOf(parts: GaugedParts): ServiceGauges {
  const { handler, metrics, quotas, resolver, transport } = parts;
  const { indexCache, lookups } = resolver;
  const { sending, streams } = quotas;
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
    lookupWaits: lookups.waits,
    sendingWaiting: sending.waiting,
    sendingWaits: sending.waits,
    streamsWaiting: streams.waiting,
    streamWaits: streams.waits,
    sendingBytes: mostOf(sending.held()),
  };
}

/** The gauges of several event loops together. */
export function sumOfGauges(all: readonly ServiceGauges[]): ServiceGauges {
  const sum: Record<string, number> = {};
  for (const gauges of all) {
    for (const [name, value] of Object.entries(gauges) as [string, unknown][]) {
      if (typeof value === "number") sum[name] = (sum[name] ?? 0) + value;
    }
  }
  const sendingBytes = new Map<string, number>();
  for (const [appId, bytes] of all.flatMap((gauges) => gauges.sendingBytes)) {
    sendingBytes.set(appId, (sendingBytes.get(appId) ?? 0) + bytes);
  }
  return { ...sum, sendingBytes: mostOf(sendingBytes) } as unknown as ServiceGauges;
}

/** Whoever connects chooses the ids: only so many are shown. */
const APPLICATIONS_MAX = 20;

function mostOf(all: Iterable<SendingBytes>): SendingBytes[] {
  return [...all].toSorted((a, b) => b[1] - a[1]).slice(0, APPLICATIONS_MAX);
}
