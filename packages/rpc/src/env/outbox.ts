/**
 * What one environment sends to its peers: one ordered queue and one connection per address.
 *
 *     idle -> connecting -> connected -> (connection lost) -> idle
 *
 * Messages that are given while the connection is made wait and go out first, in order.
 */
import {
  type BytesManagedBuffer,
  type ClientFactory,
  isConnectionError,
  type TransportClient,
} from "@bm/transport";
import { formatRpcAddress, type RpcAddress } from "../address/rpc-address.ts";
import type { Courier, Delivery } from "../endpoint/courier.ts";
import { decodeReply, encodeRequest } from "../message/envelope.ts";
import { RpcError } from "../rpc-error.ts";
import { envStopped } from "./dispatcher.ts";
import { fromTransportError } from "./from-transport-error.ts";

/** Limits on what leaves the environment. */
export interface OutboxLimits {
  /** Messages without outcome yet, to all peers together. */
  readonly outstandingMax: number;
  readonly messageBytesMax: number;
}

/** A message that has no outcome yet. */
interface Parcel {
  readonly body: Uint8Array;
  readonly onAnswer: (payload: Uint8Array) => void;
  readonly onFailure: (error: RpcError) => void;
  /** Drops what the connection keeps for the answer. */
  cancel: () => void;
}

interface Peer {
  readonly address: RpcAddress;
  client: TransportClient | null;
  isConnecting: boolean;
  readonly waiting: Set<Parcel>;
}

/** See the file comment. */
export class Outbox {
  readonly #clients: ClientFactory;
  readonly #limits: OutboxLimits;
  readonly #peers = new Map<string, Peer>();
  readonly #outstanding = new Set<Parcel>();
  #isStopped = false;

  constructor(clients: ClientFactory, limits: OutboxLimits) {
    this.#clients = clients;
    this.#limits = limits;
  }

  /** What brings messages to the endpoints at `address`. */
  courierTo(address: RpcAddress): Courier {
    return { deliver: (delivery) => this.#deliver(address, delivery) };
  }

  /** Fails what has no outcome yet, and everything from now on, with ENV_STOPPED. */
  stop(): void {
    this.#isStopped = true;
    for (const parcel of this.#outstanding) {
      parcel.cancel();
      this.#settle(parcel, () => parcel.onFailure(envStopped()));
    }
  }

  #deliver<Request, Reply>(address: RpcAddress, delivery: Delivery<Request, Reply>): () => void {
    const { message, outcome, isOneWay } = delivery;
    try {
      const parcel: Parcel = {
        body: this.#pack(delivery),
        onAnswer: (payload) => {
          // Nothing but an empty payload acknowledges a message that was sent.
          const reply = isOneWay ? (undefined as Reply) : message.reply.decode(payload);
          outcome.resolve(reply);
        },
        onFailure: (error) => outcome.reject(error),
        cancel: () => {},
      };
      this.#outstanding.add(parcel);
      this.#post(address, parcel);
      return () => this.#forget(address, parcel);
    } catch (error) {
      outcome.reject(asRpcError(error));
      return () => {};
    }
  }

  #pack<Request, Reply>(delivery: Delivery<Request, Reply>): Uint8Array {
    if (this.#isStopped) throw envStopped();
    if (this.#outstanding.size >= this.#limits.outstandingMax) {
      throw new RpcError("OUTBOX_FULL", `${this.#outstanding.size} messages wait for an answer`);
    }
    const { endpoint, message, request, isOneWay } = delivery;
    const payload = message.request.encode(request);
    checkMessageBytes(message.type, payload.length, this.#limits.messageBytesMax);
    return encodeRequest({ endpoint, type: message.type, payload, isOneWay });
  }

  #post(address: RpcAddress, parcel: Parcel): void {
    const peer = this.#peerAt(address);
    if (peer.client?.isActive) {
      this.#write(peer.client, parcel);
      return;
    }
    peer.client = null;
    peer.waiting.add(parcel);
    if (!peer.isConnecting) void this.#connect(peer);
  }

  async #connect(peer: Peer): Promise<void> {
    const { host, port } = peer.address;
    peer.isConnecting = true;
    try {
      const client = await this.#clients.createClient(host, port);
      peer.client = client;
      void client.channel.closed.then(() => this.#forgetPeer(peer, client));
      for (const parcel of peer.waiting) this.#write(client, parcel);
    } catch (error) {
      const failure = fromTransportError(error, formatRpcAddress(peer.address));
      for (const parcel of peer.waiting) this.#settle(parcel, () => parcel.onFailure(failure));
      this.#peers.delete(formatRpcAddress(peer.address));
    } finally {
      peer.isConnecting = false;
      peer.waiting.clear();
    }
  }

  #write(client: TransportClient, parcel: Parcel): void {
    const requestId = client.sendRpcWith(parcel.body, {
      onSuccess: (response) => this.#settle(parcel, () => this.#open(parcel, response)),
      onFailure: (error) => {
        // The connection may still look alive for a moment: nobody is to use it any more.
        if (isConnectionError(error)) client.timeOut();
        const failure = fromTransportError(error, client.remoteAddress);
        this.#settle(parcel, () => parcel.onFailure(failure));
      },
    });
    parcel.cancel = () => void client.removeRpcRequest(requestId);
  }

  #open(parcel: Parcel, response: BytesManagedBuffer): void {
    try {
      // Kept, since the value that is read from it may have views on it.
      parcel.onAnswer(decodeReply(response.keep().view));
    } catch (error) {
      parcel.onFailure(asRpcError(error));
    }
  }

  /** Tells an outcome, unless nobody waits for it any more. */
  #settle(parcel: Parcel, tell: () => void): void {
    if (this.#outstanding.delete(parcel)) tell();
  }

  #forget(address: RpcAddress, parcel: Parcel): void {
    this.#outstanding.delete(parcel);
    parcel.cancel();
    this.#peers.get(formatRpcAddress(address))?.waiting.delete(parcel);
  }

  #peerAt(address: RpcAddress): Peer {
    const key = formatRpcAddress(address);
    let peer = this.#peers.get(key);
    if (peer === undefined) {
      peer = { address, client: null, isConnecting: false, waiting: new Set() };
      this.#peers.set(key, peer);
    }
    return peer;
  }

  #forgetPeer(peer: Peer, client: TransportClient): void {
    if (peer.client !== client) return;
    peer.client = null;
    if (!peer.isConnecting) this.#peers.delete(formatRpcAddress(peer.address));
  }
}

/** Judges the size of a payload. @throws RpcError MESSAGE_TOO_LARGE */
export function checkMessageBytes(what: string, payloadBytes: number, bytesMax: number): void {
  if (payloadBytes <= bytesMax) return;
  const detail = `${what} has ${payloadBytes} bytes, spark.rpc.message.maxSize allows ${bytesMax}`;
  throw new RpcError("MESSAGE_TOO_LARGE", detail);
}

function asRpcError(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new RpcError("MESSAGE_MALFORMED", detail, { cause: error });
}
