/**
 * Sends frames in order. Bodies in memory, and small ones of files that are in memory, go out at once,
 * header and body in one gathered write. Small ones that have to be waited for are read ahead; all
 * others are sent piece by piece, with one piece read while the previous one is on its way.
 *
 * A frame is never interrupted. While a body is waited for, later frames wait behind it.
 */
import { BytesManagedBuffer } from "../buffer/bytes-managed-buffer.ts";
import { type FileSegment, readSegmentNow } from "../buffer/file-segment.ts";
import type { ManagedBuffer } from "../buffer/managed-buffer.ts";
import { readBuffers } from "../buffer/read-buffers.ts";
import { type LentMemory, SlabMemory } from "../buffer/slab-memory.ts";
import type { ChannelHandler, HandlerContext, WriteDone } from "../channel/channel-handler.ts";
import { TransportError } from "../transport-error.ts";
import { openFirst, sendOpened } from "./body-stream.ts";
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
      if (entry === undefined || (this.#mustWait && !isInMemory(entry.frame.body))) break;
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
        if (!this.#sendNow(context, frame, done)) return this.#beginSlowly(context, entry);
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
    return true;
  }

  get #mustWait(): boolean {
    return this.#untakenBytes >= UNTAKEN_BYTES_MAX;
  }

  #sendNow(context: HandlerContext, frame: OutboundFrame, done: WriteDone): boolean {
    const { header, body } = frame;
    if (isInMemory(body)) {
      writeWhole(context, frame, body, done);
      return true;
    }
    const segment = this.#mustWait ? null : smallSegment(body);
    if (segment === null) return false;
    // Header and body behind each other, and behind the frame before: what Node does for a piece of a
    // gathered write costs as much as copying 4 KiB.
    const memory = this.#memoryOfFiles.take(header.length + segment.length);
    memory.bytes.set(header);
    const count = readSegmentNow(segment, memory.bytes.subarray(header.length));
    if (count === segment.length) this.#writeRead(context, [memory.bytes], memory, { frame, done });
    else memory.giveBack();
    return count === segment.length;
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

  /** Sends a body that has to be waited for. Never rejects: a failure ends its own channel. */
  async #stream(context: HandlerContext, entry: Entry): Promise<void> {
    const { frame, done } = entry;
    const body = frame.body as ManagedBuffer;
    let failure: Error | null = null;
    this.#isStreaming = true;
    try {
      const opened = await openFirst(body);
      await sendOpened(frame, opened, {
        write: (pieces) => this.#writePiece(context, pieces),
        onLastPiece: () => this.#endStream(context),
      });
    } catch (error) {
      failure = error as Error;
    }
    body.release();
    done?.(failure);
    this.#forget(context, entry);
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
