import { CodecError } from "../codec-error.ts";
import { Adler32 } from "./adler32.ts";
import type { Checksum, ChecksumAlgorithm } from "./checksum.ts";
import { Crc32 } from "./crc32.ts";
import { Crc32C } from "./crc32c.ts";

const CHECKSUMS: Readonly<Record<ChecksumAlgorithm, new () => Checksum>> = {
  ADLER32: Adler32,
  CRC32: Crc32,
  CRC32C: Crc32C,
};

/** Every algorithm that {@link createChecksum} knows. */
export const CHECKSUM_ALGORITHMS: readonly ChecksumAlgorithm[] = ["ADLER32", "CRC32", "CRC32C"];

/** A new checksum by name, in any case. @throws CodecError CHECKSUM_NOT_AVAILABLE */
export function createChecksum(algorithm: string): Checksum {
  const known = CHECKSUM_ALGORITHMS.find((name) => name === algorithm.toUpperCase());
  if (known === undefined) {
    const detail = `checksum algorithm "${algorithm}"; available: ${CHECKSUM_ALGORITHMS.join(", ")}`;
    throw new CodecError("CHECKSUM_NOT_AVAILABLE", detail);
  }
  return new CHECKSUMS[known]();
}
