import { ShuffleError } from "../shuffle-error.ts";

/** A limit that a user may set. @throws ShuffleError OPTION_INVALID for one below 1. */
export function limit(value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (value >= 1) return value;
  throw new ShuffleError("OPTION_INVALID", `a limit of ${value}: must be at least 1`);
}
