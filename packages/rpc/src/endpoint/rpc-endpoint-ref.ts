import type { Clock, Logger, Random } from "@bm/transport";
import {
  formatRpcAddress,
  type RpcAddress,
  type RpcEndpointAddress,
} from "../address/rpc-address.ts";
import type { RpcConf } from "../config/rpc-conf.ts";
import type { RpcMessage } from "../message/rpc-message.ts";
import { type AskLimits, type AskOptions, askOnce } from "./ask-once.ts";
import { askUntilAnswered, type RetryOptions } from "./ask-until-answered.ts";
import type { Courier } from "./courier.ts";

/** What a reference works with. */
export interface RpcEndpointRefOptions {
  readonly name: string;
  readonly address: RpcAddress | null;
  readonly courier: Courier;
  readonly conf: RpcConf;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * The way to one endpoint, of the own process or another. Holds nothing open: it may be made before
 * its endpoint exists and outlive it. Messages through one environment to one endpoint are handled
 * in the order of the calls here, as long as the connection lasts.
 *
 * Within a process messages are handed over as they are, not copied: neither side changes them.
 */
export class RpcEndpointRef implements RpcEndpointAddress {
  readonly name: string;
  readonly address: RpcAddress | null;
  readonly #options: RpcEndpointRefOptions;

  /** Made by `RpcEnv.setupEndpoint` and `RpcEnv.endpointRef`. */
  constructor(options: RpcEndpointRefOptions) {
    this.name = options.name;
    this.address = options.address;
    this.#options = options;
  }

  /**
   * Sends a message and gives its answer.
   * @throws RpcError TIMEOUT, ABORTED, CONNECT_FAILED, CONNECTION_LOST, ENDPOINT_NOT_FOUND,
   *   ENV_STOPPED, INBOX_FULL, OUTBOX_FULL, MESSAGE_UNKNOWN, MESSAGE_MALFORMED, MESSAGE_TOO_LARGE,
   *   REMOTE_FAILURE (rejects).
   */
  ask<Request, Reply>(
    message: RpcMessage<Request, Reply>,
    request: Request,
    options: AskOptions = {},
  ): Promise<Reply> {
    const sending = { message, request, isOneWay: false };
    return askOnce(this.#options.courier, sending, this.#limits(options));
  }

  /**
   * Like `ask`, again and again while the failure is one that another attempt may mend
   * (`isRetryable`). Every attempt has the full time-out. The message may be handled more than once.
   * @throws RpcError as `ask`, of the last attempt (rejects).
   */
  askWithRetry<Request, Reply>(
    message: RpcMessage<Request, Reply>,
    request: Request,
    options: RetryOptions = {},
  ): Promise<Reply> {
    return askUntilAnswered(this.#options, options, () => this.ask(message, request, options));
  }

  /**
   * Sends a message without waiting for its handler. Resolves when the endpoint's inbox has taken
   * it. A rejection may be left unhandled: the failure is in the environment's log, too.
   * @throws RpcError as `ask`, without REMOTE_FAILURE (rejects).
   */
  send<Request>(
    message: RpcMessage<Request, void>,
    request: Request,
    options: AskOptions = {},
  ): Promise<void> {
    const sending = { message, request, isOneWay: true };
    const taken = askOnce(this.#options.courier, sending, this.#limits(options));
    taken.catch((error: Error) => {
      this.#options.logger.warn(`${message.type} to ${this.toString()}: ${error.message}`);
    });
    return taken;
  }

  /** `name@host:port`, or `name` where only the own process reaches it. */
  toString(): string {
    return this.address === null ? this.name : `${this.name}@${formatRpcAddress(this.address)}`;
  }

  #limits({ timeoutMs, signal }: AskOptions): AskLimits {
    const { clock, conf } = this.#options;
    return { clock, timeoutMs: timeoutMs ?? conf.askTimeoutMs, signal, endpoint: this };
  }
}
