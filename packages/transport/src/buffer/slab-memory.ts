import type { BufferPool } from "./buffer-pool.ts";

/** Memory that is lent until it is given back, once. Not given back, it is left to the collector. */
export interface LentMemory {
  readonly bytes: Uint8Array;
  giveBack(): void;
}

/**
 * Memory for many small bodies, cut off large buffers of a pool one after the other. A buffer goes back
 * to its pool as soon as nothing of it is lent, so that the next bodies find it warm in the caches of
 * the processor, and one connection that waits keeps no buffers that others are using.
 */
export class SlabMemory {
  readonly #pool: BufferPool;
  #slab: Slab | null = null;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** `bytes` with arbitrary content; at most as many as a buffer of the pool has. */
  take(bytes: number): LentMemory {
    if (this.#slab === null || !this.#slab.hasRoom(bytes)) this.#slab = new Slab(this.#pool);
    return this.#slab.take(bytes);
  }
}

class Slab {
  readonly #pool: BufferPool;
  #buffer: Buffer;
  #used = 0;
  #lentCount = 0;

  constructor(pool: BufferPool) {
    this.#pool = pool;
    this.#buffer = pool.take();
  }

  hasRoom(bytes: number): boolean {
    return this.#lentCount === 0 || this.#used + bytes <= this.#buffer.length;
  }

  take(bytes: number): LentMemory {
    if (this.#lentCount === 0 && this.#used > 0) {
      this.#buffer = this.#pool.take();
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += bytes;
    this.#lentCount += 1;
    return { bytes: this.#buffer.subarray(start, this.#used), giveBack: this.#giveBack };
  }

  readonly #giveBack = (): void => {
    this.#lentCount -= 1;
    if (this.#lentCount === 0) this.#pool.put(this.#buffer);
  };
}
