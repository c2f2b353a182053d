/**
 * Forgets executors that are over. Nobody tells a service outside of Spark's worker that an
 * application has ended, so it looks for itself:
 *
 *     every directory of an executor is gone, for the whole grace    the executor is forgotten
 *     the application is said to have ended                          all its executors are
 *
 * Files are not touched: the worker deletes the directories of an application, and OrphanSweep finds
 * what it did not.
 */
import type { Clock, Files, Logger, Timer } from "@bm/transport";
import type { ExecutorShuffleInfo } from "../protocol/block-transfer-message.ts";
import type { ExecutorRegistry } from "./executor-registry.ts";

/** Gives the applications that have ended, of those that are asked for. */
export type EndedApplications = (appIds: readonly string[]) => Promise<Iterable<string>>;

/** Options of {@link Expiry}. */
export interface ExpiryOptions {
  readonly registry: ExecutorRegistry;
  readonly clock: Clock;
  readonly files: Files;
  readonly logger: Logger;
  /** Between two looks; asked before each. */
  readonly intervalMs: () => number;
  /** How long directories must be gone; asked at each look. */
  readonly graceMs: () => number;
  /** Default: none is known to have ended. */
  readonly endedApplications?: EndedApplications | undefined;
  /** Called for each application of which nothing is left. */
  readonly onApplicationGone?: ((appId: string) => Promise<void>) | undefined;
}

interface Missing {
  readonly info: ExecutorShuffleInfo;
  readonly sinceMs: number;
}

/** See the file comment. */
export class Expiry {
  readonly #options: ExpiryOptions;
  /** Executors without directories, by application and executor id. */
  #missing = new Map<string, Missing>();
  #timer: Timer | null = null;
  #round: Promise<void> | null = null;
  #expired = 0;
  #isClosed = false;

  constructor(options: ExpiryOptions) {
    this.#options = options;
  }

  /** Executors that were forgotten. */
  get expired(): number {
    return this.#expired;
  }

  /** Looks every `intervalMs` from now on. */
  start(): void {
    if (this.#isClosed) return;
    const { clock, intervalMs } = this.#options;
    const next = (): void => void this.runOnce().then(() => this.start());
    this.#timer = clock.setTimer(intervalMs(), next, { unref: true });
  }

  /** Looks now, or joins the look that is under way. Never rejects. */
  async runOnce(): Promise<void> {
    this.#round ??= this.#run().finally(() => {
      this.#round = null;
    });
    await this.#round;
  }

  /** Waits for a look that is under way. Safe to call twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#round;
  }

  async #run(): Promise<void> {
    const { logger } = this.#options;
    const report = (error: unknown): void =>
      logger.error(`looking for executors that are over: ${String(error)}`);
    await this.#forgetEnded().catch(report);
    await this.#forgetMissing().catch(report);
  }

  async #forgetEnded(): Promise<void> {
    const { endedApplications, logger, registry } = this.#options;
    if (endedApplications === undefined || registry.size === 0) return;
    const known = new Set(registry.applicationIds);
    for (const appId of await endedApplications([...known])) {
      if (!known.has(appId)) continue;
      const executors = await registry.removeApplication(appId);
      this.#expired += executors.length;
      logger.info(`application ${appId} has ended: ${executors.length} executors are forgotten`);
      await this.#options.onApplicationGone?.(appId);
    }
  }

  async #forgetMissing(): Promise<void> {
    const { clock, logger, registry } = this.#options;
    const graceMs = this.#options.graceMs();
    const missing = new Map<string, Missing>();
    for (const appId of registry.applicationIds) {
      for (const [execId, info] of registry.executorsOf(appId)) {
        if (this.#isClosed) return;
        if (await this.#hasDirectory(info)) continue;
        const key = JSON.stringify([appId, execId]);
        const before = this.#missing.get(key);
        const sinceMs = before?.info === info ? before.sinceMs : clock.nowMs();
        missing.set(key, { info, sinceMs });
        if (clock.nowMs() - sinceMs < graceMs) continue;
        if (!(await registry.removeUnchanged(appId, execId, info))) continue;
        missing.delete(key);
        this.#expired += 1;
        logger.info(`executor ${execId} of ${appId} is forgotten: its directories are gone`);
        if (registry.executorsOf(appId).size === 0) await this.#options.onApplicationGone?.(appId);
      }
    }
    this.#missing = missing;
  }

  async #hasDirectory({ localDirs }: ExecutorShuffleInfo): Promise<boolean> {
    for (const dir of localDirs) {
      // A disk that cannot be asked may come back: only a clear no counts.
      const stat = await this.#options.files.stat(dir).catch(() => "unknown");
      if (stat !== null) return true;
    }
    return false;
  }
}
