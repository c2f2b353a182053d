import type { Clock, Timer } from "../platform/platform.ts";
import { TransportError } from "../transport-error.ts";

/** What every promise-returning request takes. */
export interface RequestOptions {
  /** Fails with REQUEST_TIMEOUT after this time. Default: no limit but the connection's idle rule. */
  readonly timeoutMs?: number | undefined;
  /** Fails with REQUEST_ABORTED once aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** How a request ends. */
export interface Settle<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The promise form of a request made with callbacks. `start` makes the request and gives the way to
 * forget it; after a time-out or an abort the answer is no longer waited for.
 */
export function settleRequest<Answer>(
  clock: Clock,
  options: RequestOptions,
  start: (settle: Settle<Answer>) => () => unknown,
): Promise<Answer> {
  const { timeoutMs, signal } = options;
  if (signal?.aborted) return Promise.reject(abortError(signal));
  if (timeoutMs === undefined && signal === undefined) {
    return new Promise((resolve, reject) => void start({ resolve, reject }));
  }
  return new Promise((resolve, reject) => {
    const limits = new Limits(clock, options, reject);
    const forget = start({
      resolve: (answer) => {
        limits.end();
        resolve(answer);
      },
      reject: (error) => {
        limits.end();
        reject(error);
      },
    });
    limits.begin(forget);
  });
}

/** The time-out and the signal of one request. */
class Limits {
  readonly #clock: Clock;
  readonly #options: RequestOptions;
  readonly #reject: (error: Error) => void;
  #timer: Timer | null = null;
  #forget: (() => unknown) | null = null;
  #isEnded = false;

  constructor(clock: Clock, options: RequestOptions, reject: (error: Error) => void) {
    this.#clock = clock;
    this.#options = options;
    this.#reject = reject;
  }

  begin(forget: () => unknown): void {
    // A request on a closed channel fails while it is being made.
    if (this.#isEnded) return;
    this.#forget = forget;
    const { timeoutMs, signal } = this.#options;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (timeoutMs === undefined) return;
    this.#timer = this.#clock.setTimer(timeoutMs, () => this.#give(timeoutError(timeoutMs)));
  }

  end(): void {
    this.#isEnded = true;
    this.#timer?.cancel();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = (): void => this.#give(abortError(this.#options.signal));

  #give(error: Error): void {
    this.end();
    this.#forget?.();
    this.#reject(error);
  }
}

function abortError(signal: AbortSignal | undefined): TransportError {
  return new TransportError("REQUEST_ABORTED", "the request was aborted", {
    cause: signal?.reason,
  });
}

function timeoutError(timeoutMs: number): TransportError {
  return new TransportError("REQUEST_TIMEOUT", `no answer within ${timeoutMs} ms`, {
    javaClass: "java.util.concurrent.TimeoutException",
  });
}
