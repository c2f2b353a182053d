/**
 * What happens to blocks that arrive with other bytes than were written.
 *
 *     from memory, the first time     fetched once more
 *     from memory, the second time    diagnosed, then the reading fails
 *     from a file                     diagnosed, then the reading fails: the file will not change
 */
import type { ShuffleBlockId } from "@bm/block";
import { FileSegmentManagedBuffer, type RequestOptions } from "@bm/transport";
import type { CorruptBlock } from "../client/block-questions.ts";
import { checksumOf, partitionChecksum } from "../files/partition-checksum.ts";
import type { CorruptionCauseName } from "../protocol/block-transfer-message.ts";
import { ShuffleError } from "../shuffle-error.ts";
import type { FetchedBlock } from "./block-fetcher-options.ts";
import { fetchFailed } from "./fetch-failure.ts";

/** The part of a client that asks why a block is corrupt. */
export interface DiagnosisClient {
  /** See `ExternalShuffleClient.diagnoseCorruption`. */
  diagnoseCorruption?(
    host: string,
    port: number,
    block: CorruptBlock,
    options?: RequestOptions,
  ): Promise<CorruptionCauseName>;
}

/** Decides on corrupt blocks of one reading. */
export class CorruptBlocks {
  readonly #client: DiagnosisClient;
  readonly #algorithm: string;
  readonly #seen = new Set<string>();

  constructor(client: DiagnosisClient, algorithm: string) {
    this.#client = client;
    this.#algorithm = algorithm;
  }

  /** Whether to fetch the block once more rather than to fail. To be asked once per arrival. */
  mayFetchAgain({ blockId, buffer }: FetchedBlock): boolean {
    if (buffer instanceof FileSegmentManagedBuffer || this.#seen.has(blockId.name)) return false;
    this.#seen.add(blockId.name);
    return true;
  }

  /**
   * The failure for a corrupt block, with the cause as far as it can be found. Reads the block once
   * more; its buffer stays with the caller. Never rejects.
   */
  async failureOf(block: FetchedBlock, cause: Error, signal?: AbortSignal): Promise<ShuffleError> {
    const { blockId, location } = block;
    const text =
      blockId.kind === "shuffle"
        ? await this.#diagnose(blockId, block, signal)
        : `Block ${blockId.name} is corrupted: ${UNDIAGNOSED[blockId.kind]}`;
    const corrupt = new ShuffleError("BLOCK_CORRUPT", `${text} (${cause.message})`, { cause });
    return fetchFailed(location, block, corrupt);
  }

  async #diagnose(
    { mapId, name, reduceId, shuffleId }: ShuffleBlockId,
    { buffer, location }: FetchedBlock,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const { executorId, host, port } = location;
    const algorithm = this.#algorithm;
    try {
      const known = partitionChecksum(algorithm);
      const checksum = known === null ? 0n : await checksumOf(buffer, known);
      const corrupt = { execId: executorId, shuffleId, mapId, reduceId, checksum, algorithm };
      const answer = await this.#client.diagnoseCorruption?.(host, port, corrupt, { signal });
      return textOf(name, answer ?? "UNKNOWN_ISSUE", algorithm);
    } catch (error) {
      return `${textOf(name, "UNKNOWN_ISSUE", algorithm)}: ${String(error)}`;
    }
  }
}

const UNDIAGNOSED = {
  shuffleBatch: "a run of partitions has no checksum",
  shuffleChunk: "a merged chunk has no checksum",
} as const;

function textOf(name: string, cause: CorruptionCauseName, algorithm: string): string {
  switch (cause) {
    case "UNSUPPORTED_CHECKSUM_ALGORITHM":
      return `Block ${name} is corrupted but corruption diagnosis failed due to unsupported checksum algorithm: ${algorithm}`;
    case "CHECKSUM_VERIFY_PASS":
      return `Block ${name} is corrupted but checksum verification passed`;
    case "UNKNOWN_ISSUE":
      return `Block ${name} is corrupted but the cause is unknown`;
    case "DISK_ISSUE":
    case "NETWORK_ISSUE":
      return `Block ${name} is corrupted due to ${cause}`;
  }
}
