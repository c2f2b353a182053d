import type { Clock, Timer } from "@bm/transport";
import { RpcError } from "../rpc-error.ts";
import type { Courier, Delivery, DeliveryInProgress, Outcome } from "./courier.ts";

/** How long to wait for an answer. */
export interface AskOptions {
  /**
   * Time for everything: connecting, sending, handling, answering. `Infinity` waits as long as the
   * connection lasts. Default: `spark.rpc.askTimeout`.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Stops waiting. The endpoint learns of it, then and when the time is up: a message that still waits
   * in its inbox is not handled, and a handler that runs sees it in `RpcCall.signal`.
   */
  readonly signal?: AbortSignal | undefined;
}

/** The limits of one attempt. */
export interface AskLimits {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** Named in errors. */
  readonly endpoint: { toString(): string };
}

/** What is sent, without what becomes of it. */
export type Sending<Request, Reply> = Pick<
  Delivery<Request, Reply>,
  "message" | "request" | "isOneWay"
>;

/** The promise of one outcome, ended early by time or signal. */
export function askOnce<Request, Reply>(
  courier: Courier,
  sending: Sending<Request, Reply>,
  limits: AskLimits,
): Promise<Reply> {
  if (limits.signal?.aborted) return Promise.reject(aborted(sending, limits));
  return new Promise((resolve, reject) => {
    const { message, request, isOneWay } = sending;
    const outcome = new PendingAsk<Reply>(sending, limits, { resolve, reject });
    const canBeGivenUp = limits.signal !== undefined && !isOneWay;
    outcome.waitFor(courier.deliver({ message, request, isOneWay, canBeGivenUp, outcome }));
  });
}

type Label = Pick<Sending<unknown, unknown>, "isOneWay"> & {
  readonly message: { readonly type: string };
};

class PendingAsk<Reply> implements Outcome<Reply> {
  readonly #label: Label;
  readonly #limits: AskLimits;
  readonly #promise: Outcome<Reply>;
  #isEnded = false;
  #timer: Timer | null = null;
  #delivery: DeliveryInProgress | null = null;
  #onAbort: (() => void) | null = null;

  constructor(label: Label, limits: AskLimits, promise: Outcome<Reply>) {
    this.#label = label;
    this.#limits = limits;
    this.#promise = promise;
  }

  resolve(reply: Reply): void {
    this.#end();
    this.#promise.resolve(reply);
  }

  reject(error: RpcError): void {
    this.#end();
    this.#promise.reject(error);
  }

  /** From now on the limits hold. */
  waitFor(delivery: DeliveryInProgress): void {
    if (this.#isEnded) return;
    const { clock, signal, timeoutMs } = this.#limits;
    this.#delivery = delivery;
    if (signal !== undefined) {
      this.#onAbort = () => this.#giveUp(aborted(this.#label, this.#limits));
      signal.addEventListener("abort", this.#onAbort, { once: true });
    }
    if (timeoutMs === Infinity) return;
    this.#timer = clock.setTimer(timeoutMs, () =>
      this.#giveUp(timedOut(this.#label, this.#limits)),
    );
  }

  #giveUp(error: RpcError): void {
    this.#delivery?.giveUp();
    this.reject(error);
  }

  #end(): void {
    this.#isEnded = true;
    this.#timer?.cancel();
    if (this.#onAbort !== null) {
      this.#limits.signal?.removeEventListener("abort", this.#onAbort);
    }
  }
}

function aborted(label: Label, { endpoint, signal }: AskLimits): RpcError {
  return new RpcError("ABORTED", `${label.message.type} to ${endpoint.toString()}: given up`, {
    cause: signal?.reason,
  });
}

function timedOut(label: Label, { endpoint, timeoutMs }: AskLimits): RpcError {
  const text = `${label.message.type} to ${endpoint.toString()}: no answer within ${timeoutMs} ms`;
  return new RpcError("TIMEOUT", text);
}
