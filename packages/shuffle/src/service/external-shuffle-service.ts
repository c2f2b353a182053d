/**
 * The external shuffle service: serves the shuffle files that executors leave on this machine, also
 * when these executors are gone. Speaks the protocol of Spark's own.
 */
import {
  type Logger,
  nodePlatform,
  type Platform,
  type ServerBootstrap,
  sharesPorts,
  silentLogger,
  type TransportMetrics,
  type TransportServer,
} from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";
import { configureServing, serveBlocks } from "./block-serving.ts";
import type { OrphanSweep } from "./cleanup/orphan-sweep.ts";
import { ExecutorRegistry } from "./executor-registry.ts";
import { type ExecutorStore, forgetfulStore } from "./executor-store.ts";
import type { EndedApplications, Expiry } from "./expiry.ts";
import type { ExternalBlockHandler } from "./external-block-handler.ts";
import type { ExternalShuffleBlockResolver } from "./external-shuffle-block-resolver.ts";
import { LocalDirsGuard } from "./local-dirs-guard.ts";
import { ReplicatingStore } from "./loops/replicating-store.ts";
import { ServiceLoops } from "./loops/service-loops.ts";
import { createMergeManager } from "./merge/create-merge-manager.ts";
import type { MergedShuffleFileManager } from "./merge/merged-shuffle-file-manager.ts";
import { ShuffleServiceMetrics } from "./metrics/shuffle-service-metrics.ts";
import type { DirectoryTree } from "./platform/directory-tree.ts";
import { nodeRealPath, type RealPath } from "./platform/real-path.ts";
import type { ApplicationQuotas } from "./quota/application-quotas.ts";
import type { RowStore } from "./row-store.ts";
import { startChores } from "./service-chores.ts";
import { ServiceConf } from "./service-conf.ts";
import { gaugesOf, type ServiceGauges, sumOfGauges } from "./service-gauges.ts";
import type { StoreWatch } from "./store-watch.ts";

/** Options of {@link ExternalShuffleService}. */
export interface ExternalShuffleServiceOptions {
  /** By Spark's names; see SERVICE_KEYS. Default: every default. */
  readonly conf?: Readonly<Record<string, string>> | undefined;
  /** Default: `spark.shuffle.service.port`. 0 takes a free one. */
  readonly port?: number | undefined;
  /** Address to bind. Default: every interface, as executors on other machines fetch from here. */
  readonly host?: string | undefined;
  /** Directories under which executors may write. Default: none, and any directory is accepted. */
  readonly roots?: readonly string[] | undefined;
  /** Where registrations are kept; taken over and closed. Default: nowhere. */
  readonly store?: ExecutorStore | undefined;
  /**
   * Where is kept what was merged, when `spark.shuffle.push.server.mergedShuffleFileManagerImpl` says
   * that pushed blocks are merged; taken over and closed. Default: nowhere.
   */
  readonly mergeStore?: RowStore | undefined;
  /** Asked now and then which applications have ended. Default: none is known to. */
  readonly endedApplications?: EndedApplications | undefined;
  /**
   * Run on each accepted connection before anything else: authentication has its place here. They
   * cannot travel to other event loops, so `bm.service.threads` has to be 1.
   */
  readonly bootstraps?: readonly ServerBootstrap[] | undefined;
  /** Default: the real machine. */
  readonly platform?: Platform | undefined;
  /** Resolves symbolic links. Default: on the real machine. */
  readonly realPath?: RealPath | undefined;
  /** Where orphans are looked for. Default: the real disks. */
  readonly directoryTree?: DirectoryTree | undefined;
  /** Default: says nothing. */
  readonly logger?: Logger | undefined;
}

/** What a service is made of, for whoever watches it. */
export interface ShuffleServiceParts {
  readonly registry: ExecutorRegistry;
  readonly resolver: ExternalShuffleBlockResolver;
  readonly quotas: ApplicationQuotas;
  readonly handler: ExternalBlockHandler;
  readonly expiry: Expiry;
  readonly orphans: OrphanSweep;
  readonly storeWatch: StoreWatch;
  readonly transport: TransportMetrics;
  readonly server: TransportServer;
  /** The other event loops; null when there is this one only. */
  readonly loops: ServiceLoops | null;
}

/** Keys whose values differ after {@link ExternalShuffleService.reload}. */
export interface ReloadedKeys {
  /** In force from now on. */
  readonly applied: readonly string[];
  /** In force when the service starts again. */
  readonly postponed: readonly string[];
}

/** See the file comment. Made by `start`. */
export class ExternalShuffleService {
  readonly metrics: ShuffleServiceMetrics;
  readonly parts: ShuffleServiceParts;
  readonly #live: LiveConf;
  readonly #platform: Platform;
  readonly #mergeManager: MergedShuffleFileManager;
  #closing: Promise<void> | null = null;

  private constructor(
    live: LiveConf,
    metrics: ShuffleServiceMetrics,
    parts: ShuffleServiceParts,
    platform: Platform,
    mergeManager: MergedShuffleFileManager,
  ) {
    this.#live = live;
    this.metrics = metrics;
    this.parts = parts;
    this.#platform = platform;
    this.#mergeManager = mergeManager;
  }

  /**
   * Reads what the store kept, then listens.
   * @throws ShuffleError OPTION_INVALID for a value that is refused; TransportError OPTION_INVALID,
   *   BIND_FAILED; what the store throws (rejects). The store is closed then.
   */
  static async start(options: ExternalShuffleServiceOptions = {}): Promise<ExternalShuffleService> {
    const store = new ReplicatingStore(options.store ?? forgetfulStore);
    try {
      return await startService(options, store, (...parts) => new ExternalShuffleService(...parts));
    } catch (error) {
      await store.close();
      await options.mergeStore?.close();
      throw error;
    }
  }

  /** What is in force. */
  get conf(): ServiceConf {
    return this.#live.conf;
  }

  /**
   * Takes other values for the keys that are reloadable in SERVICE_KEYS; all others keep theirs.
   * @throws ShuffleError, TransportError OPTION_INVALID: nothing has changed.
   */
  reload(values: Readonly<Record<string, string>>): ReloadedKeys {
    refuseSecurity(new ServiceConf(values), this.#live.bootstraps);
    const { applied, conf, postponed } = this.#live.conf.reloaded(values);
    this.#live.conf = conf;
    configureServing(this.parts, conf, this.#live.loops);
    this.parts.loops?.reconfigure(conf.values);
    return { applied, postponed };
  }

  /** Event loops that serve now. */
  get loopCount(): number {
    return 1 + (this.parts.loops?.count ?? 0);
  }

  /** What all event loops have in their hands; of the others, as of the last `collect`. */
  get gauges(): ServiceGauges {
    const own = gaugesOf({ ...this.parts, metrics: this.metrics });
    return sumOfGauges([own, ...(this.parts.loops?.gauges ?? [])]);
  }

  /** Brings `metrics` and `gauges` up to date with what other event loops did. Never rejects. */
  async collect(): Promise<void> {
    await this.parts.loops?.collect();
  }

  /** The port that is listened on. */
  get port(): number {
    return this.parts.server.port;
  }

  /**
   * Stops accepting, lets requests in progress be answered for at most `bm.service.drain.timeout`,
   * then closes connections and the store. Safe to call twice.
   */
  close(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#closing ??= this.#close(options.signal);
    return this.#closing;
  }

  /** Closes every connection now, then the store. Safe to call twice. */
  abort(reason: Error): void {
    this.parts.server.abort(reason);
    void this.parts.loops?.abort(reason);
    void this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(signal: AbortSignal | undefined): Promise<void> {
    const limit = new AbortController();
    const drainMs = this.conf.durationMs("bm.service.drain.timeout");
    const timer = this.#platform.clock.setTimer(drainMs, () => limit.abort());
    signal?.addEventListener("abort", () => limit.abort(), { once: true });
    if (signal?.aborted) limit.abort();
    const { loops, server } = this.parts;
    await Promise.all([server.close(limit), loops?.close(limit)]);
    timer.cancel();
    await this.parts.expiry.close();
    await this.parts.orphans.close();
    await this.parts.storeWatch.close();
    await this.#mergeManager.close();
    await this.parts.registry.close();
  }
}

/** Shared with whoever looks again each time. */
interface LiveConf {
  conf: ServiceConf;
  /** Event loops that share its limits. */
  readonly loops: number;
  readonly bootstraps: readonly ServerBootstrap[];
}

type Make = (
  live: LiveConf,
  metrics: ShuffleServiceMetrics,
  parts: ShuffleServiceParts,
  platform: Platform,
  mergeManager: MergedShuffleFileManager,
) => ExternalShuffleService;

async function startService(
  options: ExternalShuffleServiceOptions,
  store: ReplicatingStore,
  make: Make,
): Promise<ExternalShuffleService> {
  const { logger = silentLogger } = options;
  const platform = options.platform ?? nodePlatform();
  const conf = new ServiceConf(options.conf);
  conf.check();
  refuseSecurity(conf, options.bootstraps ?? []);
  const metrics = new ShuffleServiceMetrics(platform.clock);
  const executorsMax = conf.count("bm.service.registeredExecutors.max");
  const registry = await ExecutorRegistry.open({ store, executorsMax });
  const guard = new LocalDirsGuard({
    roots: options.roots ?? [],
    realPath: options.realPath ?? nodeRealPath,
    verifyAtRead: conf.boolean("spark.shuffle.service.verifyBlockPathsAtRead"),
  });
  const mergeManager = await createMergeManager(conf, {
    files: platform.files,
    guard,
    metrics,
    logger,
    store: options.mergeStore,
  });
  const { bootstraps, host } = options;
  const port = options.port ?? conf.count("spark.shuffle.service.port");
  const count = await loopCount(conf, { host, port }, { platform, logger });
  const serving = await serveBlocks(
    { conf, loops: count, platform, logger, metrics, guard, registry, mergeManager },
    { host, port, bootstraps, reusePort: count > 1 },
  );
  const data = { conf: options.conf ?? {}, loops: count, roots: options.roots ?? [] };
  const shared = { registry, store, mergeManager, metrics, logger };
  const address = { host, port: serving.server.port };
  const loops =
    count === 1
      ? null
      : await ServiceLoops.start({ ...shared, ...address, count: count - 1, data }).catch(
          async (error: unknown) => {
            await serving.server.close({ signal: AbortSignal.abort() });
            throw error;
          },
        );
  const live: LiveConf = { conf, loops: count, bootstraps: bootstraps ?? [] };
  const chores = startChores({
    conf: () => live.conf,
    registry,
    mergeManager,
    platform,
    logger,
    roots: options.roots ?? [],
    endedApplications: options.endedApplications,
    directoryTree: options.directoryTree,
    stores: options.mergeStore === undefined ? [store] : [store, options.mergeStore],
  });
  const parts = { registry, ...serving, ...chores, loops };
  return make(live, metrics, parts, platform, mergeManager);
}

/** How many event loops are to serve: as many as were asked for, or one where ports cannot be shared. */
async function loopCount(
  conf: ServiceConf,
  address: { readonly host: string | undefined; readonly port: number },
  { logger, platform }: { readonly logger: Logger; readonly platform: Platform },
): Promise<number> {
  const wanted = conf.threads;
  if (wanted === 1 || (await sharesPorts(platform.network, address))) return wanted;
  logger.info("this system cannot share a port between event loops: one serves alone");
  return 1;
}

/** Serving in clear what was to be protected would be worse than not serving. */
function refuseSecurity(conf: ServiceConf, bootstraps: readonly ServerBootstrap[]): void {
  if (conf.boolean("spark.authenticate") && bootstraps.length === 0) {
    const text =
      "spark.authenticate=true: authentication is not built yet, and nothing is served in clear instead";
    throw new ShuffleError("OPTION_INVALID", text);
  }
  if (conf.threads > 1 && bootstraps.length > 0) {
    const text = "bm.service.threads: bootstraps run in one event loop only";
    throw new ShuffleError("OPTION_INVALID", text);
  }
  if (conf.transport.sslRpcEnabled) {
    const text =
      "spark.ssl.rpc.enabled=true: TLS is not built yet, and nothing is served in clear instead";
    throw new ShuffleError("OPTION_INVALID", text);
  }
}
