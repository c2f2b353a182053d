import type { RpcError } from "../rpc-error.ts";
import type { RpcCall } from "./rpc-endpoint.ts";

/** What is run for one entry of an inbox. */
export interface InboxHandler {
  /** Names it: the type of the message, or of the event. */
  readonly type: string;
  handle(request: unknown, call: RpcCall): unknown;
}

/** Takes the outcome of one message; exactly one of the two is called, once. */
export interface AnswerSink {
  onReply(reply: unknown): void;
  onFailure(error: RpcError): void;
}

/** One message or event that waits. */
export interface InboxEntry {
  readonly handler: InboxHandler;
  readonly request: unknown;
  readonly call: RpcCall;
  readonly payloadBytes: number;
  /** Null for a message that was sent rather than asked, and for an event. */
  readonly sink: AnswerSink | null;
}

/** Entries in order of arrival, and what they take. */
export class InboxQueue {
  readonly #entries: InboxEntry[] = [];
  #next = 0;
  #payloadBytes = 0;

  get length(): number {
    return this.#entries.length - this.#next;
  }

  get payloadBytes(): number {
    return this.#payloadBytes;
  }

  push(entry: InboxEntry): void {
    this.#entries.push(entry);
    this.#payloadBytes += entry.payloadBytes;
  }

  /** The oldest; null when there is none. */
  take(): InboxEntry | null {
    const entry = this.#entries[this.#next];
    if (entry === undefined) return null;
    this.#next += 1;
    this.#payloadBytes -= entry.payloadBytes;
    if (this.#next * 2 > this.#entries.length) this.#compact();
    return entry;
  }

  /** Each entry is moved at most once per halving, so taking stays cheap however many wait. */
  #compact(): void {
    this.#entries.splice(0, this.#next);
    this.#next = 0;
  }
}
