/** The part of a service that every event loop has for itself: what answers peers and reads files. */
import {
  type Logger,
  type Platform,
  type ServerOptions,
  TransportContext,
  type TransportMetrics,
  type TransportServer,
} from "@bm/transport";
import { BlockTroubleLog } from "./block-trouble-log.ts";
import type { ExecutorRegistry } from "./executor-registry.ts";
import { ExternalBlockHandler } from "./external-block-handler.ts";
import { ExternalShuffleBlockResolver } from "./external-shuffle-block-resolver.ts";
import type { LocalDirsGuard } from "./local-dirs-guard.ts";
import type { MergedShuffleFileManager } from "./merge/merged-shuffle-file-manager.ts";
import type { ShuffleServiceMetrics } from "./metrics/shuffle-service-metrics.ts";
import { ApplicationQuotas } from "./quota/application-quotas.ts";
import type { ServiceConf } from "./service-conf.ts";

/** What {@link serveBlocks} puts together. */
export interface BlockServingOptions {
  readonly conf: ServiceConf;
  /** Event loops that serve: each has its share of the limits. */
  readonly loops: number;
  readonly platform: Platform;
  readonly logger: Logger;
  readonly metrics: ShuffleServiceMetrics;
  readonly guard: LocalDirsGuard;
  readonly registry: ExecutorRegistry;
  readonly mergeManager: MergedShuffleFileManager;
}

/** What answers peers in one event loop. */
export interface BlockServing {
  readonly resolver: ExternalShuffleBlockResolver;
  readonly quotas: ApplicationQuotas;
  readonly handler: ExternalBlockHandler;
  readonly transport: TransportMetrics;
  readonly server: TransportServer;
}

/** Data files of map outputs that all loops keep open. */
const OPEN_FILES_MAX = 1024;

/** Listens. @throws TransportError BIND_FAILED (rejects). */
export async function serveBlocks(
  options: BlockServingOptions,
  address: ServerOptions,
): Promise<BlockServing> {
  const { conf, guard, logger, loops, mergeManager, metrics, platform, registry } = options;
  const { files, random } = platform;
  const share = (whole: number): number => Math.ceil(whole / loops);
  const resolver = new ExternalShuffleBlockResolver({
    files,
    clock: platform.clock,
    openFilesMax: share(OPEN_FILES_MAX),
    registry,
    guard,
    indexCacheBytesMax: share(conf.bytes("spark.shuffle.service.index.cache.size")),
    lookupLimits: conf.lookupLimits(loops),
  });
  const quotas = new ApplicationQuotas(conf, loops);
  const handler = new ExternalBlockHandler({
    quotas,
    troubles: new BlockTroubleLog(logger, platform.clock),
    files,
    random,
    clock: platform.clock,
    logger,
    registry,
    guard,
    resolver,
    mergeManager,
    metrics,
    openReferenceBytesMax: share(conf.bytes("bm.service.openReferences.size")),
  });
  const context = new TransportContext({
    conf: conf.transport,
    rpcHandler: handler,
    platform,
    logger,
    closeIdleConnections: true,
  });
  const server = await context.createServer(address);
  return { resolver, quotas, handler, transport: context.metrics, server };
}

/** Takes the limits of another configuration, as far as something that runs can. */
export function configureServing(
  { handler, quotas, resolver }: BlockServing,
  conf: ServiceConf,
  loops: number,
): void {
  handler.references.setMax(Math.ceil(conf.bytes("bm.service.openReferences.size") / loops));
  resolver.lookups.setLimits(conf.lookupLimits(loops));
  quotas.configure(conf, loops);
}
