import { isConnectionError, TransportError } from "@bm/transport";

/** Failures after which asking again may help. Each has its own budget of retries. */
export type RetryCause = "connection" | "authentication";

/**
 * Why `error` may be retried, or null when it may not. As for a JVM peer only broken connections
 * count: an answer that says no will say no again. An authentication that timed out is a cause of its
 * own, because a peer that is slow to authenticate is not a peer that cannot be reached.
 */
export function retryCauseOf(error: unknown): RetryCause | null {
  if (!(error instanceof TransportError)) return null;
  const { cause, code } = error;
  if (isConnectionError(error) || isConnectionError(cause)) return "connection";
  return code === "BOOTSTRAP_FAILED" && isTimeout(cause) ? "authentication" : null;
}

function isTimeout(error: unknown): boolean {
  return error instanceof TransportError && error.code === "REQUEST_TIMEOUT";
}
