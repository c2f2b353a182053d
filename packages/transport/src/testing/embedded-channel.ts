/**
 * A channel without a socket: bytes go in by hand, what would be sent is collected.
 *
 *     const embedded = new EmbeddedChannel([["frameDecoder", new FrameDecoder()]]);
 *     embedded.writeInbound(bytes);
 *     embedded.readInbound(); // what left the last handler
 */

import { BlockLease } from "../buffer/block-pool.ts";
import { Channel } from "../channel/channel.ts";
import type { ChannelHandler, HandlerContext, WriteDone } from "../channel/channel-handler.ts";
import type { InboundFrame } from "../codec/frame.ts";
import type { Clock, Socket, SocketEvents } from "../platform/platform.ts";
import type { OneWayMessage } from "../protocol/message.ts";
import { ManualClock } from "./manual-clock.ts";

/** What {@link EmbeddedChannel} takes. */
export interface EmbeddedChannelOptions {
  /** Default: a ManualClock, reachable as `clock`. */
  readonly clock?: Clock | undefined;
  /** Keep writes pending until `completeWrites()`. Default: they complete at once. */
  readonly holdWrites?: boolean | undefined;
}

/** See the file comment. */
export class EmbeddedChannel {
  readonly channel: Channel;
  readonly clock: Clock;
  readonly #socket: EmbeddedSocket;
  readonly #inbound: unknown[] = [];
  readonly #exceptions: Error[] = [];
  readonly #events: unknown[] = [];

  /** Handlers are added in the order given, the first one nearest to the socket. */
  constructor(
    handlers: readonly (readonly [name: string, handler: ChannelHandler])[],
    options: EmbeddedChannelOptions = {},
  ) {
    this.clock = options.clock ?? new ManualClock();
    this.#socket = new EmbeddedSocket(options.holdWrites ?? false);
    this.channel = new Channel({ socket: this.#socket, clock: this.clock });
    for (const [name, handler] of handlers) this.channel.pipeline.addLast(name, handler);
    this.channel.pipeline.addLast("collector", this.#collector());
    this.channel.start();
  }

  /** Bytes from the peer. */
  writeInbound(bytes: Uint8Array): void {
    this.#socket.events.onData(bytes);
  }

  /** A message that starts behind the front of the pipeline, as if a decoder had made it. */
  fireInbound(message: unknown): void {
    this.channel.pipeline.fireChannelRead(message);
  }

  /** The next message that passed every handler; undefined when there is none. */
  readInbound(): unknown {
    return this.#inbound.shift();
  }

  /** The next exception that passed every handler; undefined when there is none. */
  readException(): Error | undefined {
    return this.#exceptions.shift();
  }

  /** The next user event that passed every handler; undefined when there is none. */
  readUserEvent(): unknown {
    return this.#events.shift();
  }

  /** Sends a message through the pipeline. */
  writeOutbound(message: unknown, done: WriteDone = null): boolean {
    return this.channel.write(message, done);
  }

  /** Everything that reached the socket since the last call, joined. */
  takeOutboundBytes(): Buffer {
    return Buffer.concat(this.#socket.takePieces());
  }

  /** Completes writes that are held, with an error when given. */
  completeWrites(error: Error | null = null): void {
    this.#socket.completeWrites(error);
  }

  /** The peer closes the connection, with an error when it was lost. */
  disconnect(error: Error | null = null): void {
    this.#socket.disconnect(error);
  }

  /** True after the channel asked the socket to close. */
  get isSocketClosed(): boolean {
    return this.#socket.isClosed;
  }

  #collector(): ChannelHandler {
    return {
      channelRead: (_context: HandlerContext, message: unknown) => {
        keepBlock(message);
        this.#inbound.push(message);
      },
      exceptionCaught: (_context: HandlerContext, error: Error) =>
        void this.#exceptions.push(error),
      userEventTriggered: (_context: HandlerContext, event: unknown) =>
        void this.#events.push(event),
    };
  }
}

/** A test reads later what was only lent for the turn. Bytes that it passed in itself stay its own. */
function keepBlock(message: unknown): void {
  if (typeof message !== "object" || message === null) return;
  const { lease, bytes, bodyLease, body } = message as Partial<InboundFrame & OneWayMessage>;
  if (lease instanceof BlockLease && bytes !== undefined) lease.keep(bytes);
  if (bodyLease instanceof BlockLease && body instanceof Uint8Array) bodyLease.keep(body);
}

interface HeldWrite {
  readonly bytes: number;
  readonly onWritten: ((error: Error | null) => void) | null;
}

class EmbeddedSocket implements Socket {
  readonly remoteAddress = { host: "192.0.2.1", port: 7337 };
  readonly localAddress = { host: "192.0.2.2", port: 40_000 };
  readonly #holdsWrites: boolean;
  #events: SocketEvents | null = null;
  #pieces: Uint8Array[] = [];
  #held: HeldWrite[] = [];
  isClosed = false;

  constructor(holdsWrites: boolean) {
    this.#holdsWrites = holdsWrites;
  }

  get events(): SocketEvents {
    if (this.#events === null) throw new Error("the embedded channel was not started");
    return this.#events;
  }

  get pendingBytes(): number {
    return this.#held.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  start(events: SocketEvents): void {
    this.#events = events;
  }

  write(pieces: readonly Uint8Array[], onWritten: HeldWrite["onWritten"]): void {
    if (this.isClosed) {
      onWritten?.(new Error("the socket is closed"));
      return;
    }
    // Copied, because a body may reuse its buffer once the write is complete.
    this.#pieces.push(...pieces.map((piece) => Buffer.from(piece)));
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (this.#holdsWrites) this.#held.push({ bytes, onWritten });
    else this.#report([{ bytes, onWritten }], null);
  }

  sendFile(): number {
    return 0;
  }

  takePieces(): Uint8Array[] {
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  completeWrites(error: Error | null): void {
    const held = this.#held;
    this.#held = [];
    this.#report(held, error);
  }

  #report(writes: readonly HeldWrite[], error: Error | null): void {
    if (error === null) this.#events?.onSent?.();
    for (const { onWritten } of writes) onWritten?.(error);
  }

  disconnect(error: Error | null): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.completeWrites(error ?? new Error("the socket is closed"));
    this.#events?.onClose(error);
  }

  pauseReading(): void {}
  resumeReading(): void {}

  end(): void {
    this.completeWrites(null);
    this.disconnect(null);
  }

  destroy(): void {
    this.disconnect(null);
  }
}
