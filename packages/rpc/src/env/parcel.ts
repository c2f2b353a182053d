import {
  type BytesManagedBuffer,
  type Int64,
  isConnectionError,
  type RpcResponseCallback,
  type TransportClient,
} from "@bm/transport";
import type { Delivery, DeliveryInProgress } from "../endpoint/courier.ts";
import { decodeReply } from "../message/envelope.ts";
import { encodeGivenUp } from "../message/notice.ts";
import { RpcError } from "../rpc-error.ts";
import { fromTransportError } from "./from-transport-error.ts";

/** A message to a peer on its way, until it has its outcome; only the first one counts. */
export class Parcel implements RpcResponseCallback, DeliveryInProgress {
  readonly #delivery: Delivery<unknown, unknown>;
  readonly #callId: number;
  readonly #onSettled: () => void;
  /** Null once it was written: the transport keeps it as long as it needs it. */
  #body: Uint8Array | null;
  #isSettled = false;
  #client: TransportClient | null = null;
  #requestId: Int64 | null = null;

  constructor(
    delivery: Delivery<unknown, unknown>,
    body: Uint8Array,
    callId: number,
    onSettled: () => void,
  ) {
    this.#delivery = delivery;
    this.#body = body;
    this.#callId = callId;
    this.#onSettled = onSettled;
  }

  /** Sends it, unless it was given up meanwhile. */
  write(client: TransportClient): void {
    const body = this.#body;
    if (this.#isSettled || body === null) return;
    this.#body = null;
    this.#client = client;
    this.#requestId = client.sendRpcWith(body, this);
  }

  onSuccess(response: BytesManagedBuffer): void {
    if (!this.#settle()) return;
    const { message, outcome, isOneWay } = this.#delivery;
    let reply: unknown;
    try {
      // Kept, since the value that is read from it may have views on it.
      const payload = decodeReply(response.keep().view);
      // Nothing but an empty payload acknowledges a message that was sent.
      if (!isOneWay) reply = message.reply.decode(payload);
    } catch (error) {
      outcome.reject(asRpcError(error));
      return;
    }
    outcome.resolve(reply);
  }

  onFailure(error: Error): void {
    const client = this.#client;
    // The connection may still look alive for a moment: nobody is to use it any more.
    if (isConnectionError(error)) client?.timeOut();
    this.#fail(fromTransportError(error, client?.remoteAddress ?? ""));
  }

  /** Ends with `error`; an answer that comes later is dropped. */
  fail(error: RpcError): void {
    this.#forgetRequest();
    this.#fail(error);
  }

  giveUp(): void {
    if (!this.#settle()) return;
    this.#forgetRequest();
    if (this.#callId !== 0) this.#client?.send(encodeGivenUp(this.#callId));
  }

  #fail(error: RpcError): void {
    if (this.#settle()) this.#delivery.outcome.reject(error);
  }

  #forgetRequest(): void {
    if (this.#requestId !== null) this.#client?.removeRpcRequest(this.#requestId);
  }

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    this.#body = null;
    this.#onSettled();
    return true;
  }
}

/** What an error of a codec is for the asker. */
export function asRpcError(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new RpcError("MESSAGE_MALFORMED", detail, { cause: error });
}
