import { BlockError } from "../block-error.ts";

const TEXT_LENGTH_MAX = 36;
/** Bits that each of the five groups keeps; what a longer group has above them is dropped. */
const GROUP_BITS = [32, 16, 16, 16, 48] as const;
const LONG_MAX = 2n ** 63n - 1n;

/**
 * The canonical form (lower case, 8-4-4-4-12 digits) of a UUID text as lenient as `java.util.UUID`
 * takes it: any five groups of hexadecimal digits in at most 36 characters, so `1-2-3-4-5` is
 * `00000001-0002-0003-0004-000000000005` and a group that is too long loses its upper digits.
 *
 * @throws BlockError BLOCK_ID_UUID_INVALID, or BLOCK_ID_NUMBER_INVALID for an empty or endless group.
 */
export function canonicalUuid(text: string): string {
  if (text.length > TEXT_LENGTH_MAX) {
    throw new BlockError("BLOCK_ID_UUID_INVALID", "UUID string too large");
  }
  const groups = text.split("-");
  if (groups.length !== GROUP_BITS.length || !/^[-0-9A-Fa-f]*$/.test(text)) {
    throw new BlockError("BLOCK_ID_UUID_INVALID", `Invalid UUID string: ${text}`);
  }
  return GROUP_BITS.map((bits, index) => canonicalGroup(groups[index] ?? "", bits)).join("-");
}

function canonicalGroup(digits: string, bits: number): string {
  const value = BigInt(digits === "" ? -1 : `0x${digits}`);
  if (value < 0n || value > LONG_MAX) {
    throw new BlockError("BLOCK_ID_NUMBER_INVALID", `For input string: "${digits}"`);
  }
  return BigInt.asUintN(bits, value)
    .toString(16)
    .padStart(bits / 4, "0");
}
