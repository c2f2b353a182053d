import type { ShuffleBlockBatchId, ShuffleBlockId } from "@bm/block";
import {
  BytesManagedBuffer,
  FileSegmentManagedBuffer,
  type Files,
  type ManagedBuffer,
} from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";
import { readShuffleSegment, type ShuffleSegment } from "./shuffle-index-file.ts";

/** Where a map output lies. */
export interface MapOutputPaths {
  readonly index: string;
  readonly data: string;
}

/**
 * The bytes of a partition, or of a run of them, as a part of the data file; whoever gets them
 * releases them. Nothing is served that the index does not place inside the data file.
 * @throws ShuffleError BLOCK_NOT_FOUND, INDEX_INVALID; TransportError FILE_FAILED (rejects).
 */
export async function readShuffleBlock(
  files: Files,
  blockId: ShuffleBlockId | ShuffleBlockBatchId,
  paths: MapOutputPaths,
): Promise<ManagedBuffer> {
  const [{ offset, length }, data] = await Promise.all([
    readSegment(files, blockId, paths.index),
    files.stat(paths.data),
  ]);
  const dataBytes = data?.bytes ?? 0;
  if (offset + length > dataBytes) {
    const text = `${blockId.name} ends at ${offset + length} of ${paths.data}, which has ${dataBytes}`;
    throw new ShuffleError("INDEX_INVALID", text);
  }
  if (length === 0) return new BytesManagedBuffer(new Uint8Array(0));
  return new FileSegmentManagedBuffer({ files, path: paths.data, offset, length });
}

/** Looks for the reason only when there is a failure: this is the path of every block. */
async function readSegment(
  files: Files,
  blockId: ShuffleBlockId | ShuffleBlockBatchId,
  indexPath: string,
): Promise<ShuffleSegment> {
  const isBatch = blockId.kind === "shuffleBatch";
  const start = isBatch ? blockId.startReduceId : blockId.reduceId;
  const end = isBatch ? blockId.endReduceId : start + 1;
  try {
    return await readShuffleSegment(files, indexPath, start, end);
  } catch (cause) {
    if ((await files.stat(indexPath)) !== null) throw cause;
    const text = `Block ${blockId.name} not found: no ${indexPath}`;
    throw new ShuffleError("BLOCK_NOT_FOUND", text, { cause });
  }
}
