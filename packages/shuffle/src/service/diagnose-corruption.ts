/**
 * Says why a block arrived corrupt, from three values of its checksum: what the writer stored, what
 * the disk gives now, and what the reader computed.
 *
 *     stored and disk differ      the disk is to blame
 *     disk and reader differ      the network is
 *     all three agree             the bytes are what was written: the writer is, or the reader's memory
 */
import type { Checksum } from "@bm/codec/checksum";
import type { ManagedBuffer } from "@bm/transport";
import { checksumOf, partitionChecksum } from "../files/partition-checksum.ts";
import type {
  CorruptionCauseName,
  DiagnoseCorruption,
  ExecutorShuffleInfo,
} from "../protocol/block-transfer-message.ts";
import { type ExternalShuffleBlockResolver, pathOf } from "./external-shuffle-block-resolver.ts";

/**
 * Finds the cause; see the file comment.
 * @throws ShuffleError BLOCK_NOT_FOUND, INDEX_INVALID when the block itself cannot be located
 *   (rejects); whatever goes wrong later is UNKNOWN_ISSUE.
 */
export async function diagnoseCorruption(
  message: DiagnoseCorruption,
  info: ExecutorShuffleInfo,
  resolver: ExternalShuffleBlockResolver,
): Promise<CorruptionCauseName> {
  const { algorithm, appId, execId, mapId, reduceId, shuffleId } = message;
  const output =
    resolver.findMapOutputNow(appId, execId, shuffleId, mapId) ??
    (await resolver.findMapOutput(appId, execId, shuffleId, mapId));
  const { offset, length } = await output.segment(reduceId, reduceId + 1);
  // Known before the name becomes a part of a path.
  const checksum = partitionChecksum(algorithm);
  if (checksum === null) return "UNSUPPORTED_CHECKSUM_ALGORITHM";
  try {
    const path = pathOf(info, `shuffle_${shuffleId}_${mapId}_0.checksum.${algorithm}`);
    const stored = await resolver.storedChecksums.read(path, reduceId, info.localDirs);
    if (stored === null) return "UNKNOWN_ISSUE";
    const onDisk = await sumOf(resolver.segmentBody(output, offset, length), checksum);
    if (stored !== onDisk) return "DISK_ISSUE";
    return stored === message.checksum ? "CHECKSUM_VERIFY_PASS" : "NETWORK_ISSUE";
  } catch {
    return "UNKNOWN_ISSUE";
  }
}

async function sumOf(body: ManagedBuffer, checksum: Checksum): Promise<bigint> {
  try {
    return await checksumOf(body, checksum);
  } finally {
    body.release();
  }
}
