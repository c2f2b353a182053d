import type { Clock, Timer } from "@bm/transport";
import { RpcError } from "../rpc-error.ts";
import type { Outcome } from "./courier.ts";

/** How long to wait for an answer. */
export interface AskOptions {
  /**
   * Time for everything: connecting, sending, handling, answering. `Infinity` waits as long as the
   * connection lasts. Default: `spark.rpc.askTimeout`.
   */
  readonly timeoutMs?: number | undefined;
  /** Stops waiting; the message may still be handled. */
  readonly signal?: AbortSignal | undefined;
}

/** The limits of one attempt. */
export interface AskLimits {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** Names message and endpoint in errors. */
  readonly label: string;
}

/**
 * The promise of one outcome, ended early by time or signal. `start` gives the way to stop waiting,
 * and may tell the outcome before it returns.
 */
export function askOnce<Reply>(
  limits: AskLimits,
  start: (outcome: Outcome<Reply>) => () => void,
): Promise<Reply> {
  const { signal, label } = limits;
  if (signal?.aborted) return Promise.reject(aborted(label, signal));
  return new Promise((resolve, reject) => {
    const pending = new PendingAsk(limits, { resolve, reject });
    pending.waitFor(start(pending));
  });
}

class PendingAsk<Reply> implements Outcome<Reply> {
  readonly #limits: AskLimits;
  readonly #promise: Outcome<Reply>;
  #isEnded = false;
  #timer: Timer | null = null;
  #forget: (() => void) | null = null;
  readonly #onAbort = (): void => {
    const { label, signal } = this.#limits;
    this.#giveUp(aborted(label, signal));
  };

  constructor(limits: AskLimits, promise: Outcome<Reply>) {
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
  waitFor(forget: () => void): void {
    if (this.#isEnded) return;
    const { clock, signal, timeoutMs, label } = this.#limits;
    this.#forget = forget;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (timeoutMs === Infinity) return;
    this.#timer = clock.setTimer(timeoutMs, () => this.#giveUp(timedOut(label, timeoutMs)));
  }

  #giveUp(error: RpcError): void {
    this.#forget?.();
    this.reject(error);
  }

  #end(): void {
    this.#isEnded = true;
    this.#timer?.cancel();
    this.#limits.signal?.removeEventListener("abort", this.#onAbort);
  }
}

function aborted(label: string, signal: AbortSignal | undefined): RpcError {
  return new RpcError("ABORTED", `${label}: given up`, { cause: signal?.reason });
}

function timedOut(label: string, timeoutMs: number): RpcError {
  return new RpcError("TIMEOUT", `${label}: no answer within ${timeoutMs} ms`);
}
