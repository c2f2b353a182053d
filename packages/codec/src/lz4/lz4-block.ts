/** Whole blocks, header and data, as they stand in an LZ4 block stream. */
import { LZ4_HEADER_BYTES, writeLz4BlockHeader } from "./lz4-block-header.ts";
import { blockChecksum, compressRawBlock } from "./lz4-raw-block.ts";

/** One block, in a new array: compressed, or as it is where that is no longer. */
export function encodeLz4Block(plain: Uint8Array, level: number): Uint8Array {
  const compressed = compressRawBlock(plain);
  const isCompressed = compressed.length < plain.length;
  const stored = isCompressed ? compressed : plain;
  const block = Buffer.allocUnsafe(LZ4_HEADER_BYTES + stored.length);
  writeLz4BlockHeader(block, {
    isCompressed,
    level,
    storedBytes: stored.length,
    plainBytes: plain.length,
    checksum: blockChecksum(plain),
  });
  block.set(stored, LZ4_HEADER_BYTES);
  return block;
}

/** The header without a block that ends a stream, in a new array. */
export function encodeLz4EndMark(level: number): Uint8Array {
  const endMark = new Uint8Array(LZ4_HEADER_BYTES);
  const noBytes = { storedBytes: 0, plainBytes: 0, checksum: 0 };
  writeLz4BlockHeader(endMark, { isCompressed: false, level, ...noBytes });
  return endMark;
}
