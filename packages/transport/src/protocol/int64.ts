/**
 * A 64-bit integer that a peer chose: a number when it is a safe integer, a bigint otherwise.
 *
 * The form is canonical, so equal values are `===` and work as Map keys. Ids of a JVM peer are
 * almost always above 2^62; ours are safe integers, which keeps bigints off our own path.
 */
export type Int64 = number | bigint;

const TWO_POW_32 = 0x1_0000_0000;
/** High words in [-2^21, 2^21) give values in [-2^53, 2^53), all exact in a double. */
const SAFE_HIGH_WORD = 0x20_0000;

/** Reads eight bytes, big-endian and signed. */
export function readInt64(bytes: Buffer, offset: number): Int64 {
  const high = bytes.readInt32BE(offset);
  if (high >= -SAFE_HIGH_WORD && high < SAFE_HIGH_WORD) {
    const value = high * TWO_POW_32 + bytes.readUInt32BE(offset + 4);
    if (value !== Number.MIN_SAFE_INTEGER - 1) return value;
  }
  return bytes.readBigInt64BE(offset);
}

/** Writes eight bytes, big-endian and signed; gives the offset after them. */
export function writeInt64(bytes: Buffer, value: Int64, offset: number): number {
  if (typeof value === "bigint") return bytes.writeBigInt64BE(value, offset);
  const high = Math.floor(value / TWO_POW_32);
  bytes.writeInt32BE(high, offset);
  return bytes.writeUInt32BE(value - high * TWO_POW_32, offset + 4);
}

/** The canonical form of a bigint. */
export function int64(value: bigint): Int64 {
  const asNumber = Number(value);
  return Number.isSafeInteger(asNumber) ? asNumber : value;
}
