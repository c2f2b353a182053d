import { crc32 } from "node:zlib";
import type { Checksum } from "./checksum.ts";

/** CRC-32 (IEEE 802.3, as in zip and gzip). */
export class Crc32 implements Checksum {
  readonly algorithm = "CRC32";
  #value = 0;

  get value(): number {
    return this.#value;
  }

  update(bytes: Uint8Array): this {
    this.#value = crc32(bytes, this.#value);
    return this;
  }

  reset(): void {
    this.#value = 0;
  }
}
