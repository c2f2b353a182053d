/**
 * Sums up a part of a file: what is in memory at once, as far as the budget of the turn allows, and the
 * rest through the thread pool.
 *
 * All in one small buffer, and on the event loop. Most of the time goes into the copy: buffers that do
 * not stay in the cache of the processor together take a quarter longer, and handing pieces to the pool,
 * to be read or to be summed up there, takes half as long again and twice the processor time.
 */
import type { Checksum } from "@bm/codec/checksum";
import { type FileSegment, isSameFile, type OpenFile } from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";
import type { TurnBudget } from "./turn-budget.ts";

/** What {@link sumSegment} needs. */
export interface SumSegmentOptions {
  readonly turns: TurnBudget;
  /** What is in memory is copied here. Of no use to anybody else within a turn only. */
  readonly piece: Uint8Array;
}

/**
 * The checksum with the bytes of the segment added, as checksum files and messages hold it: an unsigned
 * 32-bit value. Takes memory for one more piece once it has to wait for the disk.
 * @throws ShuffleError BLOCK_NOT_FOUND when the file is another one by now, or too short; TransportError
 *   FILE_FAILED (rejects).
 */
export async function sumSegment(
  segment: FileSegment,
  checksum: Checksum,
  options: SumSegmentOptions,
): Promise<bigint> {
  const { file: wanted, files, path } = segment;
  const file = files.openNow(path) ?? (await files.open(path, "read"));
  try {
    if (wanted !== undefined && !isSameFile(file.statNow() ?? (await file.stat()), wanted)) {
      throw new ShuffleError("BLOCK_NOT_FOUND", `${path} was written anew meanwhile`);
    }
    await sumUp(file, segment, checksum, options);
    return BigInt(checksum.value);
  } finally {
    // Nothing was written, so closing cannot lose anything.
    file.close().catch(() => {});
  }
}

async function sumUp(
  file: OpenFile,
  { length, offset, path }: FileSegment,
  checksum: Checksum,
  { piece, turns }: SumSegmentOptions,
): Promise<void> {
  let waited: Buffer | null = null;
  for (let done = 0; done < length; ) {
    if (turns.isSpent) await turns.whenFree();
    const wantedBytes = Math.min(piece.length, length - done);
    let from = piece;
    let count = file.readNow(piece.subarray(0, wantedBytes), offset + done);
    if (count === 0) {
      waited ??= Buffer.allocUnsafeSlow(wantedBytes);
      from = waited;
      count = await file.read(waited.subarray(0, wantedBytes), offset + done);
      if (count === 0) throw new ShuffleError("BLOCK_NOT_FOUND", `${path} ended too early`);
    }
    checksum.update(from.subarray(0, count));
    turns.spend(count);
    done += count;
  }
}
