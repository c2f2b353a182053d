/** The native LZ4 library and the native hash, in the forms that block streams need. */
import { xxh32 } from "@node-rs/xxhash";
import { compressSync, uncompressSync } from "lz4-napi";

/** Bytes of the length (uint32, little-endian) that the library keeps in front of LZ4 data. */
export const LZ4_PREFIX_BYTES = 4;

const CHECKSUM_SEED = 0x9747_b28c;
/** lz4-java drops the upper four bits. */
const CHECKSUM_MASK = 0x0fff_ffff;

/** Checksum of a block's plain bytes. */
export function blockChecksum(plain: Uint8Array): number {
  return xxh32(plain, CHECKSUM_SEED) & CHECKSUM_MASK;
}

/** LZ4 data of a block, in a new array. */
export function compressRawBlock(plain: Uint8Array): Uint8Array {
  const bytes = Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength);
  return compressSync(bytes).subarray(LZ4_PREFIX_BYTES);
}

/**
 * Plain bytes of a block, in a new array that the caller owns. The first four bytes of `prefixed` are
 * room for the length; the LZ4 data follows.
 *
 * @returns null when the data does not decode to exactly `plainBytes`.
 */
export function decompressRawBlock(prefixed: Buffer, plainBytes: number): Uint8Array | null {
  prefixed.writeUInt32LE(plainBytes, 0);
  try {
    const plain = uncompressSync(prefixed);
    return plain.length === plainBytes ? plain : null;
  } catch {
    // All that the library can tell is that the data is broken.
    return null;
  }
}
