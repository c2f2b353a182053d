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

let currentTurn = 0;
let isNextTurnArmed = false;

/** Numbers the turns of the event loop, as long as somebody asks. */
function turnNow(): number {
  if (!isNextTurnArmed) {
    isNextTurnArmed = true;
    setImmediate(() => {
      isNextTurnArmed = false;
      currentTurn += 1;
    });
  }
  return currentTurn;
}

/** The allowance of one connection. */
export class TurnAllowance {
  #turn = -1;
  #spentBytes = 0;

  /** Counts one write. */
  spend(bytes: number): void {
    const turn = turnNow();
    if (turn !== this.#turn) {
      this.#turn = turn;
      this.#spentBytes = 0;
    }
    this.#spentBytes += bytes + WRITE_COST_BYTES;
  }

  /** True when this turn's allowance is used up. */
  get isSpent(): boolean {
    return this.#turn === currentTurn && this.#spentBytes >= BYTES_PER_TURN;
  }
}
