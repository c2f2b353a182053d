/** Checksums alone, for those who do not compress: loads no codec. */
export { Adler32 } from "./adler32.ts";
export type { Checksum, ChecksumAlgorithm } from "./checksum.ts";
export { Crc32 } from "./crc32.ts";
export { Crc32C } from "./crc32c.ts";
export { CHECKSUM_ALGORITHMS, createChecksum } from "./create-checksum.ts";
