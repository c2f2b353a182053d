import { invariant } from "../invariant.ts";

/** What a pool is made of. */
export interface BufferPoolOptions {
  /** Length of every buffer. */
  readonly bufferBytes: number;
  /** How many unused buffers are kept; those given back beyond it are left to the collector. */
  readonly maxFree: number;
}

/**
 * Keeps buffers of one length for the next taker, because making large ones is slow (each is zeroed
 * or fetched from the system) and burdens the garbage collector.
 *
 * Holds at most `maxFree * bufferBytes`. Taking never waits and never fails. A taker that loses a
 * buffer costs nothing but a new allocation, so when in doubt whether somebody still looks at it,
 * do not give it back.
 */
export class BufferPool {
  readonly bufferBytes: number;
  readonly maxFree: number;
  readonly #free: Buffer[] = [];
  #allocatedCount = 0;
  #reusedCount = 0;

  constructor(options: BufferPoolOptions) {
    const { bufferBytes, maxFree } = options;
    invariant(Number.isSafeInteger(bufferBytes) && bufferBytes > 0, "a pooled buffer has a length");
    invariant(Number.isSafeInteger(maxFree) && maxFree >= 0, "maxFree is a count");
    this.bufferBytes = bufferBytes;
    this.maxFree = maxFree;
  }

  /** Buffers that wait for a taker. */
  get freeCount(): number {
    return this.#free.length;
  }

  /** Buffers made because none was free. */
  get allocatedCount(): number {
    return this.#allocatedCount;
  }

  /** Buffers handed out a second, third, … time. */
  get reusedCount(): number {
    return this.#reusedCount;
  }

  /** A buffer of `bufferBytes` with arbitrary content; the caller owns it until `put`. */
  take(): Buffer {
    const free = this.#free.pop();
    if (free !== undefined) {
      this.#reusedCount += 1;
      return free;
    }
    this.#allocatedCount += 1;
    return Buffer.allocUnsafeSlow(this.bufferBytes);
  }

  /** Gives a whole buffer back. Nobody may look at it any more: the next taker overwrites it. */
  put(buffer: Buffer): void {
    invariant(buffer.length === this.bufferBytes, "a buffer goes back to the pool it came from");
    // Given back twice it would have two owners, and bytes of one would reach the peer of the other.
    invariant(!this.#free.includes(buffer), "a buffer goes back once");
    if (this.#free.length < this.maxFree) this.#free.push(buffer);
  }
}
