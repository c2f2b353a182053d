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
  const { clock, timeoutMs, signal, label } = limits;
  if (signal?.aborted) return Promise.reject(aborted(label, signal));
  return new Promise((resolve, reject) => {
    let timer: Timer | null = null;
    let isEnded = false;
    const end = (): void => {
      isEnded = true;
      timer?.cancel();
      signal?.removeEventListener("abort", onAbort);
    };
    const forget = start({
      resolve: (reply) => {
        end();
        resolve(reply);
      },
      reject: (error) => {
        end();
        reject(error);
      },
    });
    const giveUp = (error: RpcError): void => {
      end();
      forget();
      reject(error);
    };
    const onAbort = (): void => giveUp(aborted(label, signal));
    if (isEnded) return;

    signal?.addEventListener("abort", onAbort, { once: true });
    if (timeoutMs !== Infinity) {
      timer = clock.setTimer(timeoutMs, () => giveUp(timedOut(label, timeoutMs)));
    }
  });
}

function aborted(label: string, signal: AbortSignal | undefined): RpcError {
  return new RpcError("ABORTED", `${label}: given up`, { cause: signal?.reason });
}

function timedOut(label: string, timeoutMs: number): RpcError {
  return new RpcError("TIMEOUT", `${label}: no answer within ${timeoutMs} ms`);
}
