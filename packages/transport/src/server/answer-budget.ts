/**
 * How many bytes of answers may be on their way at once, on all connections of a context together.
 *
 *     requests -> lookups -> queue of its connection -> channel -> socket
 *                              (waits for the budget)
 *
 * What does not fit waits; nobody is refused and no connection is closed. Connections take turns, one
 * answer each. And each may have one answer on its way whatever the others have, so that peers which
 * stopped reading, and keep their share of the budget for ever, hold nobody up.
 */

/** Half a second of a 4 Gbit/s link; a machine that serves shuffles has it to spare. */
export const ANSWER_BYTES_MAX_DEFAULT: number = 256 * 1024 * 1024;

/** A queue, as the budget sees it. */
export interface WaitingQueue {
  readonly nextBytes: number;
  /** Nothing is on its way and something waits. */
  readonly isStarved: boolean;
  sendNext(): void;
}

/** See the file comment. */
export class AnswerBudget {
  readonly bytesMax: number;
  /** Queues that may send as soon as there is room, in the order of their turns. */
  readonly #turns = new Set<WaitingQueue>();
  /** Queues that may send in any case. */
  readonly #starved = new Set<WaitingQueue>();
  #bytesInFlight = 0;
  #waitingCount = 0;
  #delayedCount = 0;
  #isAdmitting = false;

  constructor(bytesMax: number = ANSWER_BYTES_MAX_DEFAULT) {
    this.bytesMax = bytesMax;
  }

  /** Bytes of answers on their way. */
  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  /** Answers that wait now. */
  get waitingCount(): number {
    return this.#waitingCount;
  }

  /** Answers that had to wait, since the start. */
  get delayedCount(): number {
    return this.#delayedCount;
  }

  hasRoom(bytes: number): boolean {
    return this.#turns.size === 0 && this.#fits(bytes);
  }

  take(bytes: number): void {
    this.#bytesInFlight += bytes;
  }

  giveBack(bytes: number): void {
    this.#bytesInFlight -= bytes;
  }

  countWaiting(change: number): void {
    this.#waitingCount += change;
    if (change > 0) this.#delayedCount += change;
  }

  /** Behind the others, unless it has its turn to come already. */
  enlist(queue: WaitingQueue): void {
    if (queue.isStarved) this.#starved.add(queue);
    else this.#turns.add(queue);
  }

  strike(queue: WaitingQueue): void {
    this.#starved.delete(queue);
    this.#turns.delete(queue);
  }

  /** Lets go what may go. */
  admit(): void {
    // An answer may be sent within the call that sends it: the loop that runs sees to the next one.
    if (this.#isAdmitting) return;
    this.#isAdmitting = true;
    try {
      for (let queue = this.#next(); queue !== undefined; queue = this.#next()) queue.sendNext();
    } finally {
      this.#isAdmitting = false;
    }
  }

  #next(): WaitingQueue | undefined {
    const starved = firstOf(this.#starved);
    if (starved !== undefined) return starved;
    const queue = firstOf(this.#turns);
    // A large one is not passed over, or small ones would keep it waiting for ever.
    return queue !== undefined && this.#fits(queue.nextBytes) ? queue : undefined;
  }

  #fits(bytes: number): boolean {
    return this.#bytesInFlight + bytes <= this.bytesMax;
  }
}

function firstOf<T>(set: ReadonlySet<T>): T | undefined {
  // To begin a walk costs more than all the rest of an answer's way through the budget.
  if (set.size === 0) return undefined;
  const [first] = set;
  return first;
}
