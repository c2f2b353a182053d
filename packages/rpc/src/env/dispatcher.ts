/**
 * The endpoints of one environment by name. Brings them the messages of the own process, as values, and
 * tells all of them what happens to connections.
 */
import type { Courier, Delivery, DeliveryInProgress } from "../endpoint/courier.ts";
import { type EndpointState, Inbox, type InboxOptions } from "../endpoint/inbox.ts";
import type { AnswerSink } from "../endpoint/inbox-queue.ts";
import {
  type MessageHandler,
  OWN_PROCESS,
  type RpcCall,
  type RpcPeer,
} from "../endpoint/rpc-endpoint.ts";
import { RpcError } from "../rpc-error.ts";

/** Who takes a message. */
export interface Recipient {
  readonly inbox: Inbox;
  readonly handler: MessageHandler;
}

const NAME_CHARACTERS_MAX = 255;

/** See the file comment. */
export class Dispatcher {
  readonly #inboxes = new Map<string, Inbox>();
  readonly #stopping = new Set<Inbox>();
  readonly #peers = new Set<RpcPeer>();
  #isStopped = false;

  /** What each endpoint is doing, those that are stopping too. */
  states(): EndpointState[] {
    return [...this.#inboxes.values(), ...this.#stopping].map((inbox) => inbox.current);
  }

  /** Whether an endpoint of that name takes messages. */
  has(name: string): boolean {
    return this.#inboxes.has(name);
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
    for (const peer of this.#peers) inbox.connected(peer);
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

  /** What brings messages of the own process to an endpoint. */
  courierTo(name: string): Courier {
    return { deliver: (delivery) => this.#deliver(name, delivery) };
  }

  /** Who takes messages of a type. @throws RpcError ENDPOINT_NOT_FOUND, MESSAGE_UNKNOWN, ENV_STOPPED */
  recipientOf(name: string, type: string): Recipient {
    if (this.#isStopped) throw envStopped();
    const inbox = this.#inboxes.get(name);
    if (inbox === undefined) throw new RpcError("ENDPOINT_NOT_FOUND", `no endpoint ${name}`);
    const handler = inbox.endpoint.handlerOf(type);
    if (handler !== null) return { inbox, handler };
    throw new RpcError("MESSAGE_UNKNOWN", `endpoint ${name} does not handle ${type}`);
  }

  /** A connection was made, in either direction. */
  connected(peer: RpcPeer): void {
    this.#peers.add(peer);
    for (const inbox of this.#inboxes.values()) inbox.connected(peer);
  }

  /** It ended. */
  disconnected(peer: RpcPeer): void {
    this.#peers.delete(peer);
    for (const inbox of this.#inboxes.values()) inbox.disconnected(peer);
  }

  /** It failed, or could not be made. */
  networkFailed(error: Error, peer: RpcPeer): void {
    for (const inbox of this.#inboxes.values()) inbox.networkFailed(error, peer);
  }

  #deliver<Request, Reply>(name: string, delivery: Delivery<Request, Reply>): DeliveryInProgress {
    const { message, request, isOneWay } = delivery;
    const sink = new LocalSink(delivery);
    try {
      const { inbox, handler } = this.recipientOf(name, message.type);
      const { call } = sink;
      inbox.post({ handler, request, call, payloadBytes: 0, sink: isOneWay ? null : sink });
      if (isOneWay) sink.onReply(undefined);
    } catch (error) {
      sink.onFailure(error as RpcError);
    }
    return sink;
  }

  #forget(name: string, inbox: Inbox): void {
    this.#stopping.delete(inbox);
    if (this.#inboxes.get(name) === inbox) this.#inboxes.delete(name);
  }
}

/** The outcome of a message of the own process. */
class LocalSink<Request, Reply> implements AnswerSink, DeliveryInProgress {
  readonly call: RpcCall;
  readonly #delivery: Delivery<Request, Reply>;
  readonly #abandonment: AbortController | null;
  #isAwaited = true;

  constructor(delivery: Delivery<Request, Reply>) {
    this.#delivery = delivery;
    this.#abandonment = delivery.canBeGivenUp ? new AbortController() : null;
    const signal = this.#abandonment?.signal ?? null;
    this.call = signal === null ? OWN_PROCESS : { ...OWN_PROCESS, signal };
  }

  onReply(reply: unknown): void {
    // Caller and handler declared the same message, so the types agree.
    if (this.#isAwaited) this.#delivery.outcome.resolve(reply as Reply);
  }

  onFailure(error: RpcError): void {
    if (this.#isAwaited) this.#delivery.outcome.reject(error);
  }

  giveUp(): void {
    this.#isAwaited = false;
    this.#abandonment?.abort();
  }
}

/** Told to whoever wants something of a stopped environment. */
export function envStopped(): RpcError {
  return new RpcError("ENV_STOPPED", "the environment has stopped");
}
