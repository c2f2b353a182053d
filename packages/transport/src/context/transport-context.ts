/**
 * Where servers and clients are made. One context per purpose: its configuration, its request
 * handler and its counters are shared by every connection in both directions.
 */
import { Channel } from "../channel/channel.ts";
import { IdleStateHandler } from "../channel/idle-state-handler.ts";
import { ClientFactory } from "../client/client-factory.ts";
import { TransportClient } from "../client/transport-client.ts";
import { TransportResponseHandler } from "../client/transport-response-handler.ts";
import { ChunkedWriter } from "../codec/chunked-writer.ts";
import { FrameDecoder } from "../codec/frame-decoder.ts";
import { MessageDecoder } from "../codec/message-decoder.ts";
import { MessageEncoder } from "../codec/message-encoder.ts";
import type { TransportConf } from "../config/transport-conf.ts";
import { OncePerPeer } from "../foreign/once-per-peer.ts";
import type { RpcHandler } from "../handler/rpc-handler.ts";
import { type Logger, silentLogger } from "../logger.ts";
import { nodePlatform } from "../platform/node-platform.ts";
import type { Platform, Socket } from "../platform/platform.ts";
import { AnswerBudget } from "../server/answer-budget.ts";
import { type RequestRules, TransportRequestHandler } from "../server/transport-request-handler.ts";
import { TransportServer } from "../server/transport-server.ts";
import type { ClientBootstrap, ServerBootstrap } from "./bootstrap.ts";
import { type ConnectionRules, TransportChannelHandler } from "./transport-channel-handler.ts";
import { TransportMetrics } from "./transport-metrics.ts";

/** What {@link TransportContext} takes. */
export interface TransportContextOptions {
  readonly conf: TransportConf;
  /** Answers requests on every connection, also those that our clients opened. */
  readonly rpcHandler: RpcHandler;
  /** Default: the real machine. */
  readonly platform?: Platform | undefined;
  /** Default: says nothing. */
  readonly logger?: Logger | undefined;
  /** Close connections on which nothing happened for the connection timeout. Default: false. */
  readonly closeIdleConnections?: boolean | undefined;
  /** Largest frame content to accept, in bytes. Default: 2^31 - 2, as every Spark peer. */
  readonly frameContentBytesMax?: number | undefined;
}

/** Where a server listens and what runs on each accepted connection. */
export interface ServerOptions {
  /** Address to bind. Default: every interface. */
  readonly host?: string | undefined;
  /** 0, the default, lets the system choose. */
  readonly port?: number | undefined;
  readonly bootstraps?: readonly ServerBootstrap[] | undefined;
  /** Several event loops share the port where the system can. Default: false. */
  readonly reusePort?: boolean | undefined;
}

/** The first two billion ids of a connection are small integers, which cost no memory of their own. */
const FIRST_REQUEST_ID_BOUND = 2 ** 20;

/** See the file comment. */
export class TransportContext {
  readonly conf: TransportConf;
  readonly rpcHandler: RpcHandler;
  readonly platform: Platform;
  readonly logger: Logger;
  readonly metrics: TransportMetrics;
  readonly #frameContentBytesMax: number | undefined;
  // What is the same for every connection, made once.
  readonly #encoder = new MessageEncoder();
  readonly #decoder = new MessageDecoder();
  readonly #idleStateHandler: IdleStateHandler;
  readonly #connectionRules: ConnectionRules;
  readonly #requestRules: RequestRules;

  constructor(options: TransportContextOptions) {
    this.conf = options.conf;
    this.rpcHandler = options.rpcHandler;
    this.platform = options.platform ?? nodePlatform();
    this.logger = options.logger ?? silentLogger;
    const answers = new AnswerBudget(this.conf.answersInFlightBytes);
    this.metrics = new TransportMetrics(options.conf.module, answers);
    this.#frameContentBytesMax = options.frameContentBytesMax;
    this.#idleStateHandler = new IdleStateHandler(this.conf.connectionTimeoutMs);
    this.#connectionRules = this.#rulesOfConnections(options.closeIdleConnections ?? false);
    this.#requestRules = {
      maxChunksBeingTransferred: this.conf.maxChunksBeingTransferred,
      answers,
      logger: this.logger,
    };
  }

  /** Listens. @throws TransportError BIND_FAILED (rejects). */
  createServer(options: ServerOptions = {}): Promise<TransportServer> {
    return TransportServer.listen(this, options);
  }

  /** A pool of outgoing connections. `bootstraps` run on each new one. */
  createClientFactory(bootstraps: readonly ClientBootstrap[] = []): ClientFactory {
    return new ClientFactory(this, bootstraps);
  }

  /**
   * Builds the pipeline of a connected socket and starts it. Must be called in the turn in which the
   * socket was handed over.
   */
  initializeChannel(socket: Socket, options: InitializeOptions): TransportChannelHandler {
    const channel = new Channel({
      socket,
      clock: this.platform.clock,
      remoteName: options.remoteName,
      pauseReadingWhileUnwritable: options.isAccepted,
    });
    const bootstraps = options.serverBootstraps ?? [];
    const rpcHandler = bootstraps.reduce(
      (handler, bootstrap) => bootstrap.doBootstrap(channel, handler),
      this.rpcHandler,
    );
    const handler = this.#initializePipeline(channel, rpcHandler, options.onClosed ?? null);
    channel.start();
    return handler;
  }

  #initializePipeline(
    channel: Channel,
    rpcHandler: RpcHandler,
    onClosed: ((handler: TransportChannelHandler) => void) | null,
  ): TransportChannelHandler {
    const frameDecoder = new FrameDecoder({ frameContentBytesMax: this.#frameContentBytesMax });
    const responses = new TransportResponseHandler(channel, frameDecoder, this.logger);
    const firstRequestId = this.platform.random.below(FIRST_REQUEST_ID_BOUND);
    const client = new TransportClient(channel, responses, firstRequestId);
    const rules = this.#requestRules;
    const requests = new TransportRequestHandler({ client, rpcHandler, frameDecoder, rules });
    const handler = new TransportChannelHandler({
      client,
      requests,
      responses,
      rules: this.#connectionRules,
      onClosed,
    });
    channel.pipeline
      .addLast("chunkedWriter", new ChunkedWriter())
      .addLast("encoder", this.#encoder)
      .addLast("frameDecoder", frameDecoder)
      .addLast("decoder", this.#decoder)
      .addLast("idleStateHandler", this.#idleStateHandler)
      .addLast("handler", handler);
    return handler;
  }

  #rulesOfConnections(closeIdleConnections: boolean): ConnectionRules {
    const { conf, logger, metrics } = this;
    const reports = new OncePerPeer(this.platform.clock);
    return {
      requestTimeoutMs: conf.connectionTimeoutMs,
      closeIdleConnections,
      timeoutKey: `spark.${conf.module}.io.connectionTimeout`,
      logger,
      metrics,
      shouldReport: (remoteHost) => reports.shouldReport(remoteHost),
    };
  }
}

/** How a socket came to be. */
export interface InitializeOptions {
  readonly isAccepted: boolean;
  /** The host name that was asked for. */
  readonly remoteName?: string | undefined;
  readonly serverBootstraps?: readonly ServerBootstrap[] | undefined;
  /** Told once, when the connection is gone. */
  readonly onClosed?: ((handler: TransportChannelHandler) => void) | undefined;
}
