import {
  type Clock,
  type Logger,
  type RequestOptions,
  type TransportClient,
  TransportError,
} from "@bm/transport";
import pRetry from "p-retry";
import type { ExecutorShuffleInfo } from "../protocol/block-transfer-message.ts";
import { encodeBlockTransferMessage } from "../protocol/encode-message.ts";
import { ShuffleError } from "../shuffle-error.ts";

/** How often and how patiently an executor registers. */
export interface RegistrationLimits {
  /** For one answer. */
  readonly timeoutMs: number;
  readonly attemptsMax: number;
  /** Between two attempts. */
  readonly waitMs: number;
}

/** Who registers. */
export interface Registration {
  readonly appId: string;
  readonly execId: string;
  readonly executorInfo: ExecutorShuffleInfo;
}

/**
 * Tells a shuffle service where an executor writes. The connection serves this only and is closed
 * after the answer. Every failure is tried again, as by Spark: registering twice does no harm.
 * @throws ShuffleError REGISTRATION_FAILED, with the last failure as `cause` (rejects).
 */
export async function registerExecutor(
  connect: () => Promise<TransportClient>,
  registration: Registration,
  limits: RegistrationLimits,
  { clock, logger, signal }: RequestOptions & { readonly clock: Clock; readonly logger: Logger },
): Promise<void> {
  const body = encodeBlockTransferMessage({ type: "RegisterExecutor", ...registration });
  try {
    await pRetry(() => registerOnce(connect, body, { timeoutMs: limits.timeoutMs, signal }), {
      retries: limits.attemptsMax - 1,
      minTimeout: 0,
      // Waiting is on our clock.
      shouldRetry: async ({ attemptNumber, error }) => {
        if (signal?.aborted || attemptNumber >= limits.attemptsMax) return false;
        const { attemptsMax, waitMs } = limits;
        logger.warn(`registration ${attemptNumber} of ${attemptsMax} failed: ${error.message}`);
        await clock.sleep(waitMs, { signal });
        return true;
      },
    });
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    const text = `Unable to register with external shuffle server due to : ${detail}`;
    throw new ShuffleError("REGISTRATION_FAILED", text, { cause });
  }
}

async function registerOnce(
  connect: () => Promise<TransportClient>,
  body: Uint8Array,
  options: RequestOptions,
): Promise<void> {
  const client = await connect();
  try {
    await client.sendRpc(body, options);
  } finally {
    // Nothing is left to be said: what the service has not read by now it need not read.
    client.abort(new TransportError("CLOSED", "the registration is over"));
  }
}
