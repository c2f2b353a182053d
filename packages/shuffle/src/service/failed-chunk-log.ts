/**
 * Says which blocks could not be given, so that what befell a directory is seen in the log: one line for
 * each executor a minute, however many of its blocks are asked for, and so many lines in all.
 */
import type { Clock, Logger } from "@bm/transport";

const INTERVAL_MS = 60_000;
/** Executors that are told apart; whoever connects chooses their names. */
const EXECUTORS_MAX = 1000;
/** Lines a minute, whoever asks for what. */
const LINES_MAX = 60;
/** Of a name in a line; they come from peers. */
const NAME_LENGTH_MAX = 200;
/** Of why it failed: a path may be in it. */
const REASON_LENGTH_MAX = 5000;

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
  #minuteMs = Number.NEGATIVE_INFINITY;
  #lines = 0;

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
    if (!this.#mayWrite(nowMs)) return;
    if (known === undefined && this.#executors.size >= EXECUTORS_MAX) this.#executors.clear();
    this.#executors.set(key, { saidMs: nowMs, more: 0 });
    const more = known === undefined || known.more === 0 ? "" : ` (and ${known.more} more before)`;
    const text = error instanceof Error ? error.message : String(error);
    const reason = text.slice(0, REASON_LENGTH_MAX);
    const [app, exec] = [appId, execId].map((name) => name.slice(0, NAME_LENGTH_MAX));
    this.#logger.warn(`cannot give ${block} of ${app}, executor ${exec}: ${reason}${more}`);
  }

  #mayWrite(nowMs: number): boolean {
    if (nowMs - this.#minuteMs >= INTERVAL_MS) {
      this.#minuteMs = nowMs;
      this.#lines = 0;
    }
    this.#lines += 1;
    return this.#lines <= LINES_MAX;
  }
}
