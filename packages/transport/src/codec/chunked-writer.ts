/**
 * Sends frames in order. Bodies in memory go out at once, header and body in one gathered write. Those of
 * files that are in memory the system sends by itself, or small ones are read and go out as well. Small
 * ones that have to be waited for are read ahead; all others are sent piece by piece, with one piece read
 * while the previous one is on its way.
 *
 * A frame is never interrupted. While a body is waited for, later frames wait behind it.
 */
import { BytesManagedBuffer } from "../buffer/bytes-managed-buffer.ts";
import { type FileSegment, openSegmentNow } from "../buffer/file-segment.ts";
import type { ManagedBuffer } from "../buffer/managed-buffer.ts";
import { readBuffers } from "../buffer/read-buffers.ts";
import { type LentMemory, SlabMemory } from "../buffer/slab-memory.ts";
import type { ChannelHandler, HandlerContext, WriteDone } from "../channel/channel-handler.ts";
import { ASK_NEXT_TURN, type OpenFile } from "../platform/platform.ts";
import { TransportError } from "../transport-error.ts";
import { openFirst, sendOpened } from "./body-stream.ts";
import { type BegunFrame, sendFileRest } from "./file-rest.ts";
import type { OutboundFrame } from "./frame.ts";
import { type SegmentRead, SegmentReads } from "./segment-reads.ts";

/** What a waiting frame is taken to cost besides its bytes in memory. */
const ENTRY_BYTES = 512;

/**
 * What one with a body elsewhere is taken to cost. A hundred and some fill a channel, enough to read
 * ahead; further requests then stay the few bytes that they arrived as. As objects, thousands of them
 * would outlive one collection after the other (a storm of blocks of 16 KiB: half of the heap).
 */
const BODY_ENTRY_BYTES = 64 * 1024;

/** Segments of files up to here are read whole. */
const SMALL_BODY_BYTES_MAX = 256 * 1024;

/**
 * No body is begun while so many bytes of earlier ones wait for the system to take them: what a peer
 * asks for is not held in memory while that peer does not read.
 */
const UNTAKEN_BYTES_MAX = 1024 * 1024;

interface Entry {
  readonly frame: OutboundFrame;
  readonly done: WriteDone;
  readonly queuedBytes: number;
  /** Begun while the entry waits. */
  read: SegmentRead | null;
}

interface OpenSegment {
  readonly segment: FileSegment;
  readonly file: OpenFile;
}

/** Outbound handler: frames in, pieces of bytes out. */
export class ChunkedWriter implements ChannelHandler {
  readonly #queue: Entry[] = [];
  /** Both are made when they are needed: most connections never send a part of a file. */
  #memory: SlabMemory | null = null;
  #reads: SegmentReads | null = null;
  #isReadAheadDue = false;
  /** A body is being sent piece by piece. */
  #isStreaming = false;
  /** Of bodies that were not in memory. */
  #untakenBytes = 0;
  /** The socket will tell when it is worth asking to send a file. */
  #isAskingLater = false;

  write(context: HandlerContext, message: unknown, done: WriteDone): void {
    const frame = message as OutboundFrame;
    const isFirst = this.#queue.length === 0 && !this.#isStreaming;
    if (isFirst && this.#sendNow(context, frame, done)) return;
    this.#enqueue(context, frame, done);
    if (isFirst) this.#advance(context);
    else if (this.#reads?.isActive) this.#readAheadLater(context);
  }

  channelInactive(context: HandlerContext): void {
    for (const entry of this.#queue.splice(0)) {
      this.#forget(context, entry);
      entry.read?.giveBack();
      releaseBody(entry.frame);
      entry.done?.(new TransportError("CHANNEL_CLOSED", "the connection closed before the write"));
    }
    context.fireChannelInactive();
  }

  #enqueue(context: HandlerContext, frame: OutboundFrame, done: WriteDone): void {
    const { body, header } = frame;
    const queuedBytes = isInMemory(body)
      ? ENTRY_BYTES + header.length + (inMemoryView(body)?.length ?? 0)
      : BODY_ENTRY_BYTES;
    this.#queue.push({ frame, done, queuedBytes, read: null });
    context.channel.hold();
    context.channel.addQueuedBytes(queuedBytes);
  }

  #forget(context: HandlerContext, entry: Entry): void {
    context.channel.addQueuedBytes(-entry.queuedBytes);
    context.channel.releaseHold();
  }

  /** Sends what waits, up to a body that cannot be had in this turn. */
  #advance(context: HandlerContext): void {
    while (!this.#isStreaming) {
      const entry = this.#queue[0];
      if (entry === undefined || this.#mustWait(entry)) break;
      // Taken out first: a write may be reported within the call that makes it.
      this.#queue.shift();
      if (this.#begin(context, entry)) continue;
      this.#queue.unshift(entry);
      break;
    }
    if (this.#reads?.isActive && this.#queue.length > 0) this.#readAheadLater(context);
  }

  /** False when the entry has to wait. */
  #begin(context: HandlerContext, entry: Entry): boolean {
    const { frame, done, read } = entry;
    try {
      if (read === null) {
        const isSent = this.#sendNow(context, frame, done);
        if (!isSent) return !this.#isHeldUp && this.#beginSlowly(context, entry);
      } else {
        if (read.state === "missing") return this.#beginSlowly(context, entry);
        if (read.state === "reading") return false;
        this.#writeRead(context, [frame.header, read.bytes], read, entry);
      }
    } catch (error) {
      context.channel.abort(error as Error);
    }
    this.#forget(context, entry);
    return true;
  }

  /** For a body that cannot be had in this turn. A small one that was not read yet waits for that. */
  #beginSlowly(context: HandlerContext, entry: Entry): boolean {
    if (entry.read === null && smallSegment(entry.frame.body) !== null) {
      this.#readAheadLater(context);
      return false;
    }
    entry.read?.giveBack();
    void this.#stream(context, entry);
    this.#forget(context, entry);
    return true;
  }

  #mustWait({ frame, read }: Entry): boolean {
    if (isInMemory(frame.body)) return false;
    return read === null ? this.#isHeldUp : this.#untakenBytes >= UNTAKEN_BYTES_MAX;
  }

  /** No body is begun. */
  get #isHeldUp(): boolean {
    return this.#isAskingLater || this.#untakenBytes >= UNTAKEN_BYTES_MAX;
  }

  #sendNow(context: HandlerContext, frame: OutboundFrame, done: WriteDone): boolean {
    const { header, body } = frame;
    if (isInMemory(body)) {
      writeWhole(context, frame, body, done);
      return true;
    }
    const segment = this.#isHeldUp ? null : body.segment;
    const file = segment === null ? null : openSegmentNow(segment);
    if (segment === null || file === null) return false;
    const count = context.sendFile(header, file, segment.offset, segment.length);
    if (count > 0 && count < header.length + segment.length) {
      const begun = { header, segment, file, sentBytes: count };
      void this.#sendBody(context, frame, done, () => this.#sendRest(context, begun));
      return true;
    }
    const isRead = count === 0 && this.#sendRead(context, frame, done, { segment, file });
    closeUnlessKept(file, segment);
    if (count > 0) {
      body.release();
      done?.(null);
    } else if (count < 0) {
      this.#askLater(context, count);
    }
    return isRead || count > 0;
  }

  /** Reads a small body and sends it; false when that cannot be done in this turn. */
  #sendRead(
    context: HandlerContext,
    frame: OutboundFrame,
    done: WriteDone,
    { file, segment }: OpenSegment,
  ): boolean {
    const { header } = frame;
    if (segment.length > SMALL_BODY_BYTES_MAX) return false;
    // Header and body behind each other, and behind the frame before: what Node does for a piece of a
    // gathered write costs as much as copying 4 KiB.
    const memory = this.#memoryOfFiles.take(header.length + segment.length);
    memory.bytes.set(header);
    const count = file.readNow(memory.bytes.subarray(header.length), segment.offset);
    if (count === segment.length) this.#writeRead(context, [memory.bytes], memory, { frame, done });
    else memory.giveBack();
    return count === segment.length;
  }

  /** Begins no body until the socket can say more about sending files. */
  #askLater(context: HandlerContext, when: number): void {
    this.#isAskingLater = true;
    const goOn = (): void => {
      this.#isAskingLater = false;
      this.#advance(context);
    };
    if (when === ASK_NEXT_TURN) context.channel.clock.setImmediate(goOn);
    // Reported behind what the system has to take first. The end of a connection tells who waits.
    else context.write([], (error) => void (error === null && goOn()));
  }

  get #memoryOfFiles(): SlabMemory {
    this.#memory ??= new SlabMemory(readBuffers);
    return this.#memory;
  }

  /** Sends a frame whose body was read into `memory`. */
  #writeRead(
    context: HandlerContext,
    pieces: readonly Uint8Array[],
    memory: LentMemory,
    { frame, done }: Pick<Entry, "frame" | "done">,
  ): void {
    this.#writeCounted(context, pieces, (error) => {
      // What a connection that broke off did with the bytes is not known.
      if (error === null) memory.giveBack();
      (frame.body as ManagedBuffer).release();
      done?.(error);
    });
  }

  #writeCounted(
    context: HandlerContext,
    pieces: readonly Uint8Array[],
    done: (error: Error | null) => void,
  ): void {
    const bytes = pieces.at(-1)?.length ?? 0;
    context.write(pieces, (error) => {
      this.#untakenBytes -= bytes;
      done(error);
      // Of a connection that is lost nothing more is read: what waits is about to be told.
      if (error === null) this.#advance(context);
    });
    this.#untakenBytes += bytes;
  }

  /** Once all that was asked for in this turn waits in the queue, so that neighbours are found. */
  #readAheadLater(context: HandlerContext): void {
    if (this.#isReadAheadDue) return;
    this.#isReadAheadDue = true;
    queueMicrotask(() => {
      this.#isReadAheadDue = false;
      try {
        this.#readAhead(context);
      } catch (error) {
        context.channel.abort(error as Error);
      }
    });
  }

  #readAhead(context: HandlerContext): void {
    this.#reads ??= new SegmentReads(this.#memoryOfFiles, () => this.#advance(context));
    for (const entry of this.#queue) {
      const segment = entry.read === null ? smallSegment(entry.frame.body) : null;
      if (segment === null) continue;
      entry.read = this.#reads.tryAdd(segment);
      if (entry.read === null) break;
    }
    this.#reads.start();
  }

  /** Sends a body that has to be waited for. */
  #stream(context: HandlerContext, entry: Entry): Promise<void> {
    const { frame, done } = entry;
    return this.#sendBody(context, frame, done, async () => {
      const opened = await openFirst(frame.body as ManagedBuffer);
      await sendOpened(frame, opened, {
        write: (pieces) => this.#writePiece(context, pieces),
        onLastPiece: () => this.#endStream(context),
      });
    });
  }

  /** Sends what is left of a body that the system began to send, and closes its file. */
  async #sendRest(context: HandlerContext, begun: BegunFrame): Promise<void> {
    try {
      await sendFileRest(context, begun, async (bytes, fill) => {
        const memory = this.#memoryOfFiles.take(bytes);
        await fill(memory.bytes);
        await this.#writePiece(context, [memory.bytes]);
        memory.giveBack();
      });
    } finally {
      closeUnlessKept(begun.file, begun.segment);
    }
    this.#endStream(context);
  }

  /** Keeps the channel while `send` is at work. Never rejects: a failure ends its own channel. */
  async #sendBody(
    context: HandlerContext,
    frame: OutboundFrame,
    done: WriteDone,
    send: () => Promise<void>,
  ): Promise<void> {
    let failure: Error | null = null;
    this.#isStreaming = true;
    context.channel.hold();
    try {
      await send();
    } catch (error) {
      failure = error as Error;
    }
    releaseBody(frame);
    done?.(failure);
    context.channel.releaseHold();
    // Nothing follows a frame that broke off: what waits is told when the channel is gone.
    if (failure !== null) context.channel.abort(failure);
  }

  #endStream(context: HandlerContext): void {
    this.#isStreaming = false;
    this.#advance(context);
  }

  #writePiece(context: HandlerContext, pieces: readonly Uint8Array[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#writeCounted(context, pieces, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }
}

function closeUnlessKept(file: OpenFile, segment: FileSegment): void {
  // Nothing was written, so closing cannot lose anything.
  if (file !== segment.opened) file.close().catch(() => {});
}

type InMemoryBody = Uint8Array | BytesManagedBuffer | null;

function isInMemory(body: OutboundFrame["body"]): body is InMemoryBody {
  return body === null || body instanceof Uint8Array || body instanceof BytesManagedBuffer;
}

function inMemoryView(body: InMemoryBody): Uint8Array | null {
  return body instanceof BytesManagedBuffer ? body.view : body;
}

function releaseBody(frame: OutboundFrame): void {
  if (frame.body !== null && !(frame.body instanceof Uint8Array)) frame.body.release();
}

function writeWhole(
  context: HandlerContext,
  frame: OutboundFrame,
  body: InMemoryBody,
  done: WriteDone,
): void {
  const view = inMemoryView(body);
  const pieces = view === null || view.length === 0 ? [frame.header] : [frame.header, view];
  if (!(body instanceof BytesManagedBuffer)) {
    context.write(pieces, done);
    return;
  }
  context.write(pieces, (error) => {
    body.release();
    done?.(error);
  });
}

function smallSegment(body: OutboundFrame["body"]): FileSegment | null {
  if (body === null || body instanceof Uint8Array || body.size > SMALL_BODY_BYTES_MAX) return null;
  return body.segment;
}
