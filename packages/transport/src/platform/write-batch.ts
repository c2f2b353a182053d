/**
 * Writes that go to the system together.
 *
 * Small ones are copied behind each other into a slab and leave as one piece: what Node does for each
 * piece of a gathered write costs more than copying a kilobyte (RPCs of 1 KiB, 1,024 in flight: two
 * thirds of the CPU time). Large ones stay where they are.
 */
import { BufferPool } from "../buffer/buffer-pool.ts";

/** Writes up to here are copied. */
const COPIED_BYTES_MAX = 4 * 1024;

/** What making and handling a message costs besides its bytes, as bytes: the work of a kilobyte. */
const WRITE_WORK_BYTES = 1024;

const SLAB_BYTES = 64 * 1024;

/** For all connections of a thread: keeps at most 2 MiB. */
const slabs = new BufferPool({ bufferBytes: SLAB_BYTES, maxFree: 32 });

/** Called once: with null when the system took the bytes, else with the reason. */
export type OnWritten = (error: Error | null) => void;

/** See the file comment. */
export class WriteBatch {
  readonly #pieces: Uint8Array[] = [];
  readonly #reports: OnWritten[] = [];
  readonly #slabs: Buffer[] = [];
  #slabEnd = 0;
  /** The last piece, not among the others yet: what follows it in the same memory makes it longer. */
  #tailMemory: ArrayBufferLike | null = null;
  #tailStart = 0;
  #tailEnd = 0;
  #bytes = 0;
  #work = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** What this end had to do for it: bytes that are copied here, and for each write what it costs. */
  get work(): number {
    return this.#work;
  }

  /** Pieces that are not copied are kept unchanged by the caller until `onWritten`. */
  add(pieces: readonly Uint8Array[], bytes: number, onWritten: OnWritten | null): void {
    this.#bytes += bytes;
    this.#work += WRITE_WORK_BYTES + (bytes > COPIED_BYTES_MAX ? 0 : bytes);
    if (onWritten !== null) this.#reports.push(onWritten);
    if (bytes > COPIED_BYTES_MAX) {
      for (const piece of pieces) this.#append(piece.buffer, piece.byteOffset, piece.length);
      return;
    }
    const slab = this.#slabFor(bytes);
    const start = this.#slabEnd;
    for (const piece of pieces) {
      slab.set(piece, this.#slabEnd);
      this.#slabEnd += piece.length;
    }
    this.#append(slab.buffer, slab.byteOffset + start, this.#slabEnd - start);
  }

  /** Everything in order, the caller's own list; nothing is added afterwards. */
  finish(): Uint8Array[] {
    this.#finishTail();
    return this.#pieces;
  }

  /** Who wants to know. Called once, with the slabs free for others when the system took all bytes. */
  end(isTaken: boolean): readonly OnWritten[] {
    // What a connection that broke off did with the bytes is not known.
    if (isTaken) for (const slab of this.#slabs) slabs.put(slab);
    return this.#reports;
  }

  #append(memory: ArrayBufferLike, start: number, length: number): void {
    if (length === 0) return;
    if (start !== this.#tailEnd || memory !== this.#tailMemory) {
      this.#finishTail();
      this.#tailMemory = memory;
      this.#tailStart = start;
    }
    this.#tailEnd = start + length;
  }

  #finishTail(): void {
    if (this.#tailMemory === null) return;
    this.#pieces.push(
      Buffer.from(this.#tailMemory, this.#tailStart, this.#tailEnd - this.#tailStart),
    );
    this.#tailMemory = null;
  }

  #slabFor(bytes: number): Buffer {
    const last = this.#slabs.at(-1);
    if (last !== undefined && this.#slabEnd + bytes <= SLAB_BYTES) return last;
    const slab = slabs.take();
    this.#slabs.push(slab);
    this.#slabEnd = 0;
    return slab;
  }
}
