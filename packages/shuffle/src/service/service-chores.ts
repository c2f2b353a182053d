/** What a service does now and then beside serving. */
import type { Logger, Platform } from "@bm/transport";
import { OrphanSweep } from "./cleanup/orphan-sweep.ts";
import type { ExecutorRegistry } from "./executor-registry.ts";
import { type EndedApplications, Expiry } from "./expiry.ts";
import type { MergedShuffleFileManager } from "./merge/merged-shuffle-file-manager.ts";
import { type DirectoryTree, nodeDirectoryTree } from "./platform/directory-tree.ts";
import type { ServiceConf } from "./service-conf.ts";
import { type CheckedStore, StoreWatch } from "./store-watch.ts";

/** What {@link startChores} needs. */
export interface ChoresOptions {
  /** Asked before each round: keys may have been read anew. */
  readonly conf: () => ServiceConf;
  readonly registry: ExecutorRegistry;
  readonly mergeManager: MergedShuffleFileManager;
  readonly platform: Platform;
  readonly logger: Logger;
  readonly roots: readonly string[];
  readonly endedApplications: EndedApplications | undefined;
  readonly directoryTree: DirectoryTree | undefined;
  /** Looked at now and then. */
  readonly stores: readonly CheckedStore[];
}

/** Each is to be closed. */
export interface Chores {
  readonly expiry: Expiry;
  readonly orphans: OrphanSweep;
  readonly storeWatch: StoreWatch;
}

/** Starts them. */
export function startChores(options: ChoresOptions): Chores {
  const { conf, endedApplications, logger, mergeManager, platform, registry, roots } = options;
  const { clock, files } = platform;
  const expiry = new Expiry({
    registry,
    clock,
    files,
    logger,
    intervalMs: () => conf().durationMs("bm.service.expiry.interval"),
    graceMs: () => conf().durationMs("bm.service.expiry.grace"),
    endedApplications,
    onApplicationGone: (appId) => mergeManager.applicationRemoved(appId, true),
  });
  const orphans = new OrphanSweep({
    tree: options.directoryTree ?? nodeDirectoryTree,
    roots,
    registry,
    clock,
    logger,
    intervalMs: () => conf().durationMs("bm.service.cleanup.interval"),
    policy: () => conf().orphanPolicy,
  });
  expiry.start();
  orphans.start();
  const storeWatch = new StoreWatch(options.stores, clock);
  storeWatch.start();
  return { expiry, orphans, storeWatch };
}
