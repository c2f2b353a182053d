/** Orders that the master gives to many block managers at once. */
import { RpcError, type RpcErrorCode, type RpcMessage } from "@bm/rpc";
import type { Logger } from "@bm/transport";
import type { BlockManagerInfo } from "./block-manager-info.ts";

/** Whether the scheduler takes an executor for alive. */
export type IsExecutorAlive = (executorId: string) => boolean | Promise<boolean>;

/** What {@link SlaveOrders} works with. */
export interface SlaveOrdersOptions {
  readonly isExecutorAlive: IsExecutorAlive;
  readonly logger: Logger;
}

/** An order, and what counts as the answer of a block manager that is gone. */
export interface Order<Request, Reply> {
  readonly message: RpcMessage<Request, Reply>;
  readonly request: Request;
  readonly answerOfTheDead: Reply;
}

/** The block manager went away, and what it had with it. */
const GONE_CODES: ReadonlySet<RpcErrorCode> = new Set<RpcErrorCode>([
  "CONNECT_FAILED",
  "CONNECTION_LOST",
  "ENDPOINT_NOT_FOUND",
  "ENV_STOPPED",
]);

/** See the file comment. */
export class SlaveOrders {
  readonly #isExecutorAlive: IsExecutorAlive;
  readonly #logger: Logger;

  constructor(options: SlaveOrdersOptions) {
    this.#isExecutorAlive = options.isExecutorAlive;
    this.#logger = options.logger;
  }

  /**
   * Gives an order and waits until everybody has answered, or is known to be gone.
   * @throws RpcError REMOTE_FAILURE, or TIMEOUT of an executor that is alive (rejects).
   */
  async giveAll<Request, Reply>(
    infos: readonly BlockManagerInfo[],
    order: Order<Request, Reply>,
  ): Promise<Reply[]> {
    const outcomes = await Promise.allSettled(infos.map((info) => this.#give(info, order)));
    return outcomes.map((outcome) => {
      if (outcome.status === "rejected") throw outcome.reason;
      return outcome.value;
    });
  }

  /** Gives an order and does not wait; a failure is logged. */
  giveInPassing<Request, Reply>(
    info: BlockManagerInfo,
    message: RpcMessage<Request, Reply>,
    request: Request,
  ): void {
    info.slave.ask(message, request).catch((error: unknown) => {
      this.#logger.warn(`${message.type} to ${info.id.toString()}: ${String(error)}`);
    });
  }

  async #give<Request, Reply>(
    info: BlockManagerInfo,
    order: Order<Request, Reply>,
  ): Promise<Reply> {
    const { message, request, answerOfTheDead } = order;
    try {
      return await info.slave.ask(message, request);
    } catch (error) {
      if (!(await this.#isGone(info, error))) throw error;
      this.#logger.warn(`${message.type} to ${info.id.toString()}: ${String(error)}`);
      return answerOfTheDead;
    }
  }

  async #isGone(info: BlockManagerInfo, error: unknown): Promise<boolean> {
    if (!(error instanceof RpcError)) return false;
    if (GONE_CODES.has(error.code)) return true;
    return error.code === "TIMEOUT" && !(await this.#isExecutorAlive(info.id.executorId));
  }
}
