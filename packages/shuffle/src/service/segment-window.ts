/**
 * Neighbouring small segments of a data file, read at once: opening and reading each of them alone costs
 * far more than its bytes do. Memory of all windows together has a limit; beyond it segments are read
 * one by one when they are sent.
 */
import { BytesManagedBuffer, type ManagedBuffer } from "@bm/transport";

/** Largest segment that is read together with others. */
export const WINDOW_SEGMENT_BYTES_MAX: number = 64 * 1024;
/** Bytes that are read at once. */
export const WINDOW_BYTES_MAX: number = 512 * 1024;

/** See the file comment. Its memory is given back once each of its segments is sent or given up. */
export class SegmentWindow {
  readonly #offset: number;
  readonly #onDone: () => void;
  readonly #reading: Promise<Uint8Array>;
  #bytes: Uint8Array | null = null;
  /** Segments that were not asked for yet. */
  #unclaimed: number;
  /** Segments that were not sent yet. */
  #left: number;

  /**
   * @param body the bytes of all segments, from `offset` in the file; taken over
   * @param count how many segments there are
   * @param onDone called once, when nothing of it is held any more
   */
  constructor(body: ManagedBuffer, offset: number, count: number, onDone: () => void) {
    this.#unclaimed = count;
    this.#left = count;
    this.#offset = offset;
    this.#onDone = onDone;
    this.#reading = body.bytes();
    this.#reading.then(
      (bytes) => {
        this.#bytes = bytes;
      },
      () => {}, // Each segment that is asked for fails with it.
    );
  }

  /** False once every segment was asked for. */
  get hasMore(): boolean {
    return this.#unclaimed > 0;
  }

  /** Hands over one segment; each at most once. Rejects when the file cannot be read. */
  slice(offset: number, length: number): ManagedBuffer | Promise<ManagedBuffer> {
    this.#unclaimed -= 1;
    const start = offset - this.#offset;
    if (this.#bytes !== null) return this.#sliceOf(this.#bytes, start, length);
    return this.#reading.then(
      (bytes) => this.#sliceOf(bytes, start, length),
      (error: unknown) => {
        this.giveUp(1);
        throw error;
      },
    );
  }

  /** What was not asked for yet will not be any more. Safe to call twice. */
  giveUpRest(): void {
    const count = this.#unclaimed;
    this.#unclaimed = 0;
    if (count > 0) this.giveUp(count);
  }

  /** So many segments that were asked for are sent, or failed. */
  giveUp(count: number): void {
    this.#left -= count;
    if (this.#left === 0) this.#onDone();
  }

  #sliceOf(bytes: Uint8Array, start: number, length: number): ManagedBuffer {
    return new WindowSlice(bytes.subarray(start, start + length), this);
  }
}

class WindowSlice extends BytesManagedBuffer {
  readonly #window: SegmentWindow;
  #isReleased = false;

  constructor(view: Uint8Array, window: SegmentWindow) {
    super(view);
    this.#window = window;
  }

  override release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#window.giveUp(1);
  }
}
