import type { TransportClient } from "@bm/transport";
import type { Inbox } from "../endpoint/inbox.ts";
import type { RpcCall, RpcPeer } from "../endpoint/rpc-endpoint.ts";
import type { Hello } from "../message/notice.ts";

/** What an environment keeps for one connection, of either direction, while it lasts. */
export class Connection {
  /** Whom the endpoints were told of; null while the peer has not said who it is. */
  peer: RpcPeer | null = null;
  readonly #client: TransportClient;
  /** Messages that their sender may give up, by the name that it gave them. */
  readonly #abandonable = new Map<number, AbortController>();
  readonly #holders = new Set<Inbox>();
  #call: RpcCall | null = null;

  constructor(client: TransportClient) {
    this.#client = client;
  }

  /** Who sends the messages of this connection, which nobody gives up. */
  get call(): RpcCall {
    this.#call ??= this.#createCall(null);
    return this.#call;
  }

  /** The same for a message that may be given up, until `settled`. */
  abandonableCall(callId: number): RpcCall {
    const abandonment = new AbortController();
    this.#abandonable.set(callId, abandonment);
    return this.#createCall(abandonment.signal);
  }

  /** The message has its outcome. */
  settled(callId: number): void {
    this.#abandonable.delete(callId);
  }

  /** Its sender waits no longer. */
  givenUp(callId: number): void {
    this.#abandonable.get(callId)?.abort();
  }

  /** The peer that connected said who it is. */
  greetedBy({ name, address }: Hello): RpcPeer {
    const { remoteAddress, clientId } = this.#client;
    this.peer = { remoteAddress, address, name, clientId };
    // From now on messages are known to come from there.
    this.#call = null;
    return this.peer;
  }

  /** Reads nothing more from the peer until the inbox has room. */
  holdFor(inbox: Inbox): void {
    if (this.#holders.has(inbox)) return;
    const { channel } = this.#client;
    this.#holders.add(inbox);
    channel.pauseReading();
    inbox.whenRoom(() => {
      this.#holders.delete(inbox);
      channel.resumeReading();
    });
  }

  /** Nobody waits for any answer any more. */
  close(): void {
    for (const abandonment of this.#abandonable.values()) abandonment.abort();
    this.#abandonable.clear();
  }

  #createCall(signal: AbortSignal | null): RpcCall {
    const { remoteAddress, clientId } = this.#client;
    return { remoteAddress, senderAddress: this.peer?.address ?? null, clientId, signal };
  }
}
