import { nodeClock, sleep } from "../platform/node-clock.ts";
import type { Clock, Timer } from "../platform/platform.ts";

/** More turns than any sane chain of immediates needs; an endless one fails instead of hanging. */
const TURNS_MAX = 1_000_000;

/** Where a manual clock begins. */
export interface ManualClockOptions {
  /** What `wallTimeMs` says at the start. Default: 2024-01-01 UTC. */
  readonly wallTimeMs?: number;
}

interface PendingTimer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/**
 * A clock that stands still until it is moved by hand. Timers fire in the order in which they are
 * due, those of one instant in the order in which they were set.
 *
 * What a callback throws comes out of the call that moved the clock.
 */
export class ManualClock implements Clock {
  readonly #startWallMs: number;
  #nowMs = 0;
  /** Sorted by `dueMs`, then by age. */
  #timers: PendingTimer[] = [];
  #immediates: Set<() => void> = new Set();

  constructor(options: ManualClockOptions = {}) {
    this.#startWallMs = options.wallTimeMs ?? 1_704_067_200_000;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallTimeMs(): number {
    return this.#startWallMs + this.#nowMs;
  }

  /** When the next timer is due on this clock, or null when none is set. */
  get nextTimerMs(): number | null {
    return this.#timers[0]?.dueMs ?? null;
  }

  /** Timers that are set. */
  get timerCount(): number {
    return this.#timers.length;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { dueMs: this.#nowMs + Math.max(delayMs, 0), callback };
    const later = this.#timers.findIndex((other) => other.dueMs > timer.dueMs);
    this.#timers.splice(later === -1 ? this.#timers.length : later, 0, timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  setImmediate(callback: () => void): Timer {
    // A wrapper of its own, so that the same function can wait twice.
    const immediate = (): void => callback();
    this.#immediates.add(immediate);
    return { cancel: () => void this.#immediates.delete(immediate) };
  }

  sleep(
    delayMs: number,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    return sleep(this, delayMs, options.signal);
  }

  /**
   * Moves the clock, firing what is due on the way, and runs the immediates between. Promises go on
   * only after this returns; see `advanceAndSettle`.
   */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    this.#runAllImmediates();
    for (let timer = this.#takeDue(endMs); timer !== null; timer = this.#takeDue(endMs)) {
      this.#nowMs = timer.dueMs;
      timer.callback();
      this.#runAllImmediates();
    }
    this.#nowMs = endMs;
  }

  /** Moves the clock as `advance`, letting promises go on after each timer and each immediate. */
  async advanceAndSettle(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await this.settle();
    for (let timer = this.#takeDue(endMs); timer !== null; timer = this.#takeDue(endMs)) {
      this.#nowMs = timer.dueMs;
      timer.callback();
      await this.settle();
    }
    this.#nowMs = endMs;
  }

  /** Runs immediates and lets promises go on until neither has anything to do. The clock stands. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < TURNS_MAX; turns += 1) {
      await realTurn();
      if (!this.runImmediates()) return;
    }
    throw new Error("the immediates never end");
  }

  /** Runs the immediates that wait now, not those that they set. False when there were none. */
  runImmediates(): boolean {
    const waiting = [...this.#immediates];
    for (const immediate of waiting) {
      // Another one may have cancelled it.
      if (this.#immediates.delete(immediate)) immediate();
    }
    return waiting.length > 0;
  }

  #runAllImmediates(): void {
    for (let turns = 0; turns < TURNS_MAX; turns += 1) {
      if (!this.runImmediates()) return;
    }
    throw new Error("the immediates never end");
  }

  #takeDue(endMs: number): PendingTimer | null {
    const [first] = this.#timers;
    if (first === undefined || first.dueMs > endMs) return null;
    this.#timers.shift();
    return first;
  }
}

/** One turn of the real event loop: every promise that can go on has done so. */
function realTurn(): Promise<void> {
  return new Promise((resolve) => {
    nodeClock.setImmediate(resolve);
  });
}
