/** Reads what a merger on this host has merged, from its files. */
import { FileSegmentManagedBuffer, type Files, type ManagedBuffer } from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";
import { INT64_BYTES } from "./int64-column.ts";
import { readShuffleSegment } from "./shuffle-index-file.ts";

/** Where a merged partition lies. */
export interface MergedPaths {
  readonly data: string;
  readonly index: string;
  readonly meta: string;
}

/** Which maps are in which chunk of a merged partition. */
export interface MergedMeta {
  readonly numChunks: number;
  /** `numChunks` Roaring bitmaps back to back. */
  readonly bitmaps: Uint8Array;
}

/** As much as fits into one answer of a merger. */
const META_BYTES_MAX = 64 * 1024 * 1024;

/**
 * The content of the meta file, and how many chunks the index file has.
 * @throws ShuffleError BLOCK_NOT_FOUND, INDEX_INVALID; TransportError FILE_FAILED (rejects).
 */
export async function readMergedMeta(files: Files, paths: MergedPaths): Promise<MergedMeta> {
  const [index, meta] = await Promise.all([files.stat(paths.index), files.stat(paths.meta)]);
  if (index === null) throw new ShuffleError("BLOCK_NOT_FOUND", `no ${paths.index}`);
  if (meta === null) throw new ShuffleError("BLOCK_NOT_FOUND", `no ${paths.meta}`);
  if (meta.bytes > META_BYTES_MAX) {
    throw new ShuffleError("INDEX_INVALID", `${paths.meta} has ${meta.bytes} bytes`);
  }
  const numChunks = Math.max(0, Math.floor(index.bytes / INT64_BYTES) - 1);
  return { numChunks, bitmaps: await files.readFile(paths.meta) };
}

/**
 * The bytes of a chunk as a part of the data file; whoever gets them releases them.
 * @throws ShuffleError BLOCK_NOT_FOUND, INDEX_INVALID; TransportError FILE_FAILED (rejects).
 */
export async function readMergedChunk(
  files: Files,
  chunkId: number,
  paths: MergedPaths,
): Promise<ManagedBuffer> {
  const { length, offset } = await readShuffleSegment(files, paths.index, chunkId, chunkId + 1);
  const dataBytes = (await files.stat(paths.data))?.bytes ?? 0;
  if (offset + length > dataBytes) {
    const text = `chunk ${chunkId} ends at ${offset + length} of ${paths.data}, which has ${dataBytes}`;
    throw new ShuffleError("INDEX_INVALID", text);
  }
  return new FileSegmentManagedBuffer({ files, path: paths.data, offset, length });
}
