/** Checksums that writers of shuffle files put beside them. */
import { CHECKSUM_ALGORITHMS, type Checksum, createChecksum } from "@bm/codec/checksum";
import type { ManagedBuffer } from "@bm/transport";

/**
 * A new checksum by the name that ends the name of a checksum file; null for any other name. The name
 * comes from peers and becomes a part of a path: it must be exact.
 */
export function partitionChecksum(algorithm: string): Checksum | null {
  const isKnown = CHECKSUM_ALGORITHMS.some((name) => name === algorithm);
  return isKnown ? createChecksum(algorithm) : null;
}

/**
 * The checksum with the bytes of `body` added, as checksum files and messages hold it: an unsigned
 * 32-bit value. The body stays the caller's.
 * @throws TransportError when the body cannot be read (rejects).
 */
export async function checksumOf(body: ManagedBuffer, checksum: Checksum): Promise<bigint> {
  for await (const piece of body.pieces()) checksum.update(piece);
  return BigInt(checksum.value);
}
