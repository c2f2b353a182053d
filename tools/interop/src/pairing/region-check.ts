import { regionBytes } from "../region.ts";
import { WrongBytes } from "./outcome.ts";

/** The byte at a position depends on the position's low 24 bits alone. */
const PERIOD_BYTES = 2 ** 24;

let period: Buffer | null = null;

/** Throws WrongBytes unless `bytes` are those of the region from `offset` on. */
export function checkRegion(bytes: Uint8Array, offset: number): void {
  period ??= regionBytes(PERIOD_BYTES);
  for (let at = 0; at < bytes.length; ) {
    const start = (offset + at) % PERIOD_BYTES;
    const length = Math.min(bytes.length - at, PERIOD_BYTES - start);
    const isRight = period.compare(bytes, at, at + length, start, start + length) === 0;
    if (!isRight) throw new WrongBytes(`between ${offset + at} and ${offset + at + length}`);
    at += length;
  }
}

/** The same, and that there are `length` of them. */
export function checkWhole(bytes: Uint8Array, offset: number, length: number): void {
  if (bytes.length !== length) throw new WrongBytes(`length ${bytes.length}`);
  checkRegion(bytes, offset);
}
