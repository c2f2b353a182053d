/**
 * Says which blocks could not be given, so that what befell a directory is seen in the log: one line for
 * each executor a minute, however many of its blocks are asked for.
 */
import type { Clock, Logger } from "@bm/transport";

const INTERVAL_MS = 60_000;
/** Executors that are told apart; whoever connects chooses their names. */
const EXECUTORS_MAX = 1000;

interface Executor {
  saidMs: number;
  /** Failures since then. */
  more: number;
}

/** See the file comment. */
export class FailedChunkLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #executors = new Map<string, Executor>();

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /** A reader asked for a block, by its name, and got a failure. */
  note(appId: string, execId: string, block: string, error: unknown): void {
    const key = JSON.stringify([appId, execId]);
    const known = this.#executors.get(key);
    const nowMs = this.#clock.nowMs();
    if (known !== undefined && nowMs - known.saidMs < INTERVAL_MS) {
      known.more += 1;
      return;
    }
    if (known === undefined && this.#executors.size >= EXECUTORS_MAX) this.#executors.clear();
    this.#executors.set(key, { saidMs: nowMs, more: 0 });
    const more = known === undefined || known.more === 0 ? "" : ` (and ${known.more} more before)`;
    const reason = error instanceof Error ? error.message : String(error);
    this.#logger.warn(`cannot give ${block} of ${appId}, executor ${execId}: ${reason}${more}`);
  }
}
