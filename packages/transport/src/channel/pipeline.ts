/**
 * The ordered, named handlers of one channel.
 *
 *     socket -> [front] tls, cipher, chunkedWriter, encoder, frameDecoder, decoder, idle, handler [back]
 *            <- writes
 *
 * Which events a handler implements is looked up when the pipeline changes, never per event: each
 * context holds, per event, the next context that wants it.
 */
import { TransportError } from "../transport-error.ts";
import type { Channel } from "./channel.ts";
import type { ChannelHandler, HandlerContext, WriteDone } from "./channel-handler.ts";

const INBOUND_EVENTS = [
  "channelActive",
  "channelInactive",
  "channelRead",
  "exceptionCaught",
  "userEventTriggered",
  "writabilityChanged",
] as const;

type InboundEvent = (typeof INBOUND_EVENTS)[number];

/** What the two ends of a pipeline do with what passed every handler. */
export interface PipelineEnds {
  /** Bytes that reached the front. */
  writeBytes(pieces: readonly Uint8Array[], done: WriteDone): void;
  /** An exception that no handler took. */
  unhandledException(error: Error): void;
}

/** See the file comment. Handlers may be added, replaced and removed while traffic flows. */
export class Pipeline {
  readonly #channel: Channel;
  readonly #ends: PipelineEnds;
  readonly #contexts: Context[] = [];
  readonly #front: Context;

  constructor(channel: Channel, ends: PipelineEnds) {
    this.#channel = channel;
    this.#ends = ends;
    this.#front = new Context("", {}, channel, ends);
  }

  /** Names from the socket's side to the back. */
  get names(): string[] {
    return this.#contexts.map((context) => context.name);
  }

  /** The handler of that name, or null. */
  get(name: string): ChannelHandler | null {
    return this.#contexts.find((context) => context.name === name)?.handler ?? null;
  }

  /** Nearest to the socket. */
  addFirst(name: string, handler: ChannelHandler): this {
    return this.#insert(0, name, handler);
  }

  /** Farthest from the socket. */
  addLast(name: string, handler: ChannelHandler): this {
    return this.#insert(this.#contexts.length, name, handler);
  }

  /** On the socket's side of another handler. */
  addBefore(other: string, name: string, handler: ChannelHandler): this {
    return this.#insert(this.#indexOf(other), name, handler);
  }

  /** On the far side of another handler. */
  addAfter(other: string, name: string, handler: ChannelHandler): this {
    return this.#insert(this.#indexOf(other) + 1, name, handler);
  }

  /** Puts another handler in the same place. */
  replace(old: string, name: string, handler: ChannelHandler): this {
    const index = this.#indexOf(old);
    if (name !== old) this.#refuseKnown(name);
    const context = new Context(name, handler, this.#channel, this.#ends);
    const [removed] = this.#contexts.splice(index, 1, context);
    this.#link();
    removed?.handler.handlerRemoved?.(removed);
    handler.handlerAdded?.(context);
    return this;
  }

  remove(name: string): ChannelHandler {
    const [removed] = this.#contexts.splice(this.#indexOf(name), 1);
    this.#link();
    if (removed === undefined) throw unknownHandler(name);
    removed.handler.handlerRemoved?.(removed);
    return removed.handler;
  }

  fireChannelActive(): void {
    this.#front.fireChannelActive();
  }

  fireChannelInactive(): void {
    this.#front.fireChannelInactive();
  }

  fireChannelRead(message: unknown): void {
    this.#front.fireChannelRead(message);
  }

  fireExceptionCaught(error: Error): void {
    this.#front.fireExceptionCaught(error);
  }

  fireUserEventTriggered(event: unknown): void {
    this.#front.fireUserEventTriggered(event);
  }

  fireWritabilityChanged(): void {
    this.#front.fireWritabilityChanged();
  }

  /** Where the first reader wants the next bytes. */
  readTarget(): Uint8Array | null {
    return this.#front.next.channelRead?.handler.readTarget?.() ?? null;
  }

  /** Sends a message through every outbound handler, beginning at the back. */
  write(message: unknown, done: WriteDone): void {
    const writer = this.#contexts.findLast((context) => context.handler.write !== undefined);
    (writer ?? this.#front).invokeWrite(message, done);
  }

  #insert(index: number, name: string, handler: ChannelHandler): this {
    this.#refuseKnown(name);
    const context = new Context(name, handler, this.#channel, this.#ends);
    this.#contexts.splice(index, 0, context);
    this.#link();
    handler.handlerAdded?.(context);
    return this;
  }

  /** Works out, for every context and event, who is next. A removed context keeps its old links. */
  #link(): void {
    const next: NextByEvent = emptyNext();
    for (const context of [...this.#contexts.toReversed(), this.#front]) {
      context.next = { ...next };
      for (const event of INBOUND_EVENTS) {
        if (context.handler[event] !== undefined) next[event] = context;
      }
    }
    let writer = this.#front;
    for (const context of this.#contexts) {
      context.nextWriter = writer;
      if (context.handler.write !== undefined) writer = context;
    }
  }

  #indexOf(name: string): number {
    const index = this.#contexts.findIndex((context) => context.name === name);
    if (index < 0) throw unknownHandler(name);
    return index;
  }

  #refuseKnown(name: string): void {
    if (this.get(name) !== null) {
      throw new TransportError("OPTION_INVALID", `the pipeline has a handler named ${name}`);
    }
  }
}

type NextByEvent = Record<InboundEvent, Context | null>;

function emptyNext(): NextByEvent {
  return {
    channelActive: null,
    channelInactive: null,
    channelRead: null,
    exceptionCaught: null,
    userEventTriggered: null,
    writabilityChanged: null,
  };
}

function unknownHandler(name: string): TransportError {
  return new TransportError("OPTION_INVALID", `the pipeline has no handler named ${name}`);
}

class Context implements HandlerContext {
  readonly name: string;
  readonly handler: ChannelHandler;
  readonly channel: Channel;
  readonly #ends: PipelineEnds;
  next: NextByEvent = emptyNext();
  /** Null at the front, where writes leave the pipeline. */
  nextWriter: Context | null = null;

  constructor(name: string, handler: ChannelHandler, channel: Channel, ends: PipelineEnds) {
    this.name = name;
    this.handler = handler;
    this.channel = channel;
    this.#ends = ends;
  }

  fireChannelActive(): void {
    const { channelActive } = this.next;
    channelActive?.handler.channelActive?.(channelActive);
  }

  fireChannelInactive(): void {
    const { channelInactive } = this.next;
    channelInactive?.handler.channelInactive?.(channelInactive);
  }

  fireChannelRead(message: unknown): void {
    const { channelRead } = this.next;
    channelRead?.handler.channelRead?.(channelRead, message);
  }

  fireExceptionCaught(error: Error): void {
    const { exceptionCaught } = this.next;
    if (exceptionCaught === null) this.#ends.unhandledException(error);
    else exceptionCaught.handler.exceptionCaught?.(exceptionCaught, error);
  }

  fireUserEventTriggered(event: unknown): void {
    const { userEventTriggered } = this.next;
    userEventTriggered?.handler.userEventTriggered?.(userEventTriggered, event);
  }

  fireWritabilityChanged(): void {
    const { writabilityChanged } = this.next;
    writabilityChanged?.handler.writabilityChanged?.(writabilityChanged);
  }

  write(message: unknown, done: WriteDone): void {
    (this.nextWriter ?? this).invokeWrite(message, done);
  }

  invokeWrite(message: unknown, done: WriteDone): void {
    if (this.handler.write !== undefined) this.handler.write(this, message, done);
    else this.#ends.writeBytes(message as readonly Uint8Array[], done);
  }
}
