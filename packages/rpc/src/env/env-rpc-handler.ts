import {
  OneForOneStreamManager,
  type Random,
  RpcHandler,
  type RpcReplyCallback,
  type StreamManager,
  type TransportClient,
} from "@bm/transport";
import { decodeRequest, encodeFailure, encodeReply, handlerFailure } from "../message/envelope.ts";
import { RpcError } from "../rpc-error.ts";
import type { Dispatcher, RemoteSink } from "./dispatcher.ts";
import { checkMessageBytes } from "./outbox.ts";

const NO_BYTES = new Uint8Array(0);

/** Brings the messages of peers to the endpoints, and their outcomes back. */
export class EnvRpcHandler extends RpcHandler {
  readonly streamManager: StreamManager;
  readonly #dispatcher: Dispatcher;
  readonly #messageBytesMax: number;

  constructor(dispatcher: Dispatcher, messageBytesMax: number, random: Random) {
    super();
    this.#dispatcher = dispatcher;
    this.#messageBytesMax = messageBytesMax;
    // No stream is ever registered: requests for chunks are refused.
    this.streamManager = new OneForOneStreamManager(random);
  }

  override receive(client: TransportClient, body: Uint8Array, callback: RpcReplyCallback): void {
    try {
      const { endpoint, type, payload, isOneWay } = decodeRequest(body);
      const sink: RemoteSink = {
        onReply: (reply) => this.#reply(type, reply, callback),
        onFailure: (error) => callback.onSuccess(encodeFailure(error)),
      };
      this.#dispatcher.accept({
        endpoint,
        type,
        // The body is only borrowed, and the message waits longer than this turn.
        payload: Buffer.from(payload),
        call: { remoteAddress: client.remoteAddress, clientId: client.clientId },
        sink: isOneWay ? null : sink,
      });
      if (isOneWay) callback.onSuccess(encodeReply(NO_BYTES));
    } catch (error) {
      const failure = error instanceof RpcError ? error : handlerFailure(error);
      callback.onSuccess(encodeFailure(failure));
    }
  }

  #reply(type: string, payload: Uint8Array, callback: RpcReplyCallback): void {
    try {
      checkMessageBytes(`the answer to ${type}`, payload.length, this.#messageBytesMax);
      callback.onSuccess(encodeReply(payload));
    } catch (error) {
      callback.onSuccess(encodeFailure(error instanceof RpcError ? error : handlerFailure(error)));
    }
  }
}
