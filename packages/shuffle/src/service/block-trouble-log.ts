/**
 * Says which blocks could not be given, and which arrived corrupt, so that what befell a directory is seen
 * in the log: one line for each executor, and each cause, a minute, however many of its blocks are asked
 * for, and so many lines in all.
 */
import type { Clock, Logger } from "@bm/transport";
import type { CorruptionCauseName } from "../protocol/block-transfer-message.ts";

const INTERVAL_MS = 60_000;
/** Executors that are told apart; whoever connects chooses their names. */
const EXECUTORS_MAX = 1000;
/** Lines a minute, whoever asks for what. */
const LINES_MAX = 60;
/** Of a name in a line; they come from peers. */
const NAME_LENGTH_MAX = 200;
/** Of why it failed: a path may be in it. */
const REASON_LENGTH_MAX = 5000;

/** See the file comment. */
export class BlockTroubleLog {
  readonly #logger: Logger;
  readonly #failed: LineAllowance;
  readonly #corrupt: LineAllowance;

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#failed = new LineAllowance(clock);
    this.#corrupt = new LineAllowance(clock);
  }

  /** A reader asked for a block, by its name, and got a failure. */
  failed(appId: string, execId: string, block: string, error: unknown): void {
    const more = this.#failed.take([appId, execId]);
    if (more === null) return;
    const text = error instanceof Error ? error.message : String(error);
    const reason = text.slice(0, REASON_LENGTH_MAX);
    this.#logger.warn(`cannot give ${block} of ${ownerOf(appId, execId)}: ${reason}${more}`);
  }

  /** A reader got other bytes of a block, by its name, than its writer meant. */
  corrupt(appId: string, execId: string, block: string, cause: CorruptionCauseName): void {
    const more = this.#corrupt.take([appId, execId, cause]);
    if (more === null) return;
    const owner = ownerOf(appId, execId);
    this.#logger.warn(`a reader got ${block} of ${owner}, corrupt: ${cause}${more}`);
  }
}

function ownerOf(appId: string, execId: string): string {
  const [app, exec] = [appId, execId].map((name) => name.slice(0, NAME_LENGTH_MAX));
  return `${app}, executor ${exec}`;
}

interface Said {
  saidMs: number;
  /** Left out since then. */
  more: number;
}

class LineAllowance {
  readonly #clock: Clock;
  readonly #said = new Map<string, Said>();
  #minuteMs = Number.NEGATIVE_INFINITY;
  #lines = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What to add to a line about these names; null when it is not to be written. */
  take(names: readonly string[]): string | null {
    const key = JSON.stringify(names);
    const known = this.#said.get(key);
    const nowMs = this.#clock.nowMs();
    if (known !== undefined && nowMs - known.saidMs < INTERVAL_MS) {
      known.more += 1;
      return null;
    }
    if (!this.#mayWrite(nowMs)) return null;
    if (known === undefined && this.#said.size >= EXECUTORS_MAX) this.#said.clear();
    this.#said.set(key, { saidMs: nowMs, more: 0 });
    return known === undefined || known.more === 0 ? "" : ` (and ${known.more} more before)`;
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
