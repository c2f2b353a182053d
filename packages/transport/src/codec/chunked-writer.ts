/**
 * Sends frames in order. Bodies in memory, and small ones of files that are in memory, go out at once,
 * header and body in one gathered write. The others are sent piece by piece, with one piece read ahead
 * while the previous one is on its way.
 *
 * A frame is never interrupted. While a body is being read, later frames wait behind it.
 */
import { BytesManagedBuffer } from "../buffer/bytes-managed-buffer.ts";
import type { ManagedBuffer } from "../buffer/managed-buffer.ts";
import { readBuffers } from "../buffer/read-buffers.ts";
import { SlabMemory } from "../buffer/slab-memory.ts";
import type { ChannelHandler, HandlerContext, WriteDone } from "../channel/channel-handler.ts";
import { TransportError } from "../transport-error.ts";
import { closeOpened, type OpenedBody, openFirst, sendOpened } from "./body-stream.ts";
import type { OutboundFrame } from "./frame.ts";

/** What a waiting frame is taken to cost besides its bytes in memory. */
const ENTRY_BYTES = 512;

/** Bodies up to here are read whole. */
const SMALL_BODY_BYTES_MAX = 256 * 1024;

/**
 * No body is begun while so many bytes of earlier ones wait for the system to take them: what a peer
 * asks for is not held in memory while that peer does not read.
 */
const UNTAKEN_BYTES_MAX = 1024 * 1024;

/**
 * Small bodies that are opened, and read, while they wait for one that waits for the disk. They come
 * one trip to the thread pool after the other otherwise: with 16 on their way a storm of them goes
 * more than twice as fast.
 */
const AHEAD_MAX = 16;

interface Entry {
  readonly frame: OutboundFrame;
  readonly done: WriteDone;
  readonly queuedBytes: number;
  /** Begun while the entry waits; never rejects. */
  opened: Promise<OpenedBody | Error> | null;
}

/** Outbound handler: frames in, pieces of bytes out. */
export class ChunkedWriter implements ChannelHandler {
  readonly #queue: Entry[] = [];
  readonly #memory: SlabMemory = new SlabMemory(readBuffers);
  /** A body is being sent that has to be waited for. */
  #isStreaming = false;
  /** Of bodies that are not in memory. */
  #untakenBytes = 0;

  write(context: HandlerContext, message: unknown, done: WriteDone): void {
    const frame = message as OutboundFrame;
    const isFirst = this.#queue.length === 0 && !this.#isStreaming;
    if (isFirst && this.#sendNow(context, frame, done)) return;
    this.#enqueue(context, frame, done);
    if (isFirst) this.#advance(context);
    else if (this.#isStreaming && this.#queue.length <= AHEAD_MAX) openAhead(this.#queue.at(-1));
  }

  channelInactive(context: HandlerContext): void {
    for (const entry of this.#queue.splice(0)) {
      this.#forget(context, entry);
      void entry.opened?.then(closeOpened);
      releaseBody(entry.frame);
      entry.done?.(new TransportError("CHANNEL_CLOSED", "the connection closed before the write"));
    }
    context.fireChannelInactive();
  }

  #enqueue(context: HandlerContext, frame: OutboundFrame, done: WriteDone): void {
    const { body } = frame;
    const bodyBytes = isInMemory(body) ? (inMemoryView(body)?.length ?? 0) : 0;
    const queuedBytes = ENTRY_BYTES + frame.header.length + bodyBytes;
    this.#queue.push({ frame, done, queuedBytes, opened: null });
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
      if (entry === undefined || this.#mustWait(entry.frame.body)) return;
      this.#queue.shift();
      if (!this.#sendEntryNow(context, entry)) void this.#stream(context, entry);
    }
  }

  #mustWait(body: OutboundFrame["body"]): boolean {
    return this.#untakenBytes >= UNTAKEN_BYTES_MAX && !isInMemory(body);
  }

  #sendEntryNow(context: HandlerContext, entry: Entry): boolean {
    try {
      if (entry.opened !== null) return false;
      if (!this.#sendNow(context, entry.frame, entry.done)) return false;
    } catch (error) {
      context.channel.abort(error as Error);
    }
    this.#forget(context, entry);
    return true;
  }

  #sendNow(context: HandlerContext, frame: OutboundFrame, done: WriteDone): boolean {
    const { body } = frame;
    if (isInMemory(body)) {
      writeWhole(context, frame, body, done);
      return true;
    }
    if (body.size > SMALL_BODY_BYTES_MAX || this.#mustWait(body)) return false;
    const memory = this.#memory.take(body.size);
    if (!body.readNow(memory.bytes)) {
      memory.giveBack();
      return false;
    }
    this.#writeCounted(context, [frame.header, memory.bytes], (error) => {
      // What a connection that broke off did with the bytes is not known.
      if (error === null) memory.giveBack();
      body.release();
      done?.(error);
    });
    return true;
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
      this.#advance(context);
    });
    this.#untakenBytes += bytes;
  }

  /** Sends a body that has to be waited for. Never rejects: a failure ends its own channel. */
  async #stream(context: HandlerContext, entry: Entry): Promise<void> {
    const { frame, done } = entry;
    const body = frame.body as ManagedBuffer;
    let failure: Error | null = null;
    this.#isStreaming = true;
    for (const next of this.#queue.slice(0, AHEAD_MAX)) openAhead(next);
    try {
      const opened = await (entry.opened ?? openFirst(body));
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

function openAhead(entry: Entry | undefined): void {
  if (entry === undefined || isInMemory(entry.frame.body)) return;
  if (entry.frame.body.size <= SMALL_BODY_BYTES_MAX) entry.opened ??= openFirst(entry.frame.body);
}
