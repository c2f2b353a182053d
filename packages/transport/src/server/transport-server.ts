import type { TransportChannelHandler } from "../context/transport-channel-handler.ts";
import type { ServerOptions, TransportContext } from "../context/transport-context.ts";
import type { Listener, Socket } from "../platform/platform.ts";
import { TransportError } from "../transport-error.ts";

/** How long `close` waits for requests in progress when the caller sets no limit of its own. */
const CLOSE_GRACE_MS = 10_000;

/** Accepts connections and serves them with the context's handler. Made by `createServer`. */
export class TransportServer {
  readonly #context: TransportContext;
  readonly #options: ServerOptions;
  readonly #handlers = new Set<TransportChannelHandler>();
  #listener: Listener | null = null;
  #closing: Promise<void> | null = null;

  private constructor(context: TransportContext, options: ServerOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** @throws TransportError BIND_FAILED (rejects). */
  static async listen(context: TransportContext, options: ServerOptions): Promise<TransportServer> {
    const server = new TransportServer(context, options);
    const { conf, platform } = context;
    server.#listener = await platform.network.listen(
      {
        host: options.host,
        port: options.port ?? 0,
        backlog: conf.backLog > 0 ? conf.backLog : undefined,
        keepAlive: conf.enableTcpKeepAlive,
        receiveBufferBytes: conf.receiveBuffer > 0 ? conf.receiveBuffer : undefined,
        sendBufferBytes: conf.sendBuffer > 0 ? conf.sendBuffer : undefined,
        reusePort: options.reusePort,
        busyPollMicros: conf.busyPollMicros,
      },
      (socket) => server.#accept(socket),
    );
    return server;
  }

  /** The port that is listened on; the real one when 0 was asked for. */
  get port(): number {
    return this.#address.port;
  }

  /** The address that is listened on. */
  get host(): string {
    return this.#address.host;
  }

  /** Accepted connections that are up. */
  get connectionCount(): number {
    return this.#handlers.size;
  }

  /**
   * Stops accepting, lets requests in progress be answered, then closes every connection. After ten
   * seconds, or when the signal is aborted, what is left is closed at once. Safe to call twice.
   */
  close(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#closing ??= this.#close(options.signal);
    return this.#closing;
  }

  /** Stops accepting and closes every connection now. Safe to call twice. */
  abort(reason: Error): void {
    void this.#listener?.close();
    for (const handler of this.#handlers) handler.client.abort(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(signal: AbortSignal | undefined): Promise<void> {
    const abort = (): void => this.abort(new TransportError("CLOSED", "the server is closing"));
    const timer = this.#context.platform.clock.setTimer(CLOSE_GRACE_MS, abort);
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
    await this.#listener?.close();
    await Promise.all([...this.#handlers].map(closeWhenIdle));
    timer.cancel();
    signal?.removeEventListener("abort", abort);
  }

  get #address(): { readonly host: string; readonly port: number } {
    if (this.#listener === null) throw new TransportError("CLOSED", "the server never listened");
    return this.#listener.address;
  }

  #accept(socket: Socket): void {
    let handler: TransportChannelHandler;
    try {
      handler = this.#context.initializeChannel(socket, {
        isAccepted: true,
        serverBootstraps: this.#options.bootstraps,
        onClosed: this.#onClosed,
      });
    } catch (error) {
      this.#context.logger.error(`setting up an accepted connection: ${String(error)}`);
      socket.destroy();
      return;
    }
    this.#handlers.add(handler);
  }

  readonly #onClosed = (handler: TransportChannelHandler): void => {
    this.#handlers.delete(handler);
  };
}

function closeWhenIdle(handler: TransportChannelHandler): Promise<void> {
  handler.requests.whenIdle(() => void handler.client.close());
  return handler.client.channel.closed;
}
