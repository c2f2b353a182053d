/** Statuses as zstd frames, made and read in the threads of the pool. */
import { promisify } from "node:util";
import {
  constants,
  createZstdCompress,
  type ZstdCompress,
  type ZstdOptions,
  zstdCompressSync,
  zstdDecompress,
  zstdDecompressSync,
} from "node:zlib";

/** What zstd can make of one byte at most: a block of 128 KiB takes 3. */
const EXPANSION_MAX = 44_000;
/** Below it the way to a thread and back costs more than it saves. */
const IN_THIS_TURN_BYTES = 64 * 1024;
/** Frames at once: the pool has four threads, of which the disk wants some. */
export const LANES = 3;
/** Every batch is a way to a thread and back, on a busy machine a long one. */
const BATCH_BYTES = 16 * 1024 * 1024;
/** With the 16 KiB of zlib's default half of the time goes into ways to threads. */
const CHUNK_BYTES = 4 * 1024 * 1024;
/** Level 1 takes a sixth of the time of level 3 on size codes, and makes them smaller. */
const LEVEL: ZstdOptions = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

const decompressLater = promisify(zstdDecompress) as (
  bytes: Uint8Array,
  options: ZstdOptions,
) => Promise<Buffer>;

/** A zstd frame. The bytes must not change until the promise settles. */
export async function compressed(bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes.length < IN_THIS_TURN_BYTES) return zstdCompressSync(bytes, LEVEL);
  return Buffer.concat(await compressedPieces([bytes]));
}

/** A zstd frame, in pieces, of what pieces have together: they are gathered by the batch. */
export async function compressedPieces(pieces: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const stream = createZstdCompress({ ...LEVEL, chunkSize: CHUNK_BYTES });
  const chunks: Uint8Array[] = [];
  stream.on("data", (chunk: Buffer) => void chunks.push(chunk));
  const ended = new Promise<void>((resolve, reject) => {
    stream.once("end", resolve).once("error", reject);
  });
  for (const batch of batchesOf(pieces)) await write(stream, batch);
  stream.end();
  await ended;
  return chunks;
}

/**
 * What is in a frame, in an array of its own.
 * @param length what it has to have
 * @throws RangeError, and what zlib throws (rejects).
 */
export async function decompressed(frame: Uint8Array, length: number): Promise<Uint8Array> {
  if (length > frame.length * EXPANSION_MAX) throw new RangeError(`${length} in ${frame.length}`);
  // One more than is needed: behind a chunk that is full another one is made.
  const options = { chunkSize: Math.max(IN_THIS_TURN_BYTES, length + 1), maxOutputLength: length };
  const content =
    length < IN_THIS_TURN_BYTES
      ? zstdDecompressSync(frame, { maxOutputLength: IN_THIS_TURN_BYTES })
      : await decompressLater(frame, options);
  if (content.length !== length) throw new RangeError(`${content.length} bytes, not ${length}`);
  return content;
}

/** Bytes of all pieces together. */
export function lengthOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

/** Resolves when the batch is compressed, so that its memory may be used again. */
function write(stream: ZstdCompress, batch: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(batch, (error) => (error ? reject(error) : resolve()));
  });
}

/** The pieces in runs of the size of a batch. Every run is in the same memory. */
function* batchesOf(pieces: readonly Uint8Array[]): Generator<Uint8Array, void, void> {
  const batch = Buffer.allocUnsafeSlow(Math.min(BATCH_BYTES, lengthOf(pieces)));
  let filled = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + batch.length - filled);
      batch.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < batch.length) continue;
      yield batch;
      filled = 0;
    }
  }
  if (filled > 0) yield batch.subarray(0, filled);
}
