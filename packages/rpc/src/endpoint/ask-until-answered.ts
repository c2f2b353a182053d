import type { Clock, Random } from "@bm/transport";
import pRetry from "p-retry";
import type { RpcConf } from "../config/rpc-conf.ts";
import { isRetryable, RpcError } from "../rpc-error.ts";
import type { AskOptions } from "./ask-once.ts";

/** When to ask again. */
export interface RetryOptions extends AskOptions {
  /** Attempts in all. Default: `spark.rpc.numRetries`. */
  readonly attempts?: number | undefined;
  /** Time between attempts. Default: `spark.rpc.retry.wait`. */
  readonly waitMs?: number | undefined;
  /**
   * Each wait is `waitMs` times a random factor in [1 - jitter, 1 + jitter), so that many callers
   * that failed together do not come back together. From 0 to 1. Default: 0.5.
   */
  readonly jitter?: number | undefined;
}

const JITTER_DEFAULT = 0.5;

/** What waiting needs. */
export interface RetrySurroundings {
  readonly conf: RpcConf;
  readonly clock: Clock;
  readonly random: Random;
}

/** Calls `ask` until it succeeds, fails for good, or the attempts are used up. */
export async function askUntilAnswered<Reply>(
  surroundings: RetrySurroundings,
  options: RetryOptions,
  ask: () => Promise<Reply>,
): Promise<Reply> {
  const { conf, clock, random } = surroundings;
  const attempts = options.attempts ?? conf.askAttempts;
  const waitMs = options.waitMs ?? conf.retryWaitMs;
  const jitter = options.jitter ?? JITTER_DEFAULT;
  checkRetryOptions(attempts, waitMs, jitter);
  return pRetry(ask, {
    retries: attempts - 1,
    // The waiting is done below, on the clock that was passed in.
    minTimeout: 0,
    shouldRetry: ({ error }) => isRetryable(error),
    onFailedAttempt: async ({ error, retriesLeft }) => {
      if (retriesLeft === 0 || !isRetryable(error)) return;
      const factor = 1 + jitter * (2 * random.next() - 1);
      await pause(clock, waitMs * factor, options.signal);
    },
  });
}

async function pause(
  clock: Clock,
  delayMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await clock.sleep(delayMs, { signal });
  } catch (cause) {
    throw new RpcError("ABORTED", "given up while waiting for the next attempt", { cause });
  }
}

function checkRetryOptions(attempts: number, waitMs: number, jitter: number): void {
  const isInRange =
    Number.isInteger(attempts) &&
    attempts >= 1 &&
    Number.isFinite(waitMs) &&
    waitMs >= 0 &&
    jitter >= 0 &&
    jitter <= 1;
  if (isInRange) return;
  const detail = `attempts ${attempts}, waitMs ${waitMs}, jitter ${jitter}`;
  throw new RpcError("OPTION_INVALID", detail);
}
