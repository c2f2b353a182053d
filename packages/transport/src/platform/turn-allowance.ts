/**
 * Keeps one busy connection from holding the event loop.
 *
 * Node reports a write that the system took at once from within the same turn. A sender that writes
 * again each time, to a peer in another process that reads as fast, would never let timers and other
 * connections run (measured: none ran for seconds). So each turn has an allowance per connection;
 * when it is used up, the next write waits for the next turn.
 */
const BYTES_PER_TURN = 4 * 1024 * 1024;

/** What a write costs besides its bytes, as bytes: 64 small writes are about half a millisecond. */
const WRITE_COST_BYTES = 64 * 1024;

/**
 * The end of the turn is looked for only when this much is used up: done in each turn, however short,
 * it costs a callback between two looks at the sockets (RPCs with one in flight: a seventh of the speed).
 */
const WATCHED_BYTES = BYTES_PER_TURN / 2;

/** Turns that ended while they were watched. */
let turn = 0;
let isWatched = false;

function watchTurn(): void {
  if (isWatched) return;
  isWatched = true;
  setImmediate(() => {
    isWatched = false;
    turn += 1;
  });
}

/** The allowance of one connection. */
export class TurnAllowance {
  #turn = turn;
  #spentBytes = 0;

  /** Counts one write. */
  spend(bytes: number): void {
    if (this.#turn !== turn) {
      this.#turn = turn;
      this.#spentBytes = 0;
    }
    this.#spentBytes += bytes + WRITE_COST_BYTES;
    if (this.#spentBytes >= WATCHED_BYTES) watchTurn();
  }

  /** True when this turn's allowance is used up. */
  get isSpent(): boolean {
    return this.#turn === turn && this.#spentBytes >= BYTES_PER_TURN;
  }
}
