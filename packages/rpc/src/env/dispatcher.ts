/**
 * The endpoints of one environment by name. Messages of the own process come in as values, those of
 * peers as bytes; both end in the inbox of their endpoint.
 */
import type { Courier, Delivery } from "../endpoint/courier.ts";
import {
  type AnswerSink,
  type EndpointState,
  Inbox,
  type InboxOptions,
} from "../endpoint/inbox.ts";
import type { MessageHandler, RpcCall } from "../endpoint/rpc-endpoint.ts";
import { RpcError } from "../rpc-error.ts";

/** A message of a peer, still in bytes. */
export interface RemoteMessage {
  readonly endpoint: string;
  readonly type: string;
  /** Handed over: what the handler gets may have views on it. */
  readonly payload: Uint8Array;
  readonly call: RpcCall;
  /** Gets the bytes of the answer; null for a message that was sent rather than asked. */
  readonly sink: RemoteSink | null;
}

/** Takes the outcome of a message of a peer. `onReply` throws when it cannot be sent as it is. */
export interface RemoteSink {
  onReply(payload: Uint8Array): void;
  onFailure(error: RpcError): void;
}

const NAME_CHARACTERS_MAX = 255;
const OWN_PROCESS: RpcCall = { remoteAddress: null, clientId: null };

/** See the file comment. */
export class Dispatcher implements Courier {
  readonly #inboxes = new Map<string, Inbox>();
  readonly #stopping = new Set<Inbox>();
  #isStopped = false;

  /** What each endpoint is doing, those that are stopping too. */
  states(): EndpointState[] {
    return [...this.#inboxes.values(), ...this.#stopping].map((inbox) => inbox.current);
  }

  /** Adds an endpoint, which starts in a later turn. @throws RpcError ENDPOINT_NAME_INVALID, ENV_STOPPED */
  register(options: InboxOptions): void {
    const { name } = options.self;
    if (this.#isStopped) throw envStopped();
    if (name === "" || name.length > NAME_CHARACTERS_MAX || this.#inboxes.has(name)) {
      const detail = this.#inboxes.has(name) ? `there is already an endpoint ${name}` : `"${name}"`;
      throw new RpcError("ENDPOINT_NAME_INVALID", detail);
    }
    const inbox = new Inbox(options);
    this.#inboxes.set(name, inbox);
    // An endpoint that fails to start ends by itself.
    void inbox.stopped.then(() => this.#forget(name, inbox));
  }

  /** Ends one endpoint; resolves after its `onStop`. An unknown name is no error. */
  stop(name: string): Promise<void> {
    const inbox = this.#inboxes.get(name);
    if (inbox === undefined) return Promise.resolve();
    this.#inboxes.delete(name);
    this.#stopping.add(inbox);
    inbox.stop();
    return inbox.stopped;
  }

  /** Refuses everything from now on; resolves when every endpoint has handled what it had. */
  async stopAll(): Promise<void> {
    this.#isStopped = true;
    for (const name of this.#inboxes.keys()) void this.stop(name);
    await Promise.all([...this.#stopping].map((inbox) => inbox.stopped));
  }

  /** Refuses everything; what waits fails at once. */
  abortAll(): void {
    this.#isStopped = true;
    for (const inbox of [...this.#inboxes.values(), ...this.#stopping]) inbox.abort(envStopped());
  }

  /** A message of the own process. */
  deliver<Request, Reply>(delivery: Delivery<Request, Reply>): () => void {
    let isAwaited = true;
    const { endpoint, message, request, isOneWay, outcome } = delivery;
    const sink: AnswerSink = {
      // Caller and handler declared the same message, so the types agree.
      onReply: (reply) => isAwaited && outcome.resolve(reply as Reply),
      onFailure: (error) => isAwaited && outcome.reject(error),
    };
    try {
      const { inbox, handler } = this.#find(endpoint, message.type);
      const call = OWN_PROCESS;
      inbox.post({ handler, request, call, payloadBytes: 0, sink: isOneWay ? null : sink });
      if (isOneWay) sink.onReply(undefined);
    } catch (error) {
      sink.onFailure(error as RpcError);
    }
    return () => {
      isAwaited = false;
    };
  }

  /**
   * A message of a peer.
   * @throws RpcError ENDPOINT_NOT_FOUND, MESSAGE_UNKNOWN, MESSAGE_MALFORMED, INBOX_FULL, ENV_STOPPED
   */
  accept(message: RemoteMessage): void {
    const { inbox, handler } = this.#find(message.endpoint, message.type);
    const { payload, call, sink } = message;
    const request = handler.message.request.decode(payload);
    const valueSink: AnswerSink | null = sink && {
      onReply: (reply) => sink.onReply(handler.message.reply.encode(reply)),
      onFailure: (error) => sink.onFailure(error),
    };
    inbox.post({ handler, request, call, payloadBytes: payload.length, sink: valueSink });
  }

  #find(name: string, type: string): { inbox: Inbox; handler: MessageHandler } {
    if (this.#isStopped) throw envStopped();
    const inbox = this.#inboxes.get(name);
    if (inbox === undefined) throw new RpcError("ENDPOINT_NOT_FOUND", `no endpoint ${name}`);
    const handler = inbox.endpoint.handlerOf(type);
    if (handler !== null) return { inbox, handler };
    throw new RpcError("MESSAGE_UNKNOWN", `endpoint ${name} does not handle ${type}`);
  }

  #forget(name: string, inbox: Inbox): void {
    this.#stopping.delete(inbox);
    if (this.#inboxes.get(name) === inbox) this.#inboxes.delete(name);
  }
}

/** Told to whoever wants something of a stopped environment. */
export function envStopped(): RpcError {
  return new RpcError("ENV_STOPPED", "the environment has stopped");
}
