import {
  OneForOneStreamManager,
  type Random,
  RpcHandler,
  type RpcReplyCallback,
  type StreamManager,
  type TransportClient,
} from "@bm/transport";
import type { RpcPeer } from "../endpoint/rpc-endpoint.ts";
import {
  decodeRequest,
  encodeFailure,
  encodeReply,
  type RequestEnvelope,
} from "../message/envelope.ts";
import { decodeNotice } from "../message/notice.ts";
import { Connection } from "./connection.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { failureOfHandler, RemoteAnswer } from "./remote-answer.ts";

const NO_BYTES = new Uint8Array(0);

/**
 * Brings the messages of peers to the endpoints, and their outcomes back. Also told of every connection
 * that our side opened, and of the end of all.
 */
export class EnvRpcHandler extends RpcHandler {
  readonly streamManager: StreamManager;
  readonly #dispatcher: Dispatcher;
  readonly #messageBytesMax: number;
  readonly #connections = new Map<TransportClient, Connection>();

  constructor(dispatcher: Dispatcher, messageBytesMax: number, random: Random) {
    super();
    this.#dispatcher = dispatcher;
    this.#messageBytesMax = messageBytesMax;
    // No stream is ever registered: requests for chunks are refused.
    this.streamManager = new OneForOneStreamManager(random);
  }

  override receive(client: TransportClient, body: Uint8Array, callback: RpcReplyCallback): void {
    try {
      const envelope = decodeRequest(body);
      this.#accept(this.#connectionOf(client), envelope, callback);
      if (envelope.isOneWay) callback.onSuccess(encodeReply(NO_BYTES));
    } catch (error) {
      callback.onSuccess(encodeFailure(failureOfHandler(error)));
    }
  }

  /** A notice; the transport logs what it throws. */
  override receiveOneWay(client: TransportClient, body: Uint8Array): void {
    const notice = decodeNotice(body);
    const connection = this.#connectionOf(client);
    if (notice.kind === "givenUp") connection.givenUp(notice.callId);
    else if (connection.peer === null) {
      this.#dispatcher.connected(connection.greetedBy(notice.hello));
    }
  }

  /** Our side opened a connection, and is about to use it. */
  opened(client: TransportClient, peer: RpcPeer): void {
    // Of one that is gone again already nobody would hear the end.
    if (!client.isActive) return;
    this.#connectionOf(client).peer = peer;
    this.#dispatcher.connected(peer);
  }

  override exceptionCaught(error: Error, client: TransportClient): void {
    const peer = this.#connections.get(client)?.peer ?? null;
    if (peer !== null) this.#dispatcher.networkFailed(error, peer);
  }

  override channelInactive(client: TransportClient): void {
    const connection = this.#connections.get(client);
    if (connection === undefined) return;
    this.#connections.delete(client);
    connection.close();
    if (connection.peer !== null) this.#dispatcher.disconnected(connection.peer);
  }

  #accept(connection: Connection, envelope: RequestEnvelope, callback: RpcReplyCallback): void {
    const { inbox, handler } = this.#dispatcher.recipientOf(envelope.endpoint, envelope.type);
    // The body is only borrowed, and the message waits longer than this turn.
    const payload = Buffer.from(envelope.payload);
    const request = handler.message.request.decode(payload);
    const callId = envelope.isOneWay ? 0 : envelope.callId;
    const call = callId === 0 ? connection.call : connection.abandonableCall(callId);
    const settled = (): void => connection.settled(callId);
    const sink = envelope.isOneWay
      ? null
      : new RemoteAnswer(
          handler.message,
          callback,
          this.#messageBytesMax,
          callId === 0 ? null : settled,
        );
    try {
      inbox.post({ handler, request, call, payloadBytes: payload.length, sink });
    } catch (error) {
      settled();
      throw error;
    }
    if (inbox.holdsPeers) connection.holdFor(inbox);
  }

  #connectionOf(client: TransportClient): Connection {
    let connection = this.#connections.get(client);
    if (connection === undefined) {
      connection = new Connection(client);
      this.#connections.set(client, connection);
    }
    return connection;
  }
}
