/**
 * Something that messages can be sent to.
 *
 * Its messages are handled one at a time in the order in which they arrived: the next one starts
 * when the handler has returned, or its promise has settled. State that only handlers touch needs no
 * other protection. What goes wrong in one endpoint never reaches another.
 *
 *     onStart -> message, message, ... -> onStop
 */
import type { RpcMessage } from "../message/rpc-message.ts";
import { RpcError } from "../rpc-error.ts";
import type { LaterReply } from "./reply-later.ts";
import type { RpcEndpointRef } from "./rpc-endpoint-ref.ts";

/** Who sent a message. */
export interface RpcCall {
  /** The peer as its connection shows it (`/10.0.0.1:7337`); null for the own process. */
  readonly remoteAddress: string | null;
  /** The identity that authentication established; null without authentication. */
  readonly clientId: string | null;
}

/** What a handler gives: the answer, now, in order, or {@link replyLater | later}. */
export type RpcAnswer<Reply> = Reply | Promise<Reply | LaterReply<Reply>> | LaterReply<Reply>;

/** A handler with its message, types erased: the declaration vouches for them. */
export interface MessageHandler {
  readonly message: RpcMessage<unknown, unknown>;
  handle(request: unknown, call: RpcCall): unknown;
}

/** See the file comment. */
export abstract class RpcEndpoint {
  readonly #handlers = new Map<string, MessageHandler>();

  /** Runs before the first message; messages wait for its promise. A failure stops the endpoint. */
  onStart(_self: RpcEndpointRef): void | Promise<void> {}

  /** Runs after the last message, once, also when `onStart` failed. */
  onStop(): void | Promise<void> {}

  /**
   * Told of failures that nobody waits for: of `onStart`, `onStop` and of messages that were sent
   * rather than asked. The default leaves them to the log of the environment.
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
      message,
      handle: (request, call) => handler(request as Request, call),
    });
  }
}
