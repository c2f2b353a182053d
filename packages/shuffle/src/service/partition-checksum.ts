/**
 * Checksums that writers of shuffle files put beside them, over bytes that come piece by piece.
 * Values are unsigned 32-bit numbers.
 */
import { crc32 } from "node:zlib";

/** Goes on with `value` over `bytes`. */
export type ChecksumStep = (value: number, bytes: Uint8Array) => number;

/** A checksum by its first value and how it goes on. */
export interface PartitionChecksum {
  readonly initial: number;
  readonly step: ChecksumStep;
}

/** By the name that ends the name of a checksum file; exact, as it comes from peers. */
export const PARTITION_CHECKSUMS: ReadonlyMap<string, PartitionChecksum> = new Map([
  ["ADLER32", { initial: 1, step: adler32 }],
  ["CRC32", { initial: 0, step: (value: number, bytes: Uint8Array) => crc32(bytes, value) }],
  ["CRC32C", { initial: 0, step: crc32c }],
]);

const ADLER_MODULUS = 65_521;
/** The most bytes after which the upper sum still fits into 31 bits. */
const ADLER_RUN_BYTES = 3_854;

function adler32(value: number, bytes: Uint8Array): number {
  let lower = value & 0xffff;
  let upper = value >>> 16;
  for (let index = 0; index < bytes.length; ) {
    const end = Math.min(index + ADLER_RUN_BYTES, bytes.length);
    for (; index < end; index += 1) {
      lower = (lower + (bytes[index] ?? 0)) | 0;
      upper = (upper + lower) | 0;
    }
    lower %= ADLER_MODULUS;
    upper %= ADLER_MODULUS;
  }
  return ((upper << 16) | lower) >>> 0;
}

/** Castagnoli's polynomial, bits reversed. */
const CRC32C_POLYNOMIAL = 0x82f6_3b78;
const CRC32C_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let entry = byte;
  for (let bit = 0; bit < 8; bit += 1) {
    entry = (entry >>> 1) ^ (entry & 1 ? CRC32C_POLYNOMIAL : 0);
  }
  return entry;
});

function crc32c(value: number, bytes: Uint8Array): number {
  let state = ~value;
  for (let index = 0; index < bytes.length; index += 1) {
    state = (state >>> 8) ^ (CRC32C_TABLE[(state ^ (bytes[index] ?? 0)) & 0xff] ?? 0);
  }
  return ~state >>> 0;
}
