import { CodecError } from "../codec-error.ts";
import type { DecodeOptions } from "../compression/codec-stream.ts";
import { encodeLz4Block, encodeLz4EndMark } from "./lz4-block.ts";
import { Lz4BlockDecoder, resolveMaxBytes } from "./lz4-block-decoder.ts";
import { type Lz4EncodeOptions, resolveBlockBytes } from "./lz4-block-encoder.ts";
import { LZ4_HEADER_BYTES, levelOf, readLz4BlockHeader } from "./lz4-block-header.ts";

const MAX_BYTES_DEFAULT = 1024 * 1024 * 1024;

/**
 * Compresses `bytes` to one LZ4 block stream with its end mark, in a new array.
 *
 * @throws CodecError OPTION_INVALID
 */
export function lz4Compress(bytes: Uint8Array, options: Lz4EncodeOptions = {}): Uint8Array {
  const blockBytes = resolveBlockBytes(options);
  const level = levelOf(blockBytes);
  const pieces: Uint8Array[] = [];
  for (let offset = 0; offset < bytes.length; offset += blockBytes) {
    pieces.push(encodeLz4Block(bytes.subarray(offset, offset + blockBytes), level));
  }
  return Buffer.concat([...pieces, encodeLz4EndMark(level)]);
}

/**
 * Decompresses one LZ4 block stream, or several back to back, to a new array. It is allocated once,
 * after the lengths in all headers were checked against the bytes that are there.
 *
 * @throws CodecError STREAM_CORRUPT, STREAM_TRUNCATED, CHECKSUM_MISMATCH, OUTPUT_TOO_LARGE or
 *   OPTION_INVALID.
 */
export function lz4Decompress(bytes: Uint8Array, options: DecodeOptions = {}): Uint8Array {
  const decoder = new Lz4BlockDecoder(options);
  const maxBytes = resolveMaxBytes(options, MAX_BYTES_DEFAULT);
  const claimedBytes = measure(bytes);
  if (claimedBytes > maxBytes) {
    const detail = `${claimedBytes} decompressed bytes, limit ${maxBytes}`;
    throw new CodecError("OUTPUT_TOO_LARGE", detail);
  }
  const plain = Buffer.allocUnsafe(claimedBytes);
  let length = 0;
  for (const piece of decoder.push(bytes)) {
    plain.set(piece, length);
    length += piece.length;
  }
  decoder.finish();
  return plain;
}

/**
 * Sum of the plain lengths up to the first header that is wrong or block that is cut: the decoder,
 * which meets the same place, says better what is wrong.
 */
function measure(bytes: Uint8Array): number {
  let plainBytes = 0;
  let offset = 0;
  while (offset + LZ4_HEADER_BYTES <= bytes.length) {
    const header = readLz4BlockHeader(bytes, offset);
    if (typeof header === "string") break;
    offset += LZ4_HEADER_BYTES + header.storedBytes;
    if (offset > bytes.length) break;
    plainBytes += header.plainBytes;
  }
  return plainBytes;
}
