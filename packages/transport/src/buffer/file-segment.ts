import type { Files } from "../platform/platform.ts";

/** A part of a file. */
export interface FileSegment {
  readonly files: Files;
  readonly path: string;
  /** Where it starts in the file. */
  readonly offset: number;
  /** Its bytes. */
  readonly length: number;
}

/** Whether `next` begins where `segment` ends. */
export function isFollowedBy(segment: FileSegment, next: FileSegment): boolean {
  const { files, path, offset, length } = segment;
  return next.offset === offset + length && next.path === path && next.files === files;
}

/**
 * Reads into `target` from the start of the segment; fewer bytes only where the file ends.
 * @throws TransportError FILE_FAILED (rejects).
 */
export async function readSegment(segment: FileSegment, target: Uint8Array): Promise<number> {
  const { files, path, offset } = segment;
  const file = await files.open(path, "read");
  try {
    const count = file.readNow(target, offset);
    if (count === target.length) return count;
    return count + (await file.read(target.subarray(count), offset + count));
  } finally {
    // Nothing was written, so closing cannot lose anything.
    file.close().catch(() => {});
  }
}
