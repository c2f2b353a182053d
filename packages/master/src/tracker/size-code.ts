/**
 * Sizes of map output in one byte each: 0 for an empty block, else the logarithm to the base 1.1,
 * rounded up. A decoded size is at most 10 % too large, up to 35.9 * 10^9, and never 0 for a block
 * that is not empty.
 */
import { MasterError } from "../master-error.ts";

const LOG_BASE = 1.1;
const CODE_MAX = 255;

/** The code of a size in bytes. @throws MasterError SIZE_INVALID - negative or no integer. */
export function encodeSize(sizeBytes: number): number {
  if (!Number.isInteger(sizeBytes) || sizeBytes < 0) {
    throw new MasterError("SIZE_INVALID", `${sizeBytes} is no size of a block`);
  }
  if (sizeBytes <= 1) return sizeBytes;
  return Math.min(CODE_MAX, Math.ceil(Math.log(sizeBytes) / Math.log(LOG_BASE)));
}

/** The size in bytes that a code from 0 to 255 stands for. */
export function decodeSize(code: number): number {
  return code === 0 ? 0 : Math.trunc(LOG_BASE ** code);
}
