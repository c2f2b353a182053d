/**
 * A pool of outgoing connections: up to `io.numConnectionsPerPeer` per host and port as given.
 *
 * Each slot connects once at a time; whoever asks meanwhile waits for the same connection. A client
 * that died is replaced when its slot is asked for again.
 */
import type { ClientBootstrap } from "../context/bootstrap.ts";
import type { TransportContext } from "../context/transport-context.ts";
import type { Socket } from "../platform/platform.ts";
import { isConnectionError, TransportError } from "../transport-error.ts";
import { settleRequest } from "./settle-request.ts";
import type { TransportClient } from "./transport-client.ts";

/** How a client is got from a {@link ClientFactory}. */
export interface CreateClientOptions {
  /** Fail at once when the same address refused a moment ago (95 % of `io.retryWait`). */
  readonly fastFail?: boolean | undefined;
  /** Stops waiting; the connection may still be made for others. */
  readonly signal?: AbortSignal | undefined;
}

interface Slot {
  client: TransportClient | null;
  connecting: Promise<TransportClient> | null;
}

interface Pool {
  readonly slots: readonly Slot[];
  /** When connecting last failed, on the monotonic clock; null when the last attempt succeeded. */
  lastFailureMs: number | null;
}

const FAST_FAIL_SHARE_OF_RETRY_WAIT = 0.95;

/** See the file comment. */
export class ClientFactory {
  readonly #context: TransportContext;
  readonly #bootstraps: readonly ClientBootstrap[];
  readonly #pools = new Map<string, Pool>();
  readonly #clients = new Set<TransportClient>();
  readonly #closed = new AbortController();

  constructor(context: TransportContext, bootstraps: readonly ClientBootstrap[]) {
    this.#context = context;
    this.#bootstraps = bootstraps;
  }

  /**
   * A client for the peer, shared with others. Do not close it; the factory does.
   * @throws TransportError CONNECT_FAILED, CONNECT_TIMEOUT, CONNECT_FAST_FAILED, BOOTSTRAP_FAILED,
   *   REQUEST_ABORTED, CLOSED (rejects).
   */
  createClient(
    host: string,
    port: number,
    options: CreateClientOptions = {},
  ): Promise<TransportClient> {
    const pool = this.#poolOf(host, port);
    const slot = pool.slots[this.#context.platform.random.below(pool.slots.length)] as Slot;
    if (slot.client?.isActive) {
      slot.client.touch();
      return Promise.resolve(slot.client);
    }
    if (slot.connecting === null) {
      const refusal = options.fastFail ? this.#fastFailure(pool, host, port) : null;
      if (refusal !== null) return Promise.reject(refusal);
      slot.connecting = this.#fill(slot, pool, host, port);
    }
    const { connecting } = slot;
    return settleRequest(
      this.#context.platform.clock,
      { signal: options.signal },
      ({ resolve, reject }) => {
        connecting.then(resolve, reject);
        return () => {};
      },
    );
  }

  /**
   * A connection of the caller's own, outside the pool; the caller closes it.
   * @throws TransportError as `createClient`.
   */
  createUnmanagedClient(
    host: string,
    port: number,
    options: Pick<CreateClientOptions, "signal"> = {},
  ): Promise<TransportClient> {
    return this.#connect(host, port, options.signal);
  }

  /** Closes every pooled client; later calls fail with CLOSED. Safe to call twice. */
  async close(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#closed.abort(new TransportError("CLOSED", "the client factory is closed"));
    this.#pools.clear();
    await Promise.all([...this.#clients].map((client) => client.close(options)));
  }

  /** Closes every pooled client now. Safe to call twice. */
  abort(reason: Error): void {
    this.#closed.abort(reason);
    this.#pools.clear();
    for (const client of this.#clients) client.abort(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #poolOf(host: string, port: number): Pool {
    const key = `${host}:${port}`;
    const known = this.#pools.get(key);
    if (known !== undefined) return known;
    const { numConnectionsPerPeer } = this.#context.conf;
    const slots = Array.from({ length: numConnectionsPerPeer }, () => emptySlot());
    const pool: Pool = { slots, lastFailureMs: null };
    this.#pools.set(key, pool);
    return pool;
  }

  #fastFailure(pool: Pool, host: string, port: number): TransportError | null {
    const { conf, platform } = this.#context;
    const windowMs = Math.floor(conf.retryWaitMs * FAST_FAIL_SHARE_OF_RETRY_WAIT);
    const { lastFailureMs } = pool;
    if (lastFailureMs === null || platform.clock.nowMs() - lastFailureMs >= windowMs) return null;
    const text = `Connecting to ${host}:${port} failed in the last ${windowMs} ms, fail this connection directly`;
    return new TransportError("CONNECT_FAST_FAILED", text);
  }

  async #fill(slot: Slot, pool: Pool, host: string, port: number): Promise<TransportClient> {
    try {
      const client = await this.#connect(host, port, this.#closed.signal);
      this.#clients.add(client);
      void client.channel.closed.then(() => this.#clients.delete(client));
      slot.client = client;
      pool.lastFailureMs = null;
      return client;
    } catch (error) {
      // A failed bootstrap is no sign that the address is unreachable.
      if (isConnectionError(error)) pool.lastFailureMs = this.#context.platform.clock.nowMs();
      throw error;
    } finally {
      slot.connecting = null;
    }
  }

  async #connect(
    host: string,
    port: number,
    signal: AbortSignal | undefined,
  ): Promise<TransportClient> {
    if (this.#closed.signal.aborted) {
      throw new TransportError(
        "CLOSED",
        `Failed to connect to ${host}:${port}: the factory is closed`,
      );
    }
    const { conf, platform } = this.#context;
    const socket = await platform.network.connect({
      host,
      port,
      timeoutMs: Math.max(conf.connectionCreationTimeoutMs, 0),
      signal,
      receiveBufferBytes: conf.receiveBuffer > 0 ? conf.receiveBuffer : undefined,
      sendBufferBytes: conf.sendBuffer > 0 ? conf.sendBuffer : undefined,
      busyPollMicros: conf.busyPollMicros,
    });
    return this.#bootstrap(socket, host);
  }

  async #bootstrap(socket: Socket, host: string): Promise<TransportClient> {
    const { client } = this.#context.initializeChannel(socket, {
      isAccepted: false,
      remoteName: host,
    });
    try {
      for (const bootstrap of this.#bootstraps) {
        await bootstrap.doBootstrap(client, client.channel);
      }
    } catch (cause) {
      const text = `setting up the connection to ${client.remoteAddress}: ${(cause as Error).message}`;
      const error = new TransportError("BOOTSTRAP_FAILED", text, { cause });
      client.abort(error);
      throw error;
    }
    return client;
  }
}

function emptySlot(): Slot {
  return { client: null, connecting: null };
}
