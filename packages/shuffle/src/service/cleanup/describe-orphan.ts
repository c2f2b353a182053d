import type { Orphan } from "./clean-orphans.ts";

const WHAT = {
  executor: "an executor's directory",
  blocks: "a directory of blocks",
  merged: "merged shuffles",
} as const;

const OUTCOMES = {
  found: "orphan, would be deleted",
  kept: "orphan, kept within the size that is kept",
  deleted: "orphan deleted",
  spared: "no orphan after all, left alone",
  failed: "orphan that could not be deleted",
} as const;

/** One line for people. */
export function describeOrphan(orphan: Orphan): string {
  const { bytes, entries, error, kind, outcome, path, untouchedMs } = orphan;
  const why = error === undefined ? "" : ` (${error.message})`;
  const size = `${bytes} bytes in ${entries} ${entries === 1 ? "file" : "files"}`;
  return `${OUTCOMES[outcome]}${why}: ${path}, ${WHAT[kind]}, ${size}, untouched for ${spanOf(untouchedMs)}`;
}

function spanOf(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`;
}
