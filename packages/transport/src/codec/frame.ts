import { type BodyLease, readBufferLease } from "../buffer/body-lease.ts";
import type { MessageBody } from "../protocol/message.ts";

/** Content of one frame as it arrived: the type byte, the header fields, the in-frame body. */
export interface InboundFrame {
  readonly bytes: Buffer;
  /** Set when the bytes are only lent for the current turn; null when they are the receiver's own. */
  readonly lease: BodyLease | null;
}

/**
 * A frame that arrived whole in one read, lent for the current turn. A view on its content is made
 * when somebody asks: of a small message it would be a tenth of the cost.
 */
export class FrameInRead implements InboundFrame {
  readonly read: Buffer;
  readonly start: number;
  readonly end: number;
  readonly lease: BodyLease;

  constructor(read: Buffer, start: number, end: number) {
    this.read = read;
    this.start = start;
    this.end = end;
    this.lease = readBufferLease;
  }

  get bytes(): Buffer {
    return this.read.subarray(this.start, this.end);
  }
}

/** A frame on its way out. Nothing may be written between its header and the last byte of its body. */
export interface OutboundFrame {
  /** Length field, type byte and header fields. */
  readonly header: Buffer;
  /** In-frame body or raw bytes after the frame; null for none. Handed over. */
  readonly body: MessageBody | null;
  /**
   * Called when the body cannot be opened and nothing was written yet: gives the frame to send
   * instead, or null when the peer cannot be told and the connection must end.
   */
  readonly substitute: ((cause: Error) => Buffer) | null;
}
