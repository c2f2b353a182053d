/** Reads from an open file whose bytes were in memory in part, or not at all. */
import type { OpenFile } from "../platform/platform.ts";
import { TransportError } from "../transport-error.ts";

/** Where `target` belongs in the file, and how much of it was read already. */
export interface Progress {
  readonly position: number;
  readonly count: number;
}

/** Reads all of `target`. @throws TransportError BODY_UNAVAILABLE (rejects) when the file ends first. */
export async function readExactly(
  file: OpenFile,
  path: string,
  target: Uint8Array,
  progress: Progress,
): Promise<void> {
  const count = await readRest(file, path, target, progress);
  if (count === target.length) return;
  const end = progress.position + count;
  const message = `${path} ended at ${end}, while ${target.length - count} more bytes were due`;
  throw new TransportError("BODY_UNAVAILABLE", message);
}

/**
 * Gives how much of `target` is there then: less than all of it only at the file's end.
 * @throws TransportError BODY_UNAVAILABLE (rejects).
 */
export async function readRest(
  file: OpenFile,
  path: string,
  target: Uint8Array,
  { count, position }: Progress,
): Promise<number> {
  if (count === target.length) return count;
  try {
    return count + (await file.read(target.subarray(count), position + count));
  } catch (error) {
    throw new TransportError("BODY_UNAVAILABLE", `${path} cannot be read`, { cause: error });
  }
}
