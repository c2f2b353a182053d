/**
 * TCP on node:net.
 *
 * `receiveBufferBytes` and `sendBufferBytes` are accepted and have no effect: Node cannot set
 * SO_RCVBUF and SO_SNDBUF of a TCP socket. The system's own tuning stays in charge (on Linux
 * `net.ipv4.tcp_rmem` and `tcp_wmem`), which for most paths is the better choice anyway.
 */
import net from "node:net";
import { availableParallelism } from "node:os";
import { invariant } from "../invariant.ts";
import type { TransportError } from "../transport-error.ts";
import { BusyPoll } from "./busy-poll.ts";
import { bindFailed, connectAborted, connectFailed, connectTimedOut } from "./node-error.ts";
import { NodeSocket, type OnWrite } from "./node-socket.ts";
import type {
  Clock,
  ConnectOptions,
  Listener,
  ListenOptions,
  Network,
  Socket,
  SocketAddress,
} from "./platform.ts";
import { moveToReader, SocketReader } from "./socket-reader.ts";
import { systemError } from "./system-error.ts";

/** The kernel cuts this to its own limit, which Node's default of 511 would undercut. */
const BACKLOG_OF_THE_SYSTEM = 65_535;

/** The network of this machine. @param clock measures the connect timeout. */
export function createNodeNetwork(clock: Clock): Network {
  const poll = new BusyPoll(clock);
  return {
    connect: (options) => connect(clock, options, onWriteOf(options, poll)),
    listen: (options, onSocket) => listen(options, onWriteOf(options, poll), onSocket),
  };
}

/** What each write of a connection calls; null for nothing. */
function onWriteOf(
  { busyPollMicros = 0 }: { readonly busyPollMicros?: number | undefined },
  poll: BusyPoll,
): OnWrite {
  // On a single core the peer, or whoever else has the answer, could not run meanwhile.
  const isOn = busyPollMicros > 0 && availableParallelism() > 1;
  return isOn ? (socket) => poll.wrote(socket, busyPollMicros / 1000) : null;
}

function connect(clock: Clock, options: ConnectOptions, onWrite: OnWrite): Promise<Socket> {
  const { host, port, timeoutMs, signal } = options;
  if (signal?.aborted) return Promise.reject(connectAborted(options, signal.reason));
  const reader = new SocketReader();
  let socket: net.Socket;
  try {
    const { onread } = reader;
    socket = net.connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      allowHalfOpen: true,
      onread,
    });
    // Nothing is read, and so nothing lost, before there is somebody to take it.
    socket.pause();
  } catch (error) {
    // A port that is out of range is thrown at once.
    return Promise.reject(connectFailed(options, error));
  }
  return new Promise((resolve, reject) => {
    const fail = (error: TransportError): void => {
      stopWaiting();
      // The listener for "error" stays: destroying a connecting socket may still emit one.
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(connectAborted(options, signal?.reason));
    const timer =
      timeoutMs > 0
        ? clock.setTimer(timeoutMs, () => fail(connectTimedOut(options, timeoutMs)))
        : null;
    const stopWaiting = (): void => {
      timer?.cancel();
      signal?.removeEventListener("abort", onAbort);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    const onError = (error: Error): void => fail(connectFailed(options, error));
    socket.on("error", onError);
    socket.once("connect", () => {
      stopWaiting();
      const connected = NodeSocket.adopt(socket, reader, onWrite);
      if (connected === null) {
        fail(connectFailed(options, systemError("ECONNRESET", "connect", host)));
        return;
      }
      socket.off("error", onError);
      resolve(connected);
    });
  });
}

function listen(
  options: ListenOptions,
  onWrite: OnWrite,
  onSocket: (socket: Socket) => void,
): Promise<Listener> {
  const { host, port, backlog = BACKLOG_OF_THE_SYSTEM, keepAlive = false } = options;
  const accepting = { allowHalfOpen: true, noDelay: true, keepAlive, pauseOnConnect: true };
  const server = net.createServer(accepting, (accepted) => handOver(accepted, onWrite, onSocket));
  return new Promise((resolve, reject) => {
    const onFailure = (error: Error): void => reject(bindFailed(host, port, error));
    server.once("error", onFailure);
    const where = host === undefined ? { port } : { host, port };
    try {
      server.listen({ ...where, backlog, reusePort: options.reusePort ?? false }, () => {
        server.off("error", onFailure);
        // Accepting one connection may fail later (no file descriptor is free). Node goes on
        // accepting; that peer finds its connection closed.
        server.on("error", () => {});
        resolve(new NodeListener(server));
      });
    } catch (error) {
      reject(bindFailed(host, port, error));
    }
  });
}

function handOver(
  accepted: net.Socket,
  onWrite: OnWrite,
  onSocket: (socket: Socket) => void,
): void {
  const reader = new SocketReader();
  const moved = moveToReader(accepted, reader);
  const socket = NodeSocket.adopt(moved ?? accepted, moved === null ? null : reader, onWrite);
  // Null: the peer was gone before it was accepted. Nobody needs to know.
  if (socket === null) (moved ?? accepted).destroy();
  else socket.guard(() => onSocket(socket));
}

class NodeListener implements Listener {
  readonly address: SocketAddress;
  readonly #server: net.Server;
  #closed: Promise<void> | null = null;

  constructor(server: net.Server) {
    this.#server = server;
    const address = server.address();
    invariant(address !== null && typeof address === "object", "a TCP server has an address");
    this.address = { host: address.address, port: address.port };
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      // Node's own callback would wait for the accepted sockets too; the port is free at once.
      this.#server.close();
      setImmediate(resolve);
    });
    return this.#closed;
  }
}
