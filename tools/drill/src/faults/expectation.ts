/** How a schedule may end besides with every block intact. */

import { ShuffleError, type ShuffleErrorCode } from "@bm/shuffle";
import { isConnectionError, TransportError } from "@bm/transport";
import { RETRIES, type Schedule } from "./schedule.ts";

/** What a flipped bit in the head of a message turns into, besides a broken connection. */
const MISREAD_CODES: ReadonlySet<string> = new Set<TransportError["code"] | ShuffleErrorCode>([
  // The decoder refused the bytes, or believed them and got an answer that does not fit.
  "FRAME_LENGTH_INVALID",
  "FOREIGN_PROTOCOL",
  "MESSAGE_MALFORMED",
  "MESSAGE_UNKNOWN",
  "MESSAGE_UNEXPECTED",
  "STREAM_HANDLE_INVALID",
  "ANSWER_INVALID",
  "REMOTE_FAILURE",
  "CHUNK_FETCH_FAILED",
  "STREAM_FAILED",
  // A length that says that the block is empty.
  "BLOCK_NOT_FOUND",
  // The payload, more than once.
  "BLOCK_CORRUPT",
]);

/** Whether `error` is a right answer to what the schedule did. */
export function isRightCause(schedule: Schedule, error: Error): boolean {
  if (schedule.abortAfterMs !== null && codeOf(error) === "FETCH_ABORTED") return true;
  switch (schedule.kind) {
    case "none":
    case "delay":
    case "pause":
      return false;
    case "kill":
    case "restart":
      // A server that comes back may be too late for the last retry.
      return isConnectionError(error);
    case "flip":
      return isConnectionError(error) || MISREAD_CODES.has(codeOf(error));
    case "cut":
    case "truncate":
    case "silence":
    case "refuse":
      return schedule.faults.length > RETRIES && isConnectionError(error);
  }
}

function codeOf(error: Error): string {
  return error instanceof ShuffleError || error instanceof TransportError ? error.code : "none";
}
