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
  /** Where the part of the last slab begins that is not among the pieces yet. */
  #slabStart = 0;
  #slabEnd = 0;
  #bytes = 0;
  #work = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** The bytes, and for each write what it costs besides. */
  get work(): number {
    return this.#work;
  }

  /** Pieces that are not copied are kept unchanged by the caller until `onWritten`. */
  add(pieces: readonly Uint8Array[], bytes: number, onWritten: OnWritten | null): void {
    this.#bytes += bytes;
    this.#work += bytes + WRITE_WORK_BYTES;
    if (onWritten !== null) this.#reports.push(onWritten);
    if (bytes <= COPIED_BYTES_MAX) {
      const slab = this.#slabFor(bytes);
      for (const piece of pieces) {
        slab.set(piece, this.#slabEnd);
        this.#slabEnd += piece.length;
      }
      return;
    }
    this.#finishPart();
    for (const piece of pieces) if (piece.length > 0) this.#pieces.push(piece);
  }

  /** Everything in order, the caller's own list; nothing is added afterwards. */
  finish(): Uint8Array[] {
    this.#finishPart();
    return this.#pieces;
  }

  /** Who wants to know. Called once, with the slabs free for others when the system took all bytes. */
  end(isTaken: boolean): readonly OnWritten[] {
    // What a connection that broke off did with the bytes is not known.
    if (isTaken) for (const slab of this.#slabs) slabs.put(slab);
    return this.#reports;
  }

  #slabFor(bytes: number): Buffer {
    const last = this.#slabs.at(-1);
    if (last !== undefined && this.#slabEnd + bytes <= SLAB_BYTES) return last;
    this.#finishPart();
    const slab = slabs.take();
    this.#slabs.push(slab);
    this.#slabStart = 0;
    this.#slabEnd = 0;
    return slab;
  }

  #finishPart(): void {
    const slab = this.#slabs.at(-1);
    if (slab === undefined || this.#slabEnd === this.#slabStart) return;
    this.#pieces.push(slab.subarray(this.#slabStart, this.#slabEnd));
    this.#slabStart = this.#slabEnd;
  }
}
