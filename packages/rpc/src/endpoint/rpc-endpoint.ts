/**
 * Something that messages can be sent to.
 *
 * Its messages are handled one at a time in the order in which they arrived: the next one starts
 * when the handler has returned, or its promise has settled. State that only handlers touch needs no
 * other protection. What goes wrong in one endpoint never reaches another.
 *
 *     onStart -> message, onConnected, message, ... -> onStop
 */
import type { RpcAddress } from "../address/rpc-address.ts";
import type { RpcMessage } from "../message/rpc-message.ts";
import { RpcError } from "../rpc-error.ts";
import type { InboxHandler } from "./inbox-queue.ts";
import type { LaterReply } from "./reply-later.ts";
import type { RpcEndpointRef } from "./rpc-endpoint-ref.ts";

/** Who sent a message. */
export interface RpcCall {
  /** The peer as its connection shows it (`/10.0.0.1:7337`); null for the own process. */
  readonly remoteAddress: string | null;
  /** Where the peer says that it listens; null when it does not, and for the own process. */
  readonly senderAddress: RpcAddress | null;
  /** The identity that authentication established; null without authentication. */
  readonly clientId: string | null;
  /**
   * Aborted when the asker stopped waiting or its connection was lost. Null where the asker gave no
   * signal of its own, and for messages that were sent.
   */
  readonly signal: AbortSignal | null;
}

/** One connection to another environment; the same object from its beginning to its end. */
export interface RpcPeer {
  /** The peer as the connection shows it (`/10.0.0.1:7337`). */
  readonly remoteAddress: string;
  /** Where the peer listens: as it says itself when it connected, and as asked for when we did. */
  readonly address: RpcAddress | null;
  /** Its environment's name, as it says itself; null when we connected. */
  readonly name: string | null;
  /** The identity that authentication established; null without authentication. */
  readonly clientId: string | null;
}

/** The sender of what never left the process. */
export const OWN_PROCESS: RpcCall = {
  remoteAddress: null,
  senderAddress: null,
  clientId: null,
  signal: null,
};

/** What a handler gives: the answer, now, in order, or {@link replyLater | later}. */
export type RpcAnswer<Reply> = Reply | Promise<Reply | LaterReply<Reply>> | LaterReply<Reply>;

/** A handler with its message, types erased: the declaration vouches for them. */
export interface MessageHandler extends InboxHandler {
  readonly message: RpcMessage<unknown, unknown>;
}

/** See the file comment. */
export abstract class RpcEndpoint {
  readonly #handlers = new Map<string, MessageHandler>();

  /** Runs before the first message; messages wait for its promise. A failure stops the endpoint. */
  onStart(_self: RpcEndpointRef): void | Promise<void> {}

  /** Runs after the last message, once, also when `onStart` failed. */
  onStop(): void | Promise<void> {}

  /**
   * Another environment connected to ours, or ours to it; also told of those that were connected
   * before the endpoint started. Comes in turn with messages, before the first one of that peer.
   */
  onConnected(_peer: RpcPeer): void | Promise<void> {}

  /** A connection that `onConnected` told of has ended, after the last message that it brought. */
  onDisconnected(_peer: RpcPeer): void | Promise<void> {}

  /** A connection failed, which then ends, or could not be made. */
  onNetworkError(_error: Error, _peer: RpcPeer): void | Promise<void> {}

  /**
   * Told of failures that nobody waits for: of `onStart`, `onStop`, the network's events, and of
   * messages that were sent rather than asked. The default leaves them to the environment's log.
   */
  onError(_error: Error): void {}

  /** The handler of a type of message; null when there is none. For the environment. */
  handlerOf(type: string): MessageHandler | null {
    return this.#handlers.get(type) ?? null;
  }

  /** Declares the handler of a message without answer. Call it from the constructor. */
  protected receive<Request>(
    message: RpcMessage<Request, void>,
    handler: (request: Request, call: RpcCall) => void | Promise<void>,
  ): void {
    this.receiveAndReply(message, handler);
  }

  /**
   * Declares the handler of a message with an answer. Call it from the constructor.
   * @throws RpcError OPTION_INVALID - the type of message already has a handler.
   */
  protected receiveAndReply<Request, Reply>(
    message: RpcMessage<Request, Reply>,
    handler: (request: Request, call: RpcCall) => RpcAnswer<Reply>,
  ): void {
    if (this.#handlers.has(message.type)) {
      throw new RpcError("OPTION_INVALID", `two handlers for ${message.type}`);
    }
    this.#handlers.set(message.type, {
      type: message.type,
      message,
      handle: (request, call) => handler(request as Request, call),
    });
  }
}
