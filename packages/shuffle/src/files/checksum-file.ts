/**
 * The checksums of a map output's partitions, as stored: one int64 per partition whose lower half is
 * the unsigned 32-bit value.
 */
import type { Files } from "@bm/transport";
import { decodeInt64Column, encodeInt64Column, INT64_BYTES } from "./int64-column.ts";

const CHECKSUM_MAX = 0xffff_ffff;

/** The content of a checksum file. */
export function encodeChecksums(checksums: readonly number[]): Buffer {
  return encodeInt64Column(checksums);
}

/**
 * The checksums of that many partitions; null when the file is missing, of another length, or holds
 * what is no checksum.
 * @throws TransportError FILE_FAILED (rejects).
 */
export async function readChecksumFile(
  files: Files,
  path: string,
  partitionCount: number,
): Promise<readonly number[] | null> {
  const file = await files.stat(path);
  if (file?.bytes !== partitionCount * INT64_BYTES) return null;
  const checksums = readColumn(await files.readFile(path));
  const areChecksums = checksums?.every((checksum) => checksum <= CHECKSUM_MAX) ?? false;
  return areChecksums && checksums?.length === partitionCount ? checksums : null;
}

function readColumn(bytes: Uint8Array): number[] | null {
  try {
    return decodeInt64Column(bytes);
  } catch {
    // A negative or huge value: nobody wrote this as a checksum.
    return null;
  }
}
