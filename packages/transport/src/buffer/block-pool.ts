/**
 * Memory for frames that come in several reads, used again as soon as nobody needs the last one.
 *
 * A fresh block costs a page fault every four kilobytes: with 16 MiB bodies more than half of the
 * receiving side's CPU time, and with 64 KiB bodies, of which the allocator gives memory back to the
 * system all the time, half as well. Idle connections hold nothing; the pool as a whole is bounded.
 */
import { invariant } from "../invariant.ts";
import type { BodyLease } from "./body-lease.ts";

/** Smaller ones are not worth it: they come from memory that is warm already. */
const POOLED_BYTES_MIN = 4 * 1024;
/** Steps per power of two: at most a quarter of a block is not used. */
const STEPS = 4;
/** Kept for the next frames by all connections of a thread together. */
const FREE_BYTES_MAX = 64 * 1024 * 1024;

/** See the file comment. */
export class BlockPool {
  readonly #free = new Map<number, Buffer[]>();
  readonly #freeBytesMax: number;
  #freeBytes = 0;

  constructor(freeBytesMax: number = FREE_BYTES_MAX) {
    this.#freeBytesMax = freeBytesMax;
  }

  /** Bytes that wait for a taker. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** A block of at least that many bytes, with arbitrary content. */
  take(bytes: number): Buffer {
    if (bytes < POOLED_BYTES_MIN) return Buffer.allocUnsafeSlow(bytes);
    const size = blockSize(bytes);
    const free = this.#free.get(size)?.pop();
    if (free === undefined) return Buffer.allocUnsafeSlow(size);
    this.#freeBytes -= size;
    return free;
  }

  /** Gives a whole block back; nobody may look at it any more. */
  put(block: Buffer): void {
    const size = block.length;
    const isPooled = size >= POOLED_BYTES_MIN && size === blockSize(size);
    if (!isPooled || this.#freeBytes + size > this.#freeBytesMax) return;
    const blocks = this.#free.get(size);
    if (blocks === undefined) this.#free.set(size, [block]);
    else blocks.push(block);
    this.#freeBytes += size;
  }
}

/** Lends a block for one turn; whoever keeps the bytes keeps the block. */
export class BlockLease implements BodyLease {
  #state: "lent" | "kept" | "over" = "lent";

  keep(bytes: Uint8Array): Uint8Array {
    // Too late the memory may be another frame's already: better loud than wrong.
    invariant(this.#state !== "over", "a body is kept in the turn in which it arrived");
    this.#state = "kept";
    return bytes;
  }

  /** Ends the turn. True when nobody kept the block. */
  end(): boolean {
    const isFree = this.#state === "lent";
    if (isFree) this.#state = "over";
    return isFree;
  }
}

/** The next size of the pool that holds `bytes`. */
function blockSize(bytes: number): number {
  const power = 2 ** Math.floor(Math.log2(bytes));
  const step = power / STEPS;
  return Math.ceil(bytes / step) * step;
}
