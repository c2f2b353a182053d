/**
 * What one environment sends to its peers: one ordered queue and one connection per address.
 *
 *     idle -> connecting -> connected -> (connection lost) -> idle
 *
 * Messages that are given while the connection is made wait and go out first, in order.
 */
import type { ClientFactory, TransportClient } from "@bm/transport";
import { formatRpcAddress, type RpcAddress } from "../address/rpc-address.ts";
import type { Courier, Delivery, DeliveryInProgress } from "../endpoint/courier.ts";
import type { RpcPeer } from "../endpoint/rpc-endpoint.ts";
import { encodeRequest, encodeRequestHead } from "../message/envelope.ts";
import { checkMessageBytes } from "../message/message-bytes.ts";
import type { RpcMessage } from "../message/rpc-message.ts";
import { RpcError } from "../rpc-error.ts";
import { envStopped } from "./dispatcher.ts";
import { fromTransportError } from "./from-transport-error.ts";
import { asRpcError, Parcel } from "./parcel.ts";

/** Limits on what leaves the environment. */
export interface OutboxLimits {
  /** Messages without outcome yet, to all peers together. */
  readonly outstandingMax: number;
  /** Their payload bytes. One message always fits. */
  readonly outstandingBytesMax: number;
  readonly messageBytesMax: number;
}

/** What the outbox works with. */
export interface OutboxOptions {
  readonly clients: ClientFactory;
  readonly limits: OutboxLimits;
  /** What is said first on a new connection. */
  readonly hello: () => Uint8Array;
  readonly onConnected: (client: TransportClient, peer: RpcPeer) => void;
  readonly onConnectFailed: (error: Error, peer: RpcPeer) => void;
}

interface Peer {
  readonly address: RpcAddress;
  client: TransportClient | null;
  isConnecting: boolean;
  readonly waiting: Set<Parcel>;
}

const CALL_ID_MAX = 2 ** 32 - 1;
const NOTHING_IN_PROGRESS: DeliveryInProgress = { giveUp: () => {} };

/** See the file comment. */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #peers = new Map<string, Peer>();
  readonly #outstanding = new Set<Parcel>();
  #outstandingBytes = 0;
  #lastCallId = 0;
  #isStopped = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** What brings messages to an endpoint at `address`. */
  courierTo(address: RpcAddress, endpoint: string): Courier {
    const heads = new RequestHeads(endpoint);
    const peerKey = formatRpcAddress(address);
    return {
      deliver: (delivery) => {
        try {
          const parcel = this.#pack(delivery, heads);
          this.#post(this.#peerAt(peerKey, address), parcel);
          return parcel;
        } catch (error) {
          delivery.outcome.reject(asRpcError(error));
          return NOTHING_IN_PROGRESS;
        }
      },
    };
  }

  /** Fails what has no outcome yet, and everything from now on, with ENV_STOPPED. */
  stop(): void {
    this.#isStopped = true;
    for (const parcel of this.#outstanding) parcel.fail(envStopped());
  }

  #pack<Request, Reply>(delivery: Delivery<Request, Reply>, heads: RequestHeads): Parcel {
    if (this.#isStopped) throw envStopped();
    const { message, request, isOneWay, canBeGivenUp } = delivery;
    const payload = message.request.encode(request);
    this.#checkLimits(message, payload);
    const callId = canBeGivenUp ? this.#takeCallId() : 0;
    const body = encodeRequest(heads.of(message.type, isOneWay), payload, callId);
    const parcel: Parcel = new Parcel(delivery, body, callId, () => {
      if (this.#outstanding.delete(parcel)) this.#outstandingBytes -= payload.length;
    });
    this.#outstanding.add(parcel);
    this.#outstandingBytes += payload.length;
    return parcel;
  }

  #checkLimits({ type }: Pick<RpcMessage<unknown, unknown>, "type">, payload: Uint8Array): void {
    const { outstandingMax, outstandingBytesMax, messageBytesMax } = this.#options.limits;
    checkMessageBytes(type, payload.length, messageBytesMax);
    const { size } = this.#outstanding;
    const bytes = this.#outstandingBytes;
    if (size < outstandingMax && (size === 0 || bytes + payload.length <= outstandingBytesMax))
      return;
    throw new RpcError("OUTBOX_FULL", `${size} messages, ${bytes} bytes wait for an answer`);
  }

  #takeCallId(): number {
    this.#lastCallId = this.#lastCallId === CALL_ID_MAX ? 1 : this.#lastCallId + 1;
    return this.#lastCallId;
  }

  #post(peer: Peer, parcel: Parcel): void {
    if (peer.client?.isActive) {
      parcel.write(peer.client);
      return;
    }
    peer.client = null;
    peer.waiting.add(parcel);
    if (!peer.isConnecting) void this.#connect(peer);
  }

  async #connect(peer: Peer): Promise<void> {
    const { clients, hello, onConnected } = this.#options;
    const { host, port } = peer.address;
    peer.isConnecting = true;
    try {
      const client = await clients.createClient(host, port);
      peer.client = client;
      void client.channel.closed.then(() => this.#forgetPeer(peer, client));
      client.send(hello());
      onConnected(client, rpcPeer(peer.address, client));
      for (const parcel of peer.waiting) parcel.write(client);
    } catch (error) {
      this.#failAll(peer, error);
    } finally {
      peer.isConnecting = false;
      peer.waiting.clear();
    }
  }

  #failAll(peer: Peer, error: unknown): void {
    const key = formatRpcAddress(peer.address);
    const failure = fromTransportError(error, key);
    this.#peers.delete(key);
    if (!this.#isStopped) this.#options.onConnectFailed(failure, rpcPeer(peer.address, null));
    for (const parcel of peer.waiting) parcel.fail(failure);
  }

  #peerAt(key: string, address: RpcAddress): Peer {
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

/** What the messages to one endpoint begin with. */
class RequestHeads {
  readonly #endpoint: string;
  readonly #asked = new Map<string, Uint8Array>();
  readonly #sent = new Map<string, Uint8Array>();

  constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  of(type: string, isOneWay: boolean): Uint8Array {
    const known = isOneWay ? this.#sent : this.#asked;
    let head = known.get(type);
    if (head === undefined) {
      head = encodeRequestHead(this.#endpoint, type, isOneWay);
      known.set(type, head);
    }
    return head;
  }
}

function rpcPeer(address: RpcAddress, client: TransportClient | null): RpcPeer {
  const remoteAddress = client?.remoteAddress ?? `/${formatRpcAddress(address)}`;
  return { remoteAddress, address, name: null, clientId: client?.clientId ?? null };
}
