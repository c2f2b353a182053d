import type { RpcReplyCallback } from "@bm/transport";
import type { AnswerSink } from "../endpoint/inbox-queue.ts";
import { encodeFailure, encodeReply, handlerFailure } from "../message/envelope.ts";
import { checkMessageBytes } from "../message/message-bytes.ts";
import type { RpcMessage } from "../message/rpc-message.ts";
import { RpcError } from "../rpc-error.ts";

/** Sends the outcome of a message back to the peer that asked. */
export class RemoteAnswer implements AnswerSink {
  readonly #message: RpcMessage<unknown, unknown>;
  readonly #callback: RpcReplyCallback;
  readonly #messageBytesMax: number;
  readonly #onSettled: (() => void) | null;

  constructor(
    message: RpcMessage<unknown, unknown>,
    callback: RpcReplyCallback,
    messageBytesMax: number,
    onSettled: (() => void) | null,
  ) {
    this.#message = message;
    this.#callback = callback;
    this.#messageBytesMax = messageBytesMax;
    this.#onSettled = onSettled;
  }

  /** An answer that cannot be written becomes a failure. */
  onReply(reply: unknown): void {
    this.#onSettled?.();
    let bytes: Uint8Array;
    try {
      const { type, reply: codec } = this.#message;
      const payload = codec.encode(reply);
      checkMessageBytes(`the answer to ${type}`, payload.length, this.#messageBytesMax);
      bytes = encodeReply(payload);
    } catch (error) {
      bytes = encodeFailure(failureOfHandler(error));
    }
    this.#callback.onSuccess(bytes);
  }

  onFailure(error: RpcError): void {
    this.#onSettled?.();
    this.#callback.onSuccess(encodeFailure(error));
  }
}

/** What is told of an error that was met on the way to a handler or back. */
export function failureOfHandler(error: unknown): RpcError {
  return error instanceof RpcError ? error : handlerFailure(error);
}
