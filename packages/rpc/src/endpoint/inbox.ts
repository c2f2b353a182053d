/**
 * The messages that wait for one endpoint, and the turn-taking that handles them in order.
 *
 *     open -> stopping -> stopped
 */
import type { Clock, Logger } from "@bm/transport";
import { handlerFailure } from "../message/envelope.ts";
import { RpcError } from "../rpc-error.ts";
import { LaterReply } from "./reply-later.ts";
import type { MessageHandler, RpcCall, RpcEndpoint } from "./rpc-endpoint.ts";
import type { RpcEndpointRef } from "./rpc-endpoint-ref.ts";

/** How much may wait. A message that would exceed a limit is refused with INBOX_FULL. */
export interface InboxLimits {
  /** Messages that wait for their turn or for a later answer. */
  readonly entriesMax: number;
  /** Payload bytes that came over the network and wait. One message always fits an empty inbox. */
  readonly bytesMax: number;
}

/** Takes the outcome of one message; exactly one of the two is called, once. */
export interface AnswerSink {
  onReply(reply: unknown): void;
  onFailure(error: RpcError): void;
}

/** One message that waits. */
export interface InboxEntry {
  readonly handler: MessageHandler;
  readonly request: unknown;
  readonly call: RpcCall;
  readonly payloadBytes: number;
  /** Null for a message that was sent rather than asked. */
  readonly sink: AnswerSink | null;
}

/** What an inbox needs to know about its surroundings. */
export interface InboxOptions {
  readonly self: RpcEndpointRef;
  readonly endpoint: RpcEndpoint;
  readonly limits: InboxLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What an endpoint is doing now, and what waits for it. */
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
  readonly #self: RpcEndpointRef;
  readonly #limits: InboxLimits;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #entries: InboxEntry[] = [];
  #nextEntry = 0;
  #payloadBytes = 0;
  #laterReplies = 0;
  #handling: string | null = null;
  #state: "open" | "stopping" | "stopped" = "open";
  #wakeUp: (() => void) | null = null;

  constructor(options: InboxOptions) {
    this.endpoint = options.endpoint;
    this.#self = options.self;
    this.#limits = options.limits;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.stopped = this.#run();
  }

  /** Messages that wait for their turn, or whose answer comes later. */
  get size(): number {
    return this.#entries.length - this.#nextEntry + this.#laterReplies;
  }

  /** What goes on now. */
  get current(): EndpointState {
    return {
      name: this.#self.name,
      waitingMessages: this.#entries.length - this.#nextEntry,
      waitingBytes: this.#payloadBytes,
      laterReplies: this.#laterReplies,
      handling: this.#handling,
    };
  }

  /** Takes a message in. @throws RpcError INBOX_FULL, ENDPOINT_NOT_FOUND */
  post(entry: InboxEntry): void {
    if (this.#state !== "open") throw this.#gone();
    const isFull =
      this.size >= this.#limits.entriesMax ||
      (this.size > 0 && this.#payloadBytes + entry.payloadBytes > this.#limits.bytesMax);
    if (isFull) {
      const detail = `${this.size} messages, ${this.#payloadBytes} bytes wait`;
      throw new RpcError("INBOX_FULL", `${this.#self.name}: ${detail}`);
    }
    this.#entries.push(entry);
    this.#payloadBytes += entry.payloadBytes;
    this.#wake();
  }

  /** Refuses new messages, handles those that wait, then runs `onStop`. Safe to call twice. */
  stop(): void {
    if (this.#state === "open") this.#state = "stopping";
    this.#wake();
  }

  /** Like `stop`, but what waits fails with `reason` at once. Safe to call twice. */
  abort(reason: RpcError): void {
    this.stop();
    for (let entry = this.#take(); entry !== null; entry = this.#take()) {
      entry.sink?.onFailure(reason);
    }
  }

  async #run(): Promise<void> {
    // The endpoint starts in a turn of its own, when whoever set it up is done.
    await Promise.resolve();
    if (await this.#guarded("onStart", () => this.endpoint.onStart(this.#self))) {
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
      const entry = this.#take();
      if (entry !== null) {
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
    this.#handling = entry.handler.message.type;
    try {
      const answer = entry.handler.handle(entry.request, entry.call);
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
      });
  }

  #fail(entry: InboxEntry, error: unknown): void {
    if (entry.sink !== null) entry.sink.onFailure(handlerFailure(error));
    else this.#report(entry.handler.message.type, error);
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
    const failure = error instanceof Error ? error : new Error(String(error));
    this.#logger.error(`endpoint ${this.#self.name}: ${what}: ${failure.message}`);
    try {
      this.endpoint.onError(failure);
    } catch (second) {
      this.#logger.error(`endpoint ${this.#self.name}: onError: ${String(second)}`);
    }
  }

  #take(): InboxEntry | null {
    const entry = this.#entries[this.#nextEntry];
    if (entry === undefined) return null;
    this.#nextEntry += 1;
    this.#payloadBytes -= entry.payloadBytes;
    if (this.#nextEntry * 2 > this.#entries.length) this.#compact();
    return entry;
  }

  /** Each entry is moved at most once per halving, so taking stays cheap however many wait. */
  #compact(): void {
    this.#entries.splice(0, this.#nextEntry);
    this.#nextEntry = 0;
  }

  #moreMessages(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeUp = resolve;
    });
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => void this.#clock.setImmediate(resolve));
  }

  #wake(): void {
    const wakeUp = this.#wakeUp;
    this.#wakeUp = null;
    wakeUp?.();
  }

  #gone(): RpcError {
    return new RpcError("ENDPOINT_NOT_FOUND", `endpoint ${this.#self.name} has stopped`);
  }
}
