/**
 * Says why a partition of a map output arrived corrupt, from three values of its checksum: what the
 * writer stored, what the disk gives now, and what the reader computed.
 */
import type { Checksum } from "@bm/codec/checksum";
import type { Files, ManagedBuffer } from "@bm/transport";
import type { CorruptionCauseName } from "../protocol/block-transfer-message.ts";
import { INT64_BYTES } from "./int64-column.ts";
import { checksumOf, partitionChecksum } from "./partition-checksum.ts";

/** Which partition, and what is known of it. */
export interface DiagnosedMapOutput {
  readonly files: Files;
  /** `ADLER32`, `CRC32` or `CRC32C`, as the reader names it. */
  readonly algorithm: string;
  /** What the reader computed: an unsigned 32-bit value. */
  readonly checksum: bigint;
  readonly reduceId: number;
  /** Path of the checksum file of a known algorithm. */
  readonly checksumFile: (algorithm: string) => string;
  /** The partition as the disk gives it now, handed over. */
  readonly open: () => Promise<ManagedBuffer>;
}

/** See the file comment. Never rejects: what cannot be read is UNKNOWN_ISSUE. */
export async function diagnoseMapOutput(output: DiagnosedMapOutput): Promise<CorruptionCauseName> {
  const { algorithm, checksumFile, files, open, reduceId } = output;
  // Known before the name becomes a part of a path.
  const checksum = partitionChecksum(algorithm);
  if (checksum === null) return "UNSUPPORTED_CHECKSUM_ALGORITHM";
  try {
    const stored = await readStored(files, checksumFile(algorithm), reduceId);
    if (stored === null) return "UNKNOWN_ISSUE";
    if (stored !== (await sumOf(await open(), checksum))) return "DISK_ISSUE";
    return stored === output.checksum ? "CHECKSUM_VERIFY_PASS" : "NETWORK_ISSUE";
  } catch {
    return "UNKNOWN_ISSUE";
  }
}

async function readStored(files: Files, path: string, reduceId: number): Promise<bigint | null> {
  const file = await files.open(path, "read");
  try {
    const value = Buffer.alloc(INT64_BYTES);
    const count = await file.read(value, reduceId * INT64_BYTES);
    return count === INT64_BYTES ? value.readBigInt64BE() : null;
  } finally {
    await file.close();
  }
}

async function sumOf(body: ManagedBuffer, checksum: Checksum): Promise<bigint> {
  try {
    return await checksumOf(body, checksum);
  } finally {
    body.release();
  }
}
