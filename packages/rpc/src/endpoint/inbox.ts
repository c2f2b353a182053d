/**
 * The messages that wait for one endpoint, and the turn-taking that handles them in order.
 *
 *     open -> stopping -> stopped
 */
import type { Clock, Logger } from "@bm/transport";
import { handlerFailure } from "../message/envelope.ts";
import { RpcError } from "../rpc-error.ts";
import { ConnectionEvents } from "./connection-events.ts";
import { type InboxEntry, InboxQueue } from "./inbox-queue.ts";
import { LaterReply } from "./reply-later.ts";
import type { RpcEndpoint, RpcPeer } from "./rpc-endpoint.ts";
import type { RpcEndpointRef } from "./rpc-endpoint-ref.ts";

/** How much may wait. */
export interface InboxLimits {
  /** Messages that wait for their turn or for a later answer. */
  readonly entriesMax: number;
  /** Payload bytes that came over the network and wait. One message always fits an empty inbox. */
  readonly bytesMax: number;
  /**
   * What happens to a message beyond them: it is refused with INBOX_FULL, or taken, and its
   * connection is not read from until there is room again.
   */
  readonly whenFull: "refuse" | "hold";
}

/** What an inbox needs to know about its surroundings. */
export interface InboxOptions {
  readonly self: RpcEndpointRef;
  readonly endpoint: RpcEndpoint;
  readonly limits: InboxLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What an endpoint is doing, and what waits for it. */
export interface EndpointState {
  readonly name: string;
  /** Messages that wait for their turn. */
  readonly waitingMessages: number;
  /** Payload bytes of those that came over the network. */
  readonly waitingBytes: number;
  /** Messages that were handled and whose answer comes later. */
  readonly laterReplies: number;
  /** Type of the message whose handler has not returned or settled; null when there is none. */
  readonly handling: string | null;
}

/** Messages handled before other work of the process gets its turn. */
const MESSAGES_PER_TURN = 64;

/** See the file comment. */
export class Inbox {
  readonly endpoint: RpcEndpoint;
  /** Settles when `onStop` has; never rejects. */
  readonly stopped: Promise<void>;
  readonly #options: InboxOptions;
  readonly #queue = new InboxQueue();
  readonly #events: ConnectionEvents;
  #laterReplies = 0;
  #handling: string | null = null;
  #state: "open" | "stopping" | "stopped" = "open";
  #wakeUp: (() => void) | null = null;
  #whenRoom: (() => void)[] = [];

  constructor(options: InboxOptions) {
    this.endpoint = options.endpoint;
    this.#options = options;
    this.#events = new ConnectionEvents(options.endpoint);
    this.stopped = this.#run();
  }

  /** Messages that wait for their turn, or whose answer comes later. */
  get size(): number {
    return this.#queue.length + this.#laterReplies;
  }

  /** What goes on now. */
  get current(): EndpointState {
    return {
      name: this.#options.self.name,
      waitingMessages: this.#queue.length,
      waitingBytes: this.#queue.payloadBytes,
      laterReplies: this.#laterReplies,
      handling: this.#handling,
    };
  }

  /** Whether a peer that brings messages is to wait now. */
  get holdsPeers(): boolean {
    return this.#options.limits.whenFull === "hold" && this.#isFullFor(0);
  }

  /** Takes a message in. @throws RpcError INBOX_FULL, ENDPOINT_NOT_FOUND */
  post(entry: InboxEntry): void {
    if (this.#state !== "open") throw this.#gone();
    const isFromPeer = entry.call.remoteAddress !== null;
    const isHeldInstead = isFromPeer && this.#options.limits.whenFull === "hold";
    if (!isHeldInstead && this.#isFullFor(entry.payloadBytes)) throw this.#full();
    this.#push(entry);
  }

  /** Calls once as soon as less than half of the limits is used, at the latest at the end. */
  whenRoom(callback: () => void): void {
    this.#whenRoom.push(callback);
  }

  /** Tells the endpoint, in turn, that a connection was made. */
  connected(peer: RpcPeer): void {
    const event = this.#events.connected(peer);
    if (event === null || this.#state !== "open") return;
    if (!this.#isFullFor(0)) return this.#push(event);
    this.#events.forget(peer);
    this.#warn(`is not told that ${peer.remoteAddress} is connected: its inbox is full`);
  }

  /** The same of its end, of which every endpoint learns that knows of its beginning. */
  disconnected(peer: RpcPeer): void {
    const event = this.#events.disconnected(peer);
    if (event !== null && this.#state === "open") this.#push(event);
  }

  /** The same of a failure; left to the log while the inbox is full. */
  networkFailed(error: Error, peer: RpcPeer): void {
    const event = this.#events.failed(error, peer);
    if (event === null || this.#state !== "open") return;
    if (!this.#isFullFor(0)) return this.#push(event);
    this.#warn(`is not told of a failure of ${peer.remoteAddress}: ${error.message}`);
  }

  /** Refuses new messages, handles those that wait, then runs `onStop`. Safe to call twice. */
  stop(): void {
    if (this.#state === "open") this.#state = "stopping";
    this.#wake();
    this.#tellRoom();
  }

  /** Like `stop`, but what waits fails with `reason` at once. Safe to call twice. */
  abort(reason: RpcError): void {
    this.stop();
    for (let entry = this.#queue.take(); entry !== null; entry = this.#queue.take()) {
      entry.sink?.onFailure(reason);
    }
  }

  async #run(): Promise<void> {
    // The endpoint starts in a turn of its own, when whoever set it up is done.
    await Promise.resolve();
    if (await this.#guarded("onStart", () => this.endpoint.onStart(this.#options.self))) {
      await this.#handleAll();
    } else {
      this.abort(this.#gone());
    }
    await this.#guarded("onStop", () => this.endpoint.onStop());
    this.#state = "stopped";
  }

  async #handleAll(): Promise<void> {
    let handledInTurn = 0;
    for (;;) {
      const entry = this.#queue.take();
      if (entry !== null) {
        this.#tellRoom();
        const pending = this.#handle(entry);
        if (pending !== null) await pending;
        handledInTurn += 1;
        if (handledInTurn % MESSAGES_PER_TURN === 0) await this.#nextTurn();
      } else if (this.#state === "open") {
        await this.#moreMessages();
      } else {
        return;
      }
    }
  }

  /** Handles one message; gives a promise, which never rejects, when it takes longer. */
  #handle(entry: InboxEntry): Promise<void> | null {
    const { handler, request, call } = entry;
    if (call.signal?.aborted) {
      entry.sink?.onFailure(new RpcError("ABORTED", `${handler.type} was given up`));
      return null;
    }
    this.#handling = handler.type;
    try {
      const answer = handler.handle(request, call);
      if (answer instanceof Promise) return this.#awaitAnswer(entry, answer);
      this.#answer(entry, answer);
    } catch (error) {
      this.#fail(entry, error);
    }
    this.#handling = null;
    return null;
  }

  async #awaitAnswer(entry: InboxEntry, answer: Promise<unknown>): Promise<void> {
    try {
      this.#answer(entry, await answer);
    } catch (error) {
      this.#fail(entry, error);
    }
    this.#handling = null;
  }

  #answer(entry: InboxEntry, answer: unknown): void {
    if (!(answer instanceof LaterReply)) {
      entry.sink?.onReply(answer);
      return;
    }
    this.#laterReplies += 1;
    answer.promise
      .then((reply) => entry.sink?.onReply(reply))
      .catch((error: unknown) => this.#fail(entry, error))
      .finally(() => {
        this.#laterReplies -= 1;
        this.#tellRoom();
      });
  }

  #fail(entry: InboxEntry, error: unknown): void {
    if (entry.sink !== null) entry.sink.onFailure(handlerFailure(error));
    else this.#report(entry.handler.type, error);
  }

  /** Runs a part of the endpoint that nobody waits for; false when it failed. */
  async #guarded(what: string, run: () => void | Promise<void>): Promise<boolean> {
    try {
      await run();
      return true;
    } catch (error) {
      this.#report(what, error);
      return false;
    }
  }

  #report(what: string, error: unknown): void {
    const { logger, self } = this.#options;
    const failure = error instanceof Error ? error : new Error(String(error));
    logger.error(`endpoint ${self.name}: ${what}: ${failure.message}`);
    try {
      this.endpoint.onError(failure);
    } catch (second) {
      logger.error(`endpoint ${self.name}: onError: ${String(second)}`);
    }
  }

  #push(entry: InboxEntry): void {
    this.#queue.push(entry);
    this.#wake();
  }

  #isFullFor(payloadBytes: number, share = 1): boolean {
    const { entriesMax, bytesMax } = this.#options.limits;
    const bytes = this.#queue.payloadBytes + payloadBytes;
    return this.size > 0 && (this.size >= entriesMax * share || bytes > bytesMax * share);
  }

  #tellRoom(): void {
    if (this.#whenRoom.length === 0) return;
    if (this.#state === "open" && this.#isFullFor(0, 0.5)) return;
    const callbacks = this.#whenRoom;
    this.#whenRoom = [];
    for (const callback of callbacks) callback();
  }

  #moreMessages(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeUp = resolve;
    });
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.setImmediate(resolve));
  }

  #wake(): void {
    const wakeUp = this.#wakeUp;
    this.#wakeUp = null;
    wakeUp?.();
  }

  #warn(text: string): void {
    this.#options.logger.warn(`endpoint ${this.#options.self.name} ${text}`);
  }

  #full(): RpcError {
    const detail = `${this.size} messages, ${this.#queue.payloadBytes} bytes wait`;
    return new RpcError("INBOX_FULL", `${this.#options.self.name}: ${detail}`);
  }

  #gone(): RpcError {
    const { name } = this.#options.self;
    return new RpcError("ENDPOINT_NOT_FOUND", `endpoint ${name} has stopped`);
  }
}
