/**
 * Says why a block arrived corrupt, from three values of its checksum: what the writer stored, what
 * the disk gives now, and what the reader computed.
 *
 *     stored and disk differ      the disk is to blame
 *     disk and reader differ      the network is
 *     all three agree             the bytes are what was written: the writer is, or the reader's memory
 */
import type { Checksum } from "@bm/codec/checksum";
import type { Files, ManagedBuffer } from "@bm/transport";
import { INT64_BYTES } from "../files/int64-column.ts";
import { checksumOf, partitionChecksum } from "../files/partition-checksum.ts";
import type {
  CorruptionCauseName,
  DiagnoseCorruption,
  ExecutorShuffleInfo,
} from "../protocol/block-transfer-message.ts";
import { type ExternalShuffleBlockResolver, pathOf } from "./external-shuffle-block-resolver.ts";
import type { LocalDirsGuard } from "./local-dirs-guard.ts";

/** What {@link diagnoseCorruption} needs. */
export interface CorruptionDiagnosis {
  readonly files: Files;
  readonly guard: LocalDirsGuard;
  readonly resolver: ExternalShuffleBlockResolver;
}

/**
 * Finds the cause; see the file comment.
 * @throws ShuffleError BLOCK_NOT_FOUND, INDEX_INVALID when the block itself cannot be located
 *   (rejects); whatever goes wrong later is UNKNOWN_ISSUE.
 */
export async function diagnoseCorruption(
  message: DiagnoseCorruption,
  info: ExecutorShuffleInfo,
  diagnosis: CorruptionDiagnosis,
): Promise<CorruptionCauseName> {
  const { algorithm, appId, execId, mapId, reduceId, shuffleId } = message;
  const { resolver } = diagnosis;
  const output = await resolver.findMapOutput(appId, execId, shuffleId, mapId);
  const { offset, length } = await output.segment(reduceId, reduceId + 1);
  // Known before the name becomes a part of a path.
  const checksum = partitionChecksum(algorithm);
  if (checksum === null) return "UNSUPPORTED_CHECKSUM_ALGORITHM";
  try {
    const path = pathOf(info, `shuffle_${shuffleId}_${mapId}_0.checksum.${algorithm}`);
    const stored = await readStored(path, reduceId, info, diagnosis);
    if (stored === null) return "UNKNOWN_ISSUE";
    const onDisk = await sumOf(resolver.segmentBody(output, offset, length), checksum);
    if (stored !== onDisk) return "DISK_ISSUE";
    return stored === message.checksum ? "CHECKSUM_VERIFY_PASS" : "NETWORK_ISSUE";
  } catch {
    return "UNKNOWN_ISSUE";
  }
}

async function readStored(
  path: string,
  reduceId: number,
  info: ExecutorShuffleInfo,
  { files, guard }: CorruptionDiagnosis,
): Promise<bigint | null> {
  const stat = await files.stat(path);
  if (stat?.isFile !== true || stat.bytes < (reduceId + 1) * INT64_BYTES) return null;
  await guard.checkRead(path, info.localDirs);
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
