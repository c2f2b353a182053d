/** Reads what was merged: the meta file of a partition, and its chunks. */
import { FileSegmentManagedBuffer, type Files, type ManagedBuffer } from "@bm/transport";
import { INT64_BYTES } from "../../files/int64-column.ts";
import { readShuffleSegment, type ShuffleSegment } from "../../files/shuffle-index-file.ts";
import { ShuffleError } from "../../shuffle-error.ts";
import type { LocalDirsGuard } from "../local-dirs-guard.ts";
import { JAVA, serviceFailure } from "../service-failure.ts";
import type { MergedFiles } from "./merged-partition.ts";
import type { MergedBlockMetaAnswer } from "./merged-shuffle-file-manager.ts";

/** What the readers need. */
export interface MergedFilesReader {
  readonly files: Files;
  readonly guard: LocalDirsGuard;
}

const META_BYTES_MAX = 64 * 1024 * 1024;

/**
 * How many chunks a partition has, and which maps are in each.
 * @throws ShuffleError BLOCK_NOT_FOUND; TransportError FILE_FAILED (rejects).
 */
export async function readMergedMeta(
  paths: MergedFiles,
  dirs: readonly string[],
  { files, guard }: MergedFilesReader,
): Promise<MergedBlockMetaAnswer> {
  const index = await files.stat(paths.index);
  if (index?.isFile !== true) throw notFound("index", paths.index);
  const numChunks = Math.floor(index.bytes / INT64_BYTES) - 1;
  if (numChunks <= 0) {
    const text = `Merged shuffle index file ${paths.index} is empty`;
    throw serviceFailure("BLOCK_NOT_FOUND", JAVA.runtime, text);
  }
  const meta = await files.stat(paths.meta);
  if (meta?.isFile !== true || meta.bytes > META_BYTES_MAX) throw notFound("meta", paths.meta);
  await guard.checkRead(paths.meta, dirs);
  const length = meta.bytes;
  const bitmaps = new FileSegmentManagedBuffer({ files, path: paths.meta, offset: 0, length });
  return { numChunks, bitmaps };
}

/**
 * Hands over the bytes of a chunk.
 * @throws ShuffleError BLOCK_NOT_FOUND, INDEX_INVALID; TransportError FILE_FAILED (rejects).
 */
export async function openMergedChunk(
  paths: MergedFiles,
  chunkId: number,
  dirs: readonly string[],
  { files, guard }: MergedFilesReader,
): Promise<ManagedBuffer> {
  const data = await files.stat(paths.data);
  if (data?.isFile !== true) throw notFound("data", paths.data);
  await guard.checkRead(paths.data, dirs);
  await guard.checkRead(paths.index, dirs);
  const { length, offset } = await segmentOf(files, paths.index, chunkId);
  if (offset + length > data.bytes) {
    const text = `chunk ${chunkId} ends at ${offset + length} of ${paths.data}, which has ${data.bytes}`;
    throw new ShuffleError("INDEX_INVALID", text);
  }
  return new FileSegmentManagedBuffer({ files, path: paths.data, offset, length });
}

async function segmentOf(files: Files, path: string, chunkId: number): Promise<ShuffleSegment> {
  try {
    return await readShuffleSegment(files, path, chunkId, chunkId + 1);
  } catch (cause) {
    if (cause instanceof ShuffleError && cause.code === "BLOCK_NOT_FOUND") {
      throw serviceFailure(cause.code, JAVA.indexOutOfBounds, cause.message, cause);
    }
    const text = `Failed to open merged shuffle index file ${path}`;
    throw serviceFailure("BLOCK_NOT_FOUND", JAVA.runtime, text, cause);
  }
}

function notFound(what: string, path: string): ShuffleError {
  const text = `Merged shuffle ${what} file ${path} not found`;
  return serviceFailure("BLOCK_NOT_FOUND", JAVA.runtime, text);
}
