import type { FileSegment } from "./file-segment.ts";

/**
 * The body of a message: bytes in memory, a part of a file, or a stream.
 *
 * One owner at a time. Whoever receives a ManagedBuffer from a call that says "hands over" must
 * `release()` it or pass it on; whoever gets one "borrowed" must not keep it past the current turn
 * without `keep()`.
 */
export abstract class ManagedBuffer {
  /** Exact length in bytes, known before the first byte is read. */
  abstract readonly size: number;

  /**
   * Opens the body for one reading from its start.
   * @throws TransportError BODY_UNAVAILABLE (rejects) when the source is missing or too short.
   */
  abstract open(): Promise<BodyReader>;

  /**
   * The part of a file that the body is, for whoever reads it there in a faster way than through `open`;
   * null when it is none.
   */
  get segment(): FileSegment | null {
    return null;
  }

  /** A buffer that is valid beyond the current turn; the same one when it already is. */
  keep(): ManagedBuffer {
    return this;
  }

  /** Gives up what the body holds. Safe to call twice. */
  release(): void {}

  /**
   * The whole body in one piece; the caller owns it.
   * @throws TransportError BODY_UNAVAILABLE (rejects).
   */
  async bytes(): Promise<Uint8Array> {
    const whole = Buffer.allocUnsafeSlow(this.size);
    let offset = 0;
    for await (const piece of this.pieces()) {
      whole.set(piece, offset);
      offset += piece.length;
    }
    return whole;
  }

  /** The body in order; each piece is borrowed until the next one is asked for. */
  async *pieces(): AsyncGenerator<Uint8Array, void, void> {
    const reader = await this.open();
    try {
      for (;;) {
        const piece = await reader.next();
        if (piece === null) return;
        yield piece;
      }
    } finally {
      await reader.close();
    }
  }
}

/** One reading of a body. */
export interface BodyReader {
  /**
   * The next piece, never empty, or null after the last byte. Unless `isInMemory`, a piece stays valid
   * until the second following call, so one can be on its way to a socket while the next one is read.
   * @throws TransportError BODY_UNAVAILABLE (rejects) when the source ends before the declared size.
   */
  next(): Promise<Uint8Array | null>;
  /**
   * The last piece came without waiting, so nothing is won by asking for the next one early. A piece
   * then stays valid until the following call only. Default: false.
   */
  readonly isInMemory?: boolean;
  /** Ends the validity of every piece. Safe to call twice. */
  close(): Promise<void>;
}
