/**
 * Looks for orphans now and then beside a running service; see clean-orphans.ts. Unless its policy says
 * that they are deleted, each is logged once and left alone.
 */
import type { Clock, Logger, Timer } from "@bm/transport";
import type { ExecutorRegistry } from "../executor-registry.ts";
import type { DirectoryTree } from "../platform/directory-tree.ts";
import { cleanOrphans, type Orphan, type OrphanPolicy } from "./clean-orphans.ts";
import { describeOrphan } from "./describe-orphan.ts";

/** Options of {@link OrphanSweep}. */
export interface OrphanSweepOptions {
  readonly tree: DirectoryTree;
  readonly roots: readonly string[];
  readonly registry: ExecutorRegistry;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Between two looks, asked before each; 0 never looks. */
  readonly intervalMs: () => number;
  /** Asked before each look. */
  readonly policy: () => OrphanPolicy;
}

/** While looking is switched off: how often it is asked whether it still is. */
const OFF_INTERVAL_MS = 60_000;
/** Paths that were logged; one beyond may be logged again. */
const REPORTED_MAX = 10_000;

/** See the file comment. */
export class OrphanSweep {
  readonly #options: OrphanSweepOptions;
  #timer: Timer | null = null;
  #round: Promise<void> | null = null;
  readonly #closing = new AbortController();
  #reported = new Set<string>();
  #left = { count: 0, bytes: 0 };
  #deleted = { count: 0, bytes: 0 };
  #failed = 0;

  constructor(options: OrphanSweepOptions) {
    this.#options = options;
  }

  /** Orphans that the last look left where they are. */
  get left(): { readonly count: number; readonly bytes: number } {
    return this.#left;
  }

  /** Orphans that were deleted so far. */
  get deleted(): { readonly count: number; readonly bytes: number } {
    return this.#deleted;
  }

  /** Orphans that could not be deleted, each time counted. */
  get failed(): number {
    return this.#failed;
  }

  /** Looks every `intervalMs` from now on; never when there are no roots. */
  start(): void {
    const { clock, intervalMs, roots } = this.#options;
    if (this.#closing.signal.aborted || roots.length === 0) return;
    const delayMs = intervalMs();
    const next = (): void => {
      const look = delayMs === 0 ? Promise.resolve() : this.runOnce();
      void look.then(() => this.start());
    };
    this.#timer = clock.setTimer(delayMs === 0 ? OFF_INTERVAL_MS : delayMs, next, { unref: true });
  }

  /** Looks now, or joins the look that is under way. Never rejects. */
  async runOnce(): Promise<void> {
    this.#round ??= this.#run().finally(() => {
      this.#round = null;
    });
    await this.#round;
  }

  /** Waits for the orphan that is being deleted. Safe to call twice. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#timer?.cancel();
    await this.#round;
  }

  async #run(): Promise<void> {
    const { clock, logger, policy, roots, tree } = this.#options;
    const left: Orphan[] = [];
    try {
      await cleanOrphans({
        tree,
        roots,
        ownedDirectories: () => this.#ownedDirectories(),
        nowMs: () => clock.wallTimeMs(),
        policy: policy(),
        onOrphan: (orphan) => {
          this.#note(orphan);
          if (orphan.outcome !== "deleted" && orphan.outcome !== "spared") left.push(orphan);
        },
        onUnreadable: (path, error) =>
          logger.debug(`looking for orphans in ${path}: ${String(error)}`),
        signal: this.#closing.signal,
      });
      const bytes = left.reduce((sum, orphan) => sum + orphan.bytes, 0);
      this.#left = { count: left.length, bytes };
      // What is gone may come again, under the same name even.
      this.#reported = new Set(left.slice(0, REPORTED_MAX).map(({ path }) => path));
    } catch (error) {
      logger.error(`looking for orphans: ${String(error)}`);
    }
  }

  *#ownedDirectories(): Generator<string> {
    const { registry } = this.#options;
    for (const appId of registry.applicationIds) {
      for (const { localDirs } of registry.executorsOf(appId).values()) yield* localDirs;
    }
  }

  #note(orphan: Orphan): void {
    const { logger } = this.#options;
    const { bytes, outcome, path } = orphan;
    if (outcome === "deleted") {
      this.#deleted = { count: this.#deleted.count + 1, bytes: this.#deleted.bytes + bytes };
      logger.info(describeOrphan(orphan));
    } else if (outcome === "failed") {
      this.#failed += 1;
      logger.warn(describeOrphan(orphan));
    } else if (!this.#reported.has(path)) logger.info(describeOrphan(orphan));
  }
}
