/**
 * Integers as the JVM has them. Block names carry 32-bit `int` fields, held as `number`, and 64-bit
 * `long` fields, held as `bigint`.
 */
import { BlockError } from "../block-error.ts";

const INT_MAX_DIGITS = 10;
const LONG_MAX_DIGITS = 19;
const INT_MAX = 2 ** 31 - 1;
const LONG_MAX = 2n ** 63n - 1n;

/** Gives `value` back. @throws BlockError BLOCK_ID_NUMBER_INVALID when it is not a 32-bit integer. */
export function checkInt(value: number): number {
  if (!Number.isInteger(value) || (value | 0) !== value) throw numberInvalid(String(value));
  // Minus zero passes the check above and would be printed as "0" but compare unlike it in maps.
  return value | 0;
}

/** Gives `value` back. @throws BlockError BLOCK_ID_NUMBER_INVALID when it does not fit 64 bits. */
export function checkLong(value: bigint): bigint {
  if (BigInt.asIntN(64, value) !== value) throw numberInvalid(String(value));
  return value;
}

/** Reads decimal ASCII digits. @throws BlockError BLOCK_ID_NUMBER_INVALID above 2^31 - 1. */
export function parseInt32(digits: string): number {
  if (digits.length <= INT_MAX_DIGITS || withoutLeadingZeros(digits).length <= INT_MAX_DIGITS) {
    const value = Number(digits);
    if (value <= INT_MAX) return value;
  }
  throw numberInvalid(digits);
}

/** Reads decimal ASCII digits. @throws BlockError BLOCK_ID_NUMBER_INVALID above 2^63 - 1. */
export function parseInt64(digits: string): bigint {
  // Converting is more than linear in the length, so endless digits are refused before.
  const significant = digits.length <= LONG_MAX_DIGITS ? digits : withoutLeadingZeros(digits);
  if (significant.length <= LONG_MAX_DIGITS) {
    const value = BigInt(significant);
    if (value <= LONG_MAX) return value;
  }
  throw numberInvalid(digits);
}

function withoutLeadingZeros(digits: string): string {
  let start = 0;
  while (start < digits.length - 1 && digits.charCodeAt(start) === 0x30) start++;
  return digits.slice(start);
}

function numberInvalid(text: string): BlockError {
  return new BlockError("BLOCK_ID_NUMBER_INVALID", `For input string: "${text}"`);
}
