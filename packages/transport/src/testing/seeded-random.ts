import { invariant } from "../invariant.ts";
import type { Random } from "../platform/platform.ts";

/**
 * Chance that repeats: the same seed gives the same numbers, on every machine and release.
 * The generator is sfc32. Not for secrets.
 *
 * @param seed any integer; print it when a test fails.
 */
export function createSeededRandom(seed: number): Random {
  const next32 = sfc32(seed);
  // 53 bits, as many as a number holds.
  const next = (): number => ((next32() >>> 5) * 2 ** 26 + (next32() >>> 6)) / 2 ** 53;
  const below = (bound: number): number => {
    invariant(Number.isInteger(bound) && bound > 0 && bound <= 2 ** 48, "bound in 1..2^48");
    return Math.floor(next() * bound);
  };
  return { next, below, uuid: () => uuidOf(Array.from({ length: 16 }, () => below(256))) };
}

function sfc32(seed: number): () => number {
  let a = seed | 0;
  let b = Math.floor(seed / 2 ** 32) | 0;
  let c = 0x9e37_79b9;
  let counter = 1;
  const next32 = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  // Seeds that differ in one bit must not give similar starts.
  for (let round = 0; round < 16; round += 1) next32();
  return next32;
}

function uuidOf(bytes: number[]): string {
  const [timeHigh = 0, clock = 0] = [bytes[6], bytes[8]];
  bytes[6] = (timeHigh & 0x0f) | 0x40;
  bytes[8] = (clock & 0x3f) | 0x80;
  const hex = Buffer.from(bytes).toString("hex");
  const cuts = [0, 8, 12, 16, 20, 32];
  return cuts
    .slice(1)
    .map((end, i) => hex.slice(cuts[i], end))
    .join("-");
}
