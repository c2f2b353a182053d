/** Says why a merged chunk arrived corrupt, as diagnose-corruption.ts does for the blocks of maps. */
import { crc32 } from "node:zlib";
import { partitionChecksum } from "../../files/partition-checksum.ts";
import type { CorruptionCauseName } from "../../protocol/block-transfer-message.ts";
import { readChunkChecksum } from "./chunk-checksums.ts";
import type { MergedFiles } from "./merged-partition.ts";
import { type MergedFilesReader, openMergedChunk } from "./read-merged-files.ts";

/** What a reader computed over the bytes that it got. */
export interface ReaderChecksum {
  readonly algorithm: string;
  readonly checksum: bigint;
}

/** Why, and what speaks for it. */
export interface ChunkDiagnosis {
  readonly cause: CorruptionCauseName;
  /** For the log: which file, and which values. */
  readonly detail: string;
}

/** What {@link diagnoseChunk} needs. */
export interface ChunkDiagnosisOptions extends MergedFilesReader {
  /** Default: only the disk is judged. */
  readonly reader?: ReaderChecksum | undefined;
}

/**
 * Compares what was written with what the disk gives, and that with what a reader got. Without a stored
 * checksum the cause is UNKNOWN_ISSUE, as Spark has it for blocks of maps.
 * @throws ShuffleError BLOCK_NOT_FOUND, INDEX_INVALID when the chunk itself cannot be located (rejects).
 */
export async function diagnoseChunk(
  paths: MergedFiles,
  chunkId: number,
  dirs: readonly string[],
  options: ChunkDiagnosisOptions,
): Promise<ChunkDiagnosis> {
  const { files, guard, reader } = options;
  const body = await openMergedChunk(paths, chunkId, dirs, options);
  try {
    const checksum = partitionChecksum(reader?.algorithm ?? "CRC32");
    if (checksum === null) {
      return { cause: "UNSUPPORTED_CHECKSUM_ALGORITHM", detail: "no such checksum" };
    }
    await guard.checkRead(paths.checksums, dirs);
    const written = await readChunkChecksum(files, paths.checksums, chunkId);
    if (written === null) {
      return { cause: "UNKNOWN_ISSUE", detail: `no checksum is set in ${paths.checksums}` };
    }
    let onDisk = 0;
    for await (const piece of body.pieces()) {
      onDisk = crc32(piece, onDisk);
      checksum.update(piece);
    }
    if (written !== onDisk) {
      const detail = `${paths.data} was written with CRC-32 ${hex(written)} and reads as ${hex(onDisk)}`;
      return { cause: "DISK_ISSUE", detail };
    }
    const isRight = reader === undefined || reader.checksum === BigInt(checksum.value);
    return isRight
      ? { cause: "CHECKSUM_VERIFY_PASS", detail: `${paths.data} is as it was written` }
      : { cause: "NETWORK_ISSUE", detail: `${paths.data} is as it was written` };
  } catch (error) {
    return { cause: "UNKNOWN_ISSUE", detail: String(error) };
  } finally {
    body.release();
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
