import type { AnswerBudget, WaitingQueue } from "./answer-budget.ts";

/** One connection may have this much of the budget: as much as its channel queues before it is full. */
const CONNECTION_ANSWER_BYTES_MAX = 8 * 1024 * 1024;

/** What a waiting answer is taken to cost besides bytes that are in memory already. */
const WAITING_ANSWER_BYTES = 512;

/** An answer that waits for its turn. */
export interface Answer {
  /** Memory that it takes on its way. */
  readonly bytes: number;
  /** The part of it that it takes while it waits, too. */
  readonly heldBytes: number;
}

/** One connection, as its queue sees it. */
export interface AnswerSink<Kind extends Answer> {
  /** Sends an answer; `AnswerQueue.sent` follows once, maybe in this very call. */
  sendAnswer(answer: Kind): void;
  /** The connection is gone before the answer's turn came. */
  dropAnswer(answer: Kind): void;
  /** Counts what waits (negative: waits no more), so that the peer is not read beyond a limit. */
  addQueuedBytes(bytes: number): void;
}

/** The answers of one connection, in order. */
export class AnswerQueue<Kind extends Answer> implements WaitingQueue {
  readonly #budget: AnswerBudget;
  readonly #sink: AnswerSink<Kind>;
  #waiting: Kind[] = [];
  #bytesInFlight = 0;
  #inFlight = 0;

  constructor(budget: AnswerBudget, sink: AnswerSink<Kind>) {
    this.#budget = budget;
    this.#sink = sink;
  }

  get nextBytes(): number {
    return this.#waiting[0]?.bytes ?? 0;
  }

  get isStarved(): boolean {
    return this.#inFlight === 0 && this.#waiting.length > 0;
  }

  /** Sends the answer, now or when its turn comes. */
  add(answer: Kind): void {
    const { bytes, heldBytes } = answer;
    const isFirst = this.#waiting.length === 0;
    if (isFirst && (this.#inFlight === 0 || this.#budget.hasRoom(bytes)) && this.#mayHave(bytes)) {
      this.#send(answer);
      return;
    }
    this.#waiting.push(answer);
    this.#budget.countWaiting(1);
    this.#sink.addQueuedBytes(WAITING_ANSWER_BYTES + heldBytes);
    this.#enlist();
  }

  /** An answer was sent, or failed. */
  sent({ bytes }: Answer): void {
    this.#inFlight -= 1;
    this.#bytesInFlight -= bytes;
    this.#budget.giveBack(bytes);
    this.#enlist();
    this.#budget.admit();
  }

  /** For the budget. */
  sendNext(): void {
    this.#budget.strike(this);
    const answer = this.#waiting.shift();
    if (answer === undefined) return;
    this.#send(answer);
    // Only now: what waits less may make the channel writable, and the next request is then served in
    // this very call. Its answer must not overtake this one.
    this.#stopsWaiting(answer);
    this.#enlist();
  }

  /** Drops what waits. */
  close(): void {
    this.#budget.strike(this);
    const dropped = this.#waiting;
    this.#waiting = [];
    for (const answer of dropped) {
      this.#stopsWaiting(answer);
      this.#sink.dropAnswer(answer);
    }
    this.#budget.admit();
  }

  #send(answer: Kind): void {
    this.#inFlight += 1;
    this.#bytesInFlight += answer.bytes;
    this.#budget.take(answer.bytes);
    this.#sink.sendAnswer(answer);
  }

  #stopsWaiting({ heldBytes }: Kind): void {
    this.#budget.countWaiting(-1);
    this.#sink.addQueuedBytes(-WAITING_ANSWER_BYTES - heldBytes);
  }

  #enlist(): void {
    if (this.#waiting.length > 0 && this.#mayHave(this.nextBytes)) this.#budget.enlist(this);
  }

  /** Its own part of the budget. The first answer is always within it. */
  #mayHave(bytes: number): boolean {
    return this.#inFlight === 0 || this.#bytesInFlight + bytes <= CONNECTION_ANSWER_BYTES_MAX;
  }
}
