/**
 * Cuts a TCP byte stream into frames.
 *
 *     0          8                     length
 *     +----------+---------------------+
 *     |  length  |       content       |    length: int64, big-endian, counts itself
 *     +----------+---------------------+
 *
 * Runs synchronously and delivers one frame at a time: handling a frame may install an interceptor,
 * and then the very next byte is raw stream data that belongs to no frame.
 */
// The global is an accessor, which compiled code calls each time.
import { Buffer } from "node:buffer";
import { BlockLease, BlockPool } from "../buffer/block-pool.ts";
import type { ChannelHandler, HandlerContext } from "../channel/channel-handler.ts";
import { identifyForeignProtocol } from "../foreign/foreign-protocol.ts";
import { invariant } from "../invariant.ts";
import { TransportError } from "../transport-error.ts";
import { FrameInRead, type InboundFrame } from "./frame.ts";

/** Size of the length field. */
export const LENGTH_FIELD_BYTES = 8;

/** A JVM peer holds the content of a frame in one array. */
export const FRAME_CONTENT_BYTES_MAX: number = 0x7fff_fffe;

/**
 * A frame that spans reads is gathered in blocks of at most this size, so that a peer which only
 * claims a large frame makes us reserve little. A body of 16 MiB and its header fit into one.
 */
const GATHER_BLOCK_BYTES = 20 * 1024 * 1024;

/**
 * What is missing of a frame is read straight into its block from this size on. Below it a read that
 * brings the next frames too saves more than the copy costs.
 */
const DIRECT_READ_BYTES_MIN = 64 * 1024;

/** For the large frames of all connections of a thread. */
const blocks = new BlockPool();

/** Takes raw bytes in place of the framing. */
export interface StreamInterceptor {
  /** Takes bytes from the front and says how many. Borrowed. */
  take(bytes: Uint8Array): number;
  /** True once nothing more is wanted; the rest goes back to framing. */
  readonly isDone: boolean;
  /** The pipeline failed before the stream was complete. */
  exceptionCaught(error: Error): void;
  /** The connection ended before the stream was complete. */
  channelInactive(): void;
}

/** What {@link FrameDecoder} takes. */
export interface FrameDecoderOptions {
  /** Largest content to accept, in bytes. Default and ceiling: 2^31 - 2. */
  readonly frameContentBytesMax?: number | undefined;
}

type DecoderState = "open" | "failed";

/** Inbound handler: bytes in (borrowed), InboundFrame out. */
export class FrameDecoder implements ChannelHandler {
  readonly #contentBytesMax: number;
  /** Made when a length field comes in two reads; most connections never see that. */
  #header: Buffer | null = null;
  #headerBytes = 0;
  /** Content bytes still to come; -1 while the length is not known. */
  #missingBytes = -1;
  #gathered: Buffer[] = [];
  #block: Buffer | null = null;
  #blockBytes = 0;
  /** How much of the block is for this frame. */
  #blockLimit = 0;
  #interceptor: StreamInterceptor | null = null;
  #state: DecoderState = "open";
  #isFirstFrame = true;
  /** What arrived behind a frame whose handler paused the flow. */
  #heldBack: Buffer | null = null;

  constructor(options: FrameDecoderOptions = {}) {
    const max = options.frameContentBytesMax ?? FRAME_CONTENT_BYTES_MAX;
    if (!Number.isInteger(max) || max < 1 || max > FRAME_CONTENT_BYTES_MAX) {
      throw new TransportError("OPTION_INVALID", `frameContentBytesMax: ${max}`);
    }
    this.#contentBytesMax = max;
  }

  /** Sends the bytes from here on to a stream until it is done. One at a time. */
  setInterceptor(interceptor: StreamInterceptor): void {
    invariant(this.#interceptor === null, "Already have an interceptor.");
    this.#interceptor = interceptor;
  }

  channelRead(context: HandlerContext, input: unknown): void {
    const chunk = asBuffer(input as Uint8Array);
    if (this.#heldBack !== null) this.#heldBack = Buffer.concat([this.#heldBack, chunk]);
    else this.#cut(context, chunk);
  }

  #cut(context: HandlerContext, chunk: Buffer): void {
    const { channel } = context;
    let offset = 0;
    // A handler may close the channel in the middle of a chunk; the frames behind that are moot.
    while (offset < chunk.length && this.#state === "open" && channel.isActive) {
      if (channel.isReadingPaused) return this.#holdBack(context, chunk.subarray(offset));
      if (this.#interceptor !== null) offset += this.#intercept(context, chunk, offset);
      else if (this.#missingBytes < 0) offset += this.#takeHeader(context, chunk, offset);
      else offset += this.#takeContent(context, chunk, offset);
    }
  }

  /** A copy: the bytes are lent for this turn. At most one read, so its length is bounded. */
  #holdBack(context: HandlerContext, rest: Buffer): void {
    this.#heldBack = Buffer.from(rest);
    context.channel.holdBack(() => {
      const held = this.#heldBack;
      this.#heldBack = null;
      if (held !== null) this.#cut(context, held);
    });
  }

  readTarget(): Uint8Array | null {
    if (this.#block === null || this.#missingBytes < DIRECT_READ_BYTES_MIN) return null;
    // Not beyond this frame: a block may be larger than what is wanted of it.
    const end = Math.min(this.#blockLimit, this.#blockBytes + this.#missingBytes);
    return this.#block.subarray(this.#blockBytes, end);
  }

  exceptionCaught(context: HandlerContext, error: Error): void {
    this.#failInterceptor(error);
    context.fireExceptionCaught(error);
  }

  channelInactive(context: HandlerContext): void {
    const interceptor = this.#interceptor;
    this.#interceptor = null;
    interceptor?.channelInactive();
    if (this.#state === "open" && (this.#headerBytes > 0 || this.#missingBytes >= 0)) {
      const missing = this.#missingBytes < 0 ? "its length" : `${this.#missingBytes} bytes`;
      const text = `${context.channel.remoteAddress} left in the middle of a frame, ${missing} missing`;
      context.fireExceptionCaught(new TransportError("FRAME_TRUNCATED", text));
    }
    this.#drop();
    this.#heldBack = null;
    context.fireChannelInactive();
  }

  #intercept(context: HandlerContext, chunk: Buffer, offset: number): number {
    const interceptor = this.#interceptor as StreamInterceptor;
    try {
      const taken = interceptor.take(chunk.subarray(offset));
      if (interceptor.isDone) this.#interceptor = null;
      return taken;
    } catch (error) {
      this.#fail(context, error as Error);
      return 0;
    }
  }

  #takeHeader(context: HandlerContext, chunk: Buffer, offset: number): number {
    if (this.#headerBytes === 0 && chunk.length - offset >= LENGTH_FIELD_BYTES) {
      this.#beginContent(context, chunk, offset);
      return LENGTH_FIELD_BYTES;
    }
    this.#header ??= Buffer.alloc(LENGTH_FIELD_BYTES);
    const wanted = LENGTH_FIELD_BYTES - this.#headerBytes;
    const taken = chunk.copy(this.#header, this.#headerBytes, offset, offset + wanted);
    this.#headerBytes += taken;
    if (this.#headerBytes === LENGTH_FIELD_BYTES) this.#beginContent(context, this.#header, 0);
    return taken;
  }

  /** Judges the length as soon as it is known, before one content byte is held. */
  #beginContent(context: HandlerContext, bytes: Buffer, offset: number): void {
    // A valid length fits into the low word, so no bigint is needed to accept one.
    const highWord = bytes.readInt32BE(offset);
    const contentBytes = bytes.readUInt32BE(offset + 4) - LENGTH_FIELD_BYTES;
    if (highWord !== 0 || contentBytes <= 0 || contentBytes > this.#contentBytesMax) {
      this.#fail(context, this.#refuse(bytes.subarray(offset)));
      return;
    }
    this.#headerBytes = 0;
    this.#missingBytes = contentBytes;
  }

  #takeContent(context: HandlerContext, chunk: Buffer, offset: number): number {
    const taken = Math.min(this.#missingBytes, chunk.length - offset);
    if (this.#block === null && taken === this.#missingBytes) {
      this.#deliver(context, new FrameInRead(chunk, offset, offset + taken));
      return taken;
    }
    const gathered = this.#gather(chunk, offset, taken);
    if (this.#missingBytes === 0) this.#deliverGathered(context);
    return gathered;
  }

  #deliver(context: HandlerContext, frame: InboundFrame): void {
    this.#missingBytes = -1;
    this.#isFirstFrame = false;
    context.fireChannelRead(frame);
  }

  /** Whoever wants the frame beyond this turn keeps its block; otherwise the next frame gets it. */
  #deliverGathered(context: HandlerContext): void {
    const block = this.#block as Buffer;
    if (this.#gathered.length > 0) {
      this.#deliver(context, { bytes: this.#join(block), lease: null });
      return;
    }
    const bytes = block.subarray(0, this.#blockBytes);
    this.#drop();
    const lease = new BlockLease();
    try {
      this.#deliver(context, { bytes, lease });
    } finally {
      if (lease.end()) blocks.put(block);
    }
  }

  /** Copies into the current block; takes less when the block is full. */
  #gather(chunk: Buffer, offset: number, bytes: number): number {
    const block = this.#block ?? this.#nextBlock();
    const taken = Math.min(bytes, this.#blockLimit - this.#blockBytes);
    if (!isInPlace(chunk, offset, block, this.#blockBytes)) {
      chunk.copy(block, this.#blockBytes, offset, offset + taken);
    }
    this.#blockBytes += taken;
    this.#missingBytes -= taken;
    if (this.#blockBytes === this.#blockLimit && this.#missingBytes > 0) {
      this.#gathered.push(block.subarray(0, this.#blockLimit));
      this.#nextBlock();
    }
    return taken;
  }

  #nextBlock(): Buffer {
    this.#blockLimit = Math.min(this.#missingBytes, GATHER_BLOCK_BYTES);
    this.#blockBytes = 0;
    this.#block = blocks.take(this.#blockLimit);
    return this.#block;
  }

  #join(last: Buffer): Buffer {
    const whole = Buffer.concat([...this.#gathered, last.subarray(0, this.#blockBytes)]);
    this.#drop();
    return whole;
  }

  #drop(): void {
    this.#gathered = [];
    this.#block = null;
    this.#blockBytes = 0;
  }

  #fail(context: HandlerContext, error: Error): void {
    this.#state = "failed";
    this.#drop();
    this.#failInterceptor(error);
    context.fireExceptionCaught(error);
  }

  #failInterceptor(error: Error): void {
    const interceptor = this.#interceptor;
    this.#interceptor = null;
    interceptor?.exceptionCaught(error);
  }

  #refuse(firstBytes: Buffer): TransportError {
    const declared = firstBytes.readBigInt64BE(0) - BigInt(LENGTH_FIELD_BYTES);
    const contentBytes = BigInt.asIntN(64, declared);
    const text =
      contentBytes <= 0n
        ? `Frame length should be positive: ${contentBytes}`
        : `Too large frame: ${contentBytes}`;
    const foreign = this.#isFirstFrame ? identifyForeignProtocol(firstBytes) : null;
    if (foreign === null) return new TransportError("FRAME_LENGTH_INVALID", text, ILLEGAL_ARGUMENT);
    const culprit = `${text}: the peer sent ${foreign}`;
    return new TransportError("FOREIGN_PROTOCOL", culprit, ILLEGAL_ARGUMENT);
  }
}

/** The socket has put the bytes where they belong already. */
function isInPlace(chunk: Buffer, offset: number, block: Buffer, blockOffset: number): boolean {
  return (
    chunk.buffer === block.buffer && chunk.byteOffset + offset === block.byteOffset + blockOffset
  );
}

const ILLEGAL_ARGUMENT = { javaClass: "java.lang.IllegalArgumentException" };

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
