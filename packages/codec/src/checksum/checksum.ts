/** Names as they stand in configuration and at the end of checksum files. */
export type ChecksumAlgorithm = "ADLER32" | "CRC32" | "CRC32C";

/** A 32-bit checksum that is fed piece by piece. How the bytes are cut does not change it. */
export interface Checksum {
  readonly algorithm: ChecksumAlgorithm;
  /** Checksum of all bytes so far: an integer from 0 to 2^32 - 1. */
  readonly value: number;
  /** Adds bytes, which stay the caller's. Returns this. */
  update(bytes: Uint8Array): this;
  /** Starts again from no bytes. */
  reset(): void;
}
