import { TransportError } from "@bm/transport";
import { StorageError } from "../storage-error.ts";

const FULL_CODES = new Set(["ENOSPC", "EDQUOT"]);

/**
 * Gives DISK_FULL for an error that says so, any other error as it is. A full disk deserves a name of
 * its own: it is nobody's corruption, and passes when space is freed.
 */
export function asDiskFull(error: unknown, what: string): unknown {
  if (!(error instanceof TransportError) || !(error.cause instanceof Error)) return error;
  const { cause } = error;
  const isFull = "code" in cause && typeof cause.code === "string" && FULL_CODES.has(cause.code);
  if (!isFull) return error;
  return new StorageError("DISK_FULL", `no room on disk for ${what}`, { cause });
}
