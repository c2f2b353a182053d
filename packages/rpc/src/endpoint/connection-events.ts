import type { InboxEntry } from "./inbox-queue.ts";
import { OWN_PROCESS, RpcEndpoint, type RpcPeer } from "./rpc-endpoint.ts";

/**
 * Turns what happens to connections into entries of an endpoint's inbox. An endpoint hears of the end of
 * exactly those connections of whose beginning it heard.
 */
export class ConnectionEvents {
  readonly #endpoint: RpcEndpoint;
  /** Only of an endpoint that listens. */
  readonly #known = new Set<RpcPeer>();

  constructor(endpoint: RpcEndpoint) {
    this.#endpoint = endpoint;
  }

  /** Null when the endpoint does not listen for it. */
  connected(peer: RpcPeer): InboxEntry | null {
    const endpoint = this.#endpoint;
    if (!handles(endpoint, "onConnected") && !handles(endpoint, "onDisconnected")) return null;
    this.#known.add(peer);
    return event("onConnected", () => endpoint.onConnected(peer));
  }

  /** The endpoint was not told of its beginning after all. */
  forget(peer: RpcPeer): void {
    this.#known.delete(peer);
  }

  /** Null when the endpoint does not know the peer. */
  disconnected(peer: RpcPeer): InboxEntry | null {
    if (!this.#known.delete(peer)) return null;
    return event("onDisconnected", () => this.#endpoint.onDisconnected(peer));
  }

  /** Null when the endpoint does not listen for it. */
  failed(error: Error, peer: RpcPeer): InboxEntry | null {
    if (!handles(this.#endpoint, "onNetworkError")) return null;
    return event("onNetworkError", () => this.#endpoint.onNetworkError(error, peer));
  }
}

/** Whether the endpoint has a method of its own: most have none, and are not woken up then. */
function handles(
  endpoint: RpcEndpoint,
  name: "onConnected" | "onDisconnected" | "onNetworkError",
): boolean {
  return endpoint[name] !== RpcEndpoint.prototype[name];
}

function event(type: string, handle: () => void | Promise<void>): InboxEntry {
  const handler = { type, handle };
  return { handler, request: undefined, call: OWN_PROCESS, payloadBytes: 0, sink: null };
}
