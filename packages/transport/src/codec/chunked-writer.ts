/**
 * Sends frames in order: those in memory in one gathered write, those from files and streams piece
 * by piece, with one piece read ahead while the previous one is on its way.
 *
 * A frame is never interrupted. While a body is being read, later frames wait behind it.
 */
import { BytesManagedBuffer } from "../buffer/bytes-managed-buffer.ts";
import type { BodyReader, ManagedBuffer } from "../buffer/managed-buffer.ts";
import type { ChannelHandler, HandlerContext, WriteDone } from "../channel/channel-handler.ts";
import { TransportError } from "../transport-error.ts";
import type { OutboundFrame } from "./frame.ts";

/** What a waiting frame is taken to cost besides its bytes in memory. */
const ENTRY_BYTES = 512;

/**
 * Bodies that are opened, and their first piece read, while they wait. Small blocks from disk come
 * one trip to the thread pool after the other otherwise: with 16 on their way a storm of them goes
 * more than twice as fast.
 */
const AHEAD_MAX = 16;
/** Only bodies up to here, so that at most 4 MiB a connection are read ahead. */
const AHEAD_BODY_BYTES_MAX = 256 * 1024;

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
  #isPumping = false;

  write(context: HandlerContext, message: unknown, done: WriteDone): void {
    const frame = message as OutboundFrame;
    const { body } = frame;
    if (!this.#isPumping && isInMemory(body)) writeWhole(context, frame, body, done);
    else this.#enqueue(context, frame, done);
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
    const entry: Entry = { frame, done, queuedBytes, opened: null };
    this.#queue.push(entry);
    if (this.#queue.length <= AHEAD_MAX) openAhead(entry);
    context.channel.hold();
    context.channel.addQueuedBytes(queuedBytes);
    if (!this.#isPumping) void this.#pump(context);
  }

  /** Never rejects: a failure ends its own channel. */
  async #pump(context: HandlerContext): Promise<void> {
    this.#isPumping = true;
    for (let entry = this.#queue.shift(); entry !== undefined; entry = this.#queue.shift()) {
      const { frame, done } = entry;
      const next = this.#queue[AHEAD_MAX - 1];
      if (next !== undefined) openAhead(next);
      try {
        if (isInMemory(frame.body)) writeWhole(context, frame, frame.body, done);
        else await writeStreamed(context, entry, frame.body);
      } catch (error) {
        context.channel.abort(error as Error);
      }
      this.#forget(context, entry);
    }
    this.#isPumping = false;
  }

  #forget(context: HandlerContext, entry: Entry): void {
    context.channel.addQueuedBytes(-entry.queuedBytes);
    context.channel.releaseHold();
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

function openAhead(entry: Entry): void {
  const { body } = entry.frame;
  if (isInMemory(body) || body.size > AHEAD_BODY_BYTES_MAX) return;
  entry.opened ??= openFirst(body);
}

async function writeStreamed(
  context: HandlerContext,
  entry: Entry,
  body: ManagedBuffer,
): Promise<void> {
  const { frame, done } = entry;
  let failure: Error | null = null;
  try {
    const opened = await (entry.opened ?? openFirst(body));
    if (opened instanceof Error) await writeSubstitute(context, frame, opened);
    else await writePieces(context, frame.header, opened);
  } catch (error) {
    failure = error as Error;
  }
  body.release();
  done?.(failure);
  if (failure !== null) throw failure;
}

interface OpenedBody {
  readonly reader: BodyReader;
  readonly first: Uint8Array | null;
}

/** Opens a body and reads its first piece, so that a failure can still be told to the peer. */
async function openFirst(body: ManagedBuffer): Promise<OpenedBody | Error> {
  let reader: BodyReader;
  try {
    reader = await body.open();
  } catch (error) {
    return error as Error;
  }
  try {
    return { reader, first: await reader.next() };
  } catch (error) {
    await reader.close();
    return error as Error;
  }
}

function closeOpened(opened: OpenedBody | Error): void {
  if (!(opened instanceof Error)) opened.reader.close().catch(() => {});
}

async function writePieces(
  context: HandlerContext,
  header: Buffer,
  { reader, first }: OpenedBody,
): Promise<void> {
  try {
    let written = writeNow(context, first === null ? [header] : [header, first]);
    for (let isOpen = first !== null; isOpen; ) {
      // A piece stays valid until the second following next(): the previous write ends before that.
      const [piece] = await Promise.all([reader.next(), written]);
      isOpen = piece !== null;
      if (piece !== null) written = writeNow(context, [piece]);
    }
    await written;
  } finally {
    await reader.close();
  }
}

async function writeSubstitute(
  context: HandlerContext,
  frame: OutboundFrame,
  cause: Error,
): Promise<void> {
  if (frame.substitute === null) throw cause;
  await writeNow(context, [frame.substitute(cause)]);
}

/** Resolves when the system took the bytes. */
function writeNow(context: HandlerContext, pieces: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve, reject) => {
    context.write(pieces, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}
