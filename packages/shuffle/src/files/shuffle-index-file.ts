/**
 * Where the partitions of a map output lie in its data file.
 *
 *     offset 0     offset 1            offset n
 *     +------------+------------+- - -+------------+
 *     |  int64: 0  |   int64    |     |   int64    |    big-endian, never descending
 *     +------------+------------+- - -+------------+
 *
 * Partition r is the bytes from offset r to before offset r + 1; the last offset is the length of the
 * data file. No header, no padding.
 */
import type { Files } from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";
import { decodeInt64Column, encodeInt64Column, INT64_BYTES } from "./int64-column.ts";

/** A run of bytes in a data file. */
export interface ShuffleSegment {
  readonly offset: number;
  readonly length: number;
}

/** See the file comment. */
export class ShuffleIndexFile {
  /** One more than there are partitions. */
  readonly offsets: readonly number[];

  private constructor(offsets: readonly number[]) {
    this.offsets = offsets;
  }

  /** The index of partitions with these lengths in bytes. @throws ShuffleError INDEX_INVALID */
  static fromLengths(lengths: readonly number[]): ShuffleIndexFile {
    const offsets = [0];
    let end = 0;
    for (const length of lengths) {
      end += length;
      if (!Number.isSafeInteger(end) || !Number.isSafeInteger(length) || length < 0) {
        throw new ShuffleError("INDEX_INVALID", `a partition of ${length} bytes`);
      }
      offsets.push(end);
    }
    return new ShuffleIndexFile(offsets);
  }

  /** Reads the content of an index file. @throws ShuffleError INDEX_INVALID */
  static fromBytes(bytes: Uint8Array): ShuffleIndexFile {
    const offsets = decodeInt64Column(bytes);
    if (offsets[0] !== 0) throw new ShuffleError("INDEX_INVALID", "the first offset is not 0");
    requireAscending(offsets);
    return new ShuffleIndexFile(offsets);
  }

  /**
   * Reads a whole index file.
   * @throws ShuffleError INDEX_INVALID; TransportError FILE_FAILED (rejects).
   */
  static async read(files: Files, path: string): Promise<ShuffleIndexFile> {
    const bytes = await files.readFile(path);
    try {
      return ShuffleIndexFile.fromBytes(bytes);
    } catch (cause) {
      throw invalid(path, cause);
    }
  }

  /** Number of partitions. */
  get partitionCount(): number {
    return this.offsets.length - 1;
  }

  /** Length of the data file that this index belongs to. */
  get dataBytes(): number {
    return this.offsets.at(-1) ?? 0;
  }

  /** Bytes of each partition. */
  get lengths(): number[] {
    return this.offsets.slice(1).map((end, index) => end - (this.offsets[index] ?? 0));
  }

  /**
   * Partitions from `start` to before `end`.
   * @throws ShuffleError BLOCK_NOT_FOUND when there are not that many.
   */
  segment(start: number, end: number): ShuffleSegment {
    checkRange(start, end, this.partitionCount);
    const offset = this.offsets[start] ?? 0;
    return { offset, length: (this.offsets[end] ?? 0) - offset };
  }

  /** The content of the file, in a new buffer. */
  toBytes(): Buffer {
    return encodeInt64Column(this.offsets);
  }
}

/** Bytes of an index file of that many partitions. */
export function indexFileBytes(partitionCount: number): number {
  return (partitionCount + 1) * INT64_BYTES;
}

/**
 * The segment of partitions `start` to before `end`, reading no more of the index than needed.
 * @throws ShuffleError BLOCK_NOT_FOUND, INDEX_INVALID; TransportError FILE_FAILED (rejects).
 */
export async function readShuffleSegment(
  files: Files,
  path: string,
  start: number,
  end: number,
): Promise<ShuffleSegment> {
  const file = await files.open(path, "read");
  try {
    const { bytes: fileBytes } = await file.stat();
    checkRange(start, end, Math.floor(fileBytes / INT64_BYTES) - 1);
    const column = Buffer.allocUnsafe((end - start + 1) * INT64_BYTES);
    const count = await file.read(column, start * INT64_BYTES);
    const offsets = decodeInt64Column(column.subarray(0, count));
    requireAscending(offsets);
    return { offset: offsets[0] ?? 0, length: (offsets[end - start] ?? NaN) - (offsets[0] ?? 0) };
  } catch (error) {
    throw invalid(path, error);
  } finally {
    await file.close();
  }
}

function checkRange(start: number, end: number, partitionCount: number): void {
  if (start >= 0 && start <= end && end <= partitionCount) return;
  const text = `partitions ${start} to ${end} of a map output that has ${partitionCount}`;
  throw new ShuffleError("BLOCK_NOT_FOUND", text);
}

function requireAscending(offsets: readonly number[]): void {
  let previous = 0;
  for (const offset of offsets) {
    if (offset < previous) {
      throw new ShuffleError("INDEX_INVALID", `offset ${offset} follows ${previous}`);
    }
    previous = offset;
  }
}

/** Says which file it is about; other errors pass as they are. */
function invalid(path: string, cause: unknown): unknown {
  if (!(cause instanceof ShuffleError)) return cause;
  return new ShuffleError(cause.code, `${path}: ${cause.message}`, { cause });
}
