import type { Channel } from "../channel/channel.ts";
import type { ChannelHandler, HandlerContext } from "../channel/channel-handler.ts";
import { IDLE_EVENT } from "../channel/idle-state-handler.ts";
import type { TransportClient } from "../client/transport-client.ts";
import type { TransportResponseHandler } from "../client/transport-response-handler.ts";
import type { Logger } from "../logger.ts";
import { isRequest, type Message } from "../protocol/message.ts";
import type { TransportRequestHandler } from "../server/transport-request-handler.ts";
import { TransportError } from "../transport-error.ts";
import type { TransportMetrics } from "./transport-metrics.ts";

/** What holds for all connections of a context. */
export interface ConnectionRules {
  /** A request counts as overdue after this time without a newer one. */
  readonly requestTimeoutMs: number;
  /** Also close connections on which nothing is outstanding. */
  readonly closeIdleConnections: boolean;
  /** The key to name in the log when a connection is given up, for the person who reads it. */
  readonly timeoutKey: string;
  readonly logger: Logger;
  readonly metrics: TransportMetrics;
  /** False when the same peer's failure was reported a moment ago. */
  readonly shouldReport: (remoteHost: string) => boolean;
}

/** What {@link TransportChannelHandler} takes. */
export interface TransportChannelHandlerOptions {
  readonly client: TransportClient;
  readonly requests: TransportRequestHandler;
  readonly responses: TransportResponseHandler;
  readonly rules: ConnectionRules;
  /** Told once, when the connection is gone. */
  readonly onClosed: ((handler: TransportChannelHandler) => void) | null;
}

/**
 * The last handler of every pipeline: sends requests and answers to their side of the connection,
 * applies the idle rule, and ends the connection on any error.
 */
export class TransportChannelHandler implements ChannelHandler {
  readonly client: TransportClient;
  readonly requests: TransportRequestHandler;
  readonly responses: TransportResponseHandler;
  readonly #rules: ConnectionRules;
  readonly #onClosed: TransportChannelHandlerOptions["onClosed"];

  constructor(options: TransportChannelHandlerOptions) {
    this.client = options.client;
    this.requests = options.requests;
    this.responses = options.responses;
    this.#rules = options.rules;
    this.#onClosed = options.onClosed;
  }

  channelActive(): void {
    this.#rules.metrics.channelRegistered();
    this.requests.rpcHandler.channelActive(this.client);
  }

  channelRead(_context: HandlerContext, input: unknown): void {
    const message = input as Message;
    if (isRequest(message)) this.requests.handle(message);
    else this.responses.handle(message);
  }

  userEventTriggered(context: HandlerContext, event: unknown): void {
    if (event !== IDLE_EVENT) {
      context.fireUserEventTriggered(event);
      return;
    }
    const { requestTimeoutMs, closeIdleConnections } = this.#rules;
    const { clock } = context.channel;
    const isOverdue = clock.nowMs() - this.responses.lastRequestMs >= requestTimeoutMs;
    if (!isOverdue) return;
    if (this.responses.outstanding > 0) this.#giveUp();
    // A peer that waits for our answer is not idle, whatever the wire says.
    else if (closeIdleConnections && this.requests.inProgress === 0) void this.client.close();
  }

  exceptionCaught(context: HandlerContext, error: Error): void {
    const { metrics, logger, shouldReport } = this.#rules;
    metrics.exceptionCaught();
    if (shouldReport(context.channel.remoteHost)) {
      logger.warn(`closing the connection with ${this.client.remoteAddress}: ${error.message}`);
    }
    this.requests.rpcHandler.exceptionCaught(error, this.client);
    this.responses.failAll(error);
    // Not an abort: the answer that says why may still be on its way.
    void this.client.close();
  }

  channelInactive(context: HandlerContext): void {
    this.#onClosed?.(this);
    this.#rules.metrics.channelUnregistered();
    this.requests.close();
    // An error with its stack is dear: it is made only for those who wait.
    if (this.responses.outstanding > 0) this.responses.failAll(this.#lossOf(context.channel));
  }

  #lossOf({ closeReason }: Channel): TransportError {
    if (closeReason instanceof TransportError) return closeReason;
    const text = `Connection from ${this.client.remoteAddress} closed`;
    return new TransportError("CHANNEL_CLOSED", text, { cause: closeReason ?? undefined });
  }

  #giveUp(): void {
    const { requestTimeoutMs, timeoutKey, logger } = this.#rules;
    const text =
      `Connection to ${this.client.remoteAddress} has been quiet for ${requestTimeoutMs} ms while ` +
      `${this.responses.outstanding} requests are outstanding; assuming it is dead. ` +
      `Raise ${timeoutKey} if this is wrong.`;
    logger.error(text);
    this.client.abort(new TransportError("CHANNEL_IDLE", text));
  }
}
