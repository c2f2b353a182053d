/**
 * Memory for fetched blocks that all readers of a process share.
 *
 * A reader whose next request does not fit puts it off until others have taken theirs. A reader that
 * has nothing under way may always ask for one request more: two readers that one task reads in turns
 * would otherwise wait for each other for ever. So at most the limit and one request per reader are
 * held.
 */
import { limit } from "./limit.ts";

/** See the file comment. Sizes are those that readers expect. */
export class FetchMemory {
  readonly bytesMax: number;
  readonly #waiting = new Set<() => void>();
  #bytes = 0;

  /** @throws ShuffleError OPTION_INVALID for a limit below 1. */
  constructor(bytesMax: number) {
    this.bytesMax = limit(bytesMax, bytesMax);
  }

  /** Bytes that are reserved. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Readers that have put off a request. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Reserves; false when there is no room and `isForced` is not set. */
  reserve(bytes: number, isForced: boolean): boolean {
    if (!isForced && this.#bytes + bytes > this.bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Gives bytes back. Whoever waits is called, in the order in which they came. */
  release(bytes: number): void {
    this.#bytes -= bytes;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const call of waiting) call();
  }

  /** Calls once, when bytes were given back. The same function waits once only. */
  whenReleased(call: () => void): void {
    this.#waiting.add(call);
  }

  /** Waits no more. */
  forget(call: () => void): void {
    this.#waiting.delete(call);
  }
}
