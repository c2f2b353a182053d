/**
 * What work that could go on and on may do before it leaves the event loop to others: so many bytes a
 * turn, shared by all who spend from the same budget. When it is spent, each of them gets a turn in its turn.
 */
import type { Clock } from "@bm/transport";

/** Reading so much from memory and summing it up takes about half a millisecond. */
const BYTES_PER_TURN = 4 * 1024 * 1024;

/** What a step costs besides its bytes, as bytes: 64 small steps are about half a millisecond, too. */
const STEP_COST_BYTES = 64 * 1024;

/** See the file comment. */
export class TurnBudget {
  readonly #clock: Clock;
  #spentBytes = 0;
  #isNextTurnAwaited = false;
  readonly #waiting: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether nothing more should be done in this turn. */
  get isSpent(): boolean {
    return this.#spentBytes >= BYTES_PER_TURN;
  }

  /** Counts one step over so many bytes. */
  spend(bytes: number): void {
    this.#spentBytes += bytes + STEP_COST_BYTES;
    this.#awaitNextTurn();
  }

  /** Resolves at once while something is left, else in a later turn. */
  async whenFree(): Promise<void> {
    if (!this.isSpent) return;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #awaitNextTurn(): void {
    if (this.#isNextTurnAwaited) return;
    this.#isNextTurnAwaited = true;
    this.#clock.setImmediate(() => this.#begin());
  }

  /** One of those that wait goes on: it may spend all, and those behind it would never come first. */
  #begin(): void {
    this.#spentBytes = 0;
    this.#isNextTurnAwaited = false;
    this.#waiting.shift()?.();
    if (this.#waiting.length > 0) this.#awaitNextTurn();
  }
}
