/**
 * The ordered, named handlers of one channel.
 *
 *     socket -> [front] tls, cipher, chunkedWriter, encoder, frameDecoder, decoder, idle, handler [back]
 *            <- writes
 *
 * A ring: each handler has a context, and one more context, the edge, lies between the back and the
 * front. What passes every handler ends there. Which events a handler implements is worked out when
 * it is added, never per event; an event walks to the next context that has its bit.
 */
import type { OpenFile } from "../platform/platform.ts";
import { TransportError } from "../transport-error.ts";
import type { Channel } from "./channel.ts";
import type { ChannelHandler, HandlerContext, WriteDone } from "./channel-handler.ts";

const ACTIVE = 1;
const INACTIVE = 2;
const READ = 4;
const EXCEPTION = 8;
const USER_EVENT = 16;
const WRITABILITY = 32;
const WRITE = 64;

/** What the two ends of a pipeline do with what passed every handler. */
export interface PipelineEnds {
  /** Bytes that reached the front. */
  writeBytes(pieces: readonly Uint8Array[], done: WriteDone): void;
  /** As `sendFile` of Socket. */
  sendFile(header: Uint8Array, file: OpenFile, position: number, length: number): number;
  /** An exception that no handler took. */
  unhandledException(error: Error): void;
}

/** See the file comment. Handlers may be added, replaced and removed while traffic flows. */
export class Pipeline {
  readonly channel: Channel;
  readonly ends: PipelineEnds;
  readonly #edge: Context;

  constructor(channel: Channel, ends: PipelineEnds) {
    this.channel = channel;
    this.ends = ends;
    this.#edge = new Context("", EDGE, this);
  }

  /** Names from the socket's side to the back. */
  get names(): string[] {
    const names: string[] = [];
    for (let at = this.#edge.next; at !== this.#edge; at = at.next) names.push(at.name);
    return names;
  }

  /** The handler of that name, or null. */
  get(name: string): ChannelHandler | null {
    return this.#find(name)?.handler ?? null;
  }

  /** Nearest to the socket. */
  addFirst(name: string, handler: ChannelHandler): this {
    return this.#insertAfter(this.#edge, name, handler);
  }

  /** Farthest from the socket. */
  addLast(name: string, handler: ChannelHandler): this {
    return this.#insertAfter(this.#edge.previous, name, handler);
  }

  /** On the socket's side of another handler. */
  addBefore(other: string, name: string, handler: ChannelHandler): this {
    return this.#insertAfter(this.#existing(other).previous, name, handler);
  }

  /** On the far side of another handler. */
  addAfter(other: string, name: string, handler: ChannelHandler): this {
    return this.#insertAfter(this.#existing(other), name, handler);
  }

  /** Puts another handler in the same place. */
  replace(old: string, name: string, handler: ChannelHandler): this {
    const removed = this.#existing(old);
    if (name !== old) this.#refuseKnown(name);
    const context = new Context(name, handler, this);
    removed.unlink();
    context.linkAfter(removed.previous);
    removed.handler.handlerRemoved?.(removed);
    handler.handlerAdded?.(context);
    return this;
  }

  remove(name: string): ChannelHandler {
    const removed = this.#existing(name);
    removed.unlink();
    removed.handler.handlerRemoved?.(removed);
    return removed.handler;
  }

  fireChannelActive(): void {
    this.#edge.fireChannelActive();
  }

  fireChannelInactive(): void {
    this.#edge.fireChannelInactive();
  }

  fireChannelRead(message: unknown): void {
    this.#edge.fireChannelRead(message);
  }

  fireExceptionCaught(error: Error): void {
    this.#edge.fireExceptionCaught(error);
  }

  fireUserEventTriggered(event: unknown): void {
    this.#edge.fireUserEventTriggered(event);
  }

  fireWritabilityChanged(): void {
    this.#edge.fireWritabilityChanged();
  }

  /** Where the first reader wants the next bytes. */
  readTarget(): Uint8Array | null {
    return this.#edge.following(READ).handler.readTarget?.() ?? null;
  }

  /** Sends a message through every outbound handler, beginning at the back. */
  write(message: unknown, done: WriteDone): void {
    this.#edge.write(message, done);
  }

  #insertAfter(place: Context, name: string, handler: ChannelHandler): this {
    this.#refuseKnown(name);
    const context = new Context(name, handler, this);
    context.linkAfter(place);
    handler.handlerAdded?.(context);
    return this;
  }

  #find(name: string): Context | null {
    for (let at = this.#edge.next; at !== this.#edge; at = at.next) {
      if (at.name === name) return at;
    }
    return null;
  }

  #existing(name: string): Context {
    const context = this.#find(name);
    if (context !== null) return context;
    throw new TransportError("OPTION_INVALID", `the pipeline has no handler named ${name}`);
  }

  #refuseKnown(name: string): void {
    if (this.#find(name) !== null) {
      throw new TransportError("OPTION_INVALID", `the pipeline has a handler named ${name}`);
    }
  }
}

class Context implements HandlerContext {
  readonly name: string;
  readonly handler: ChannelHandler;
  readonly pipeline: Pipeline;
  /** One bit for each event that the handler implements. */
  readonly #events: number;
  next: Context = this;
  previous: Context = this;

  constructor(name: string, handler: ChannelHandler, pipeline: Pipeline) {
    this.name = name;
    this.handler = handler;
    this.pipeline = pipeline;
    this.#events = eventsOf(handler);
  }

  get channel(): Channel {
    return this.pipeline.channel;
  }

  linkAfter(place: Context): void {
    this.previous = place;
    this.next = place.next;
    place.next.previous = this;
    place.next = this;
  }

  /** Keeps its own links, so that what its handler still passes on finds its way. */
  unlink(): void {
    this.previous.next = this.next;
    this.next.previous = this.previous;
  }

  /** The next context towards the back that has the event. The edge has all. */
  following(event: number): Context {
    let at = this.next;
    while ((at.#events & event) === 0) at = at.next;
    return at;
  }

  fireChannelActive(): void {
    const next = this.following(ACTIVE);
    next.handler.channelActive?.(next);
  }

  fireChannelInactive(): void {
    const next = this.following(INACTIVE);
    next.handler.channelInactive?.(next);
  }

  fireChannelRead(message: unknown): void {
    const next = this.following(READ);
    next.handler.channelRead?.(next, message);
  }

  fireExceptionCaught(error: Error): void {
    const next = this.following(EXCEPTION);
    next.handler.exceptionCaught?.(next, error);
  }

  fireUserEventTriggered(event: unknown): void {
    const next = this.following(USER_EVENT);
    next.handler.userEventTriggered?.(next, event);
  }

  fireWritabilityChanged(): void {
    const next = this.following(WRITABILITY);
    next.handler.writabilityChanged?.(next);
  }

  write(message: unknown, done: WriteDone): void {
    const next = this.#nextWriter();
    next.handler.write?.(next, message, done);
  }

  sendFile(header: Uint8Array, file: OpenFile, position: number, length: number): number {
    if (this.#nextWriter().handler !== EDGE) return 0;
    return this.pipeline.ends.sendFile(header, file, position, length);
  }

  #nextWriter(): Context {
    let at = this.previous;
    while ((at.#events & WRITE) === 0) at = at.previous;
    return at;
  }
}

/** Takes what passed every handler; the same for all pipelines. */
const EDGE: ChannelHandler = {
  channelActive: () => {},
  channelInactive: () => {},
  channelRead: () => {},
  exceptionCaught: (context, error) => endsOf(context).unhandledException(error),
  userEventTriggered: () => {},
  writabilityChanged: () => {},
  write: (context, message, done) =>
    endsOf(context).writeBytes(message as readonly Uint8Array[], done),
};

function endsOf(context: HandlerContext): PipelineEnds {
  return (context as Context).pipeline.ends;
}

function eventsOf(handler: ChannelHandler): number {
  return (
    (handler.channelActive === undefined ? 0 : ACTIVE) |
    (handler.channelInactive === undefined ? 0 : INACTIVE) |
    (handler.channelRead === undefined ? 0 : READ) |
    (handler.exceptionCaught === undefined ? 0 : EXCEPTION) |
    (handler.userEventTriggered === undefined ? 0 : USER_EVENT) |
    (handler.writabilityChanged === undefined ? 0 : WRITABILITY) |
    (handler.write === undefined ? 0 : WRITE)
  );
}
