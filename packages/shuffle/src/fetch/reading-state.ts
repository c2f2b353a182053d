import type { ShuffleError } from "../shuffle-error.ts";

/** Whether a reading goes on: what is due, what has failed, and who waits for either. */
export class ReadingState {
  readonly #ended = new AbortController();
  #failure: ShuffleError | null = null;
  #due = 0;
  #wake: () => void = () => {};

  /** Fires when the reading has ended. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** The first failure. */
  get failure(): ShuffleError | null {
    return this.#failure;
  }

  /** Nobody takes anything any more. */
  get isOver(): boolean {
    return this.#failure !== null || this.#ended.signal.aborted;
  }

  /** Whether answers are due: blocks, chunks of partitions, originals. */
  get isWaiting(): boolean {
    return this.#due > 0;
  }

  /** So many more answers are due. */
  expect(count: number): void {
    this.#due += count;
  }

  /** An answer came, whatever it was. */
  answered(): void {
    this.#due -= 1;
    this.#wake();
  }

  /** The first failure counts, and comes before what has arrived: the reading is lost anyway. */
  fail(error: ShuffleError): void {
    if (this.#ended.signal.aborted) return;
    this.#failure ??= error;
    this.#wake();
  }

  end(): void {
    this.#ended.abort();
  }

  /** Resolves at the next answer or failure. */
  woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
