/**
 * A network in memory: listeners and connections inside one process, in turns of a given clock.
 *
 * With a manual clock nothing moves by itself: `await clock.settle()` lets everything in flight
 * arrive. Faults are put in with two hooks.
 */
import {
  bindFailed,
  connectAborted,
  connectFailed,
  connectTimedOut,
} from "../platform/node-error.ts";
import type {
  Clock,
  ConnectOptions,
  Listener,
  ListenOptions,
  Network,
  Socket,
  SocketAddress,
} from "../platform/platform.ts";
import { systemError } from "../platform/system-error.ts";
import { connectedPair, type DeliveryFault } from "./memory-socket.ts";

/** Where the system's own ports begin. */
const FIRST_FREE_PORT = 49_152;
const PORT_MAX = 65_535;

const WILDCARD = "::";
const LOCAL_HOSTS: ReadonlySet<string> = new Set([
  WILDCARD,
  "0.0.0.0",
  "127.0.0.1",
  "::1",
  "localhost",
]);

/** The address, the limits and the faults of a network in memory. */
export interface MemoryNetworkOptions {
  /** The address that connections come from. Default: 127.0.0.1. See `MemoryNetwork.at`. */
  readonly host?: string;
  /** Bytes that one direction of a connection holds before the sender waits. Default: 64 KiB. */
  readonly pipeBytes?: number;
  /** Asked before bytes arrive. Default: all of them, in one piece. */
  readonly onDeliver?: DeliveryFault;
  /** Asked before a connection is made; "hang" never answers. Default: "accept". */
  readonly onConnect?: (from: SocketAddress, to: SocketAddress) => "accept" | "refuse" | "hang";
}

/** A network that other machines can be added to. */
export interface MemoryNetwork extends Network {
  /** The same network as seen from another machine, which has its own ports and loopback address. */
  at(host: string): Network;
}

/**
 * A network with nobody on it.
 * @param clock gives the turns in which bytes move, and measures connect timeouts.
 */
export function createMemoryNetwork(
  clock: Clock,
  options: MemoryNetworkOptions = {},
): MemoryNetwork {
  const wires = new Wires(clock, options);
  const at = (host: string): Network => ({
    connect: (connectOptions) => wires.connect(host, connectOptions),
    listen: (listenOptions, onSocket) => wires.listen(host, listenOptions, onSocket),
  });
  return { ...at(options.host ?? "127.0.0.1"), at };
}

class Wires {
  readonly #clock: Clock;
  readonly #options: MemoryNetworkOptions;
  readonly #listeners: Set<MemoryListener> = new Set();
  #nextPort = FIRST_FREE_PORT;
  #acceptCount = 0;

  constructor(clock: Clock, options: MemoryNetworkOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  async listen(
    machine: string,
    options: ListenOptions,
    onSocket: (socket: Socket) => void,
  ): Promise<Listener> {
    await this.#turn();
    const { host = WILDCARD, reusePort: isShared = false } = options;
    const port = options.port === 0 ? this.#freePort() : options.port;
    const fail = (code: string): Error =>
      bindFailed(options.host, port, systemError(code, "listen", String(port)));
    if (!(Number.isInteger(port) && port > 0 && port <= PORT_MAX))
      throw fail("ERR_SOCKET_BAD_PORT");
    const bound = { host: resolved(machine, host), port };
    const others = [...this.#listeners].filter((other) => other.hears(bound));
    if (others.some((other) => !(isShared && other.isShared))) throw fail("EADDRINUSE");
    const listener = new MemoryListener({
      address: { host: host === "localhost" ? "127.0.0.1" : host, port },
      bound,
      isShared,
      onSocket,
      onClose: () => this.#listeners.delete(listener),
    });
    this.#listeners.add(listener);
    return listener;
  }

  connect(fromHost: string, options: ConnectOptions): Promise<Socket> {
    const { timeoutMs, signal } = options;
    if (signal?.aborted) return Promise.reject(connectAborted(options, signal.reason));
    return new Promise((resolve, reject) => {
      const stopWaiting = (): void => {
        timer?.cancel();
        attempt.cancel();
        signal?.removeEventListener("abort", onAbort);
      };
      const fail = (error: Error): void => {
        stopWaiting();
        reject(error);
      };
      const onAbort = (): void => fail(connectAborted(options, signal?.reason));
      signal?.addEventListener("abort", onAbort, { once: true });
      const timer =
        timeoutMs > 0
          ? this.#clock.setTimer(timeoutMs, () => fail(connectTimedOut(options, timeoutMs)))
          : null;
      const attempt = this.#clock.setImmediate(() => {
        const socket = this.#establish(fromHost, options);
        if (socket instanceof Error) fail(connectFailed(options, socket));
        if (socket === "hangs" || socket instanceof Error) return;
        stopWaiting();
        resolve(socket);
      });
    });
  }

  #establish(fromHost: string, address: SocketAddress): Socket | Error | "hangs" {
    const to = { host: resolved(fromHost, address.host), port: address.port };
    const from = { host: fromHost, port: this.#freePort() };
    const verdict = this.#options.onConnect?.(from, to) ?? "accept";
    if (verdict === "hang") return "hangs";
    const listener = this.#listenerAt(to);
    if (verdict === "refuse" || listener === null) {
      const code = isNumeric(to.host) || this.#isKnown(to.host) ? "ECONNREFUSED" : "ENOTFOUND";
      return systemError(code, "connect", `${address.host}:${address.port}`);
    }
    const [near, far] = connectedPair({
      clock: this.#clock,
      local: from,
      remote: to,
      pipeBytes: this.#options.pipeBytes ?? 64 * 1024,
      onDeliver: this.#options.onDeliver ?? ((delivery) => delivery.bytes),
    });
    this.#clock.setImmediate(() => far.guard(() => listener.onSocket(far)));
    return near;
  }

  /** Listeners that share a port take turns. */
  #listenerAt(to: SocketAddress): MemoryListener | null {
    const matching = [...this.#listeners].filter((listener) => listener.hears(to));
    this.#acceptCount += 1;
    return matching[this.#acceptCount % Math.max(matching.length, 1)] ?? null;
  }

  #isKnown(host: string): boolean {
    return [...this.#listeners].some((listener) => listener.bound.host === host);
  }

  #freePort(): number {
    const port = this.#nextPort;
    this.#nextPort = port === PORT_MAX ? FIRST_FREE_PORT : port + 1;
    return port;
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.setImmediate(resolve);
    });
  }
}

interface MemoryListenerOptions {
  readonly address: SocketAddress;
  /** The same with a real host in place of the wildcard or the loopback address. */
  readonly bound: SocketAddress;
  readonly isShared: boolean;
  readonly onSocket: (socket: Socket) => void;
  readonly onClose: () => void;
}

class MemoryListener implements Listener {
  readonly address: SocketAddress;
  readonly bound: SocketAddress;
  readonly isShared: boolean;
  readonly onSocket: (socket: Socket) => void;
  readonly #onClose: () => void;

  constructor(options: MemoryListenerOptions) {
    this.address = options.address;
    this.bound = options.bound;
    this.isShared = options.isShared;
    this.onSocket = options.onSocket;
    this.#onClose = options.onClose;
  }

  hears({ host, port }: SocketAddress): boolean {
    return port === this.bound.port && host === this.bound.host;
  }

  close(): Promise<void> {
    this.#onClose();
    return Promise.resolve();
  }
}

/** The loopback and wildcard addresses of a machine are that machine. */
function resolved(machine: string, host: string): string {
  return LOCAL_HOSTS.has(host) ? machine : host;
}

function isNumeric(host: string): boolean {
  return /^[0-9.]+$/.test(host) || host.includes(":");
}
