/** A file that is nothing but int64 values, big-endian: index and checksum files. */
import { type Int64, readInt64, writeInt64 } from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";

/** Bytes of one value. */
export const INT64_BYTES = 8;

/** The values one after the other, in a new buffer. */
export function encodeInt64Column(values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(values.length * INT64_BYTES);
  let at = 0;
  for (const value of values) at = writeInt64(bytes, value, at);
  return bytes;
}

/**
 * The values of a whole column.
 * @throws ShuffleError INDEX_INVALID - not a multiple of eight bytes, or a value that is negative or
 *   above 2^53 (no offset or checksum is).
 */
export function decodeInt64Column(bytes: Uint8Array): number[] {
  if (bytes.length % INT64_BYTES !== 0) {
    throw new ShuffleError("INDEX_INVALID", `${bytes.length} bytes are no whole number of values`);
  }
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values: number[] = [];
  for (let at = 0; at < view.length; at += INT64_BYTES) values.push(asCount(readInt64(view, at)));
  return values;
}

function asCount(value: Int64): number {
  if (typeof value === "number" && value >= 0) return value;
  throw new ShuffleError("INDEX_INVALID", `value ${value} is out of range`);
}
