/**
 * Says why a block arrived corrupt, from three values of its checksum: what the writer stored, what
 * the disk gives now, and what the reader computed.
 *
 *     stored and disk differ      the disk is to blame
 *     disk and reader differ      the network is
 *     all three agree             the bytes are what was written: the writer is, or the reader's memory
 *
 * A small block of a known map output is judged in the turn in which it is asked for, when its bytes are
 * in memory. Of all others some are read at a time, piece by piece, and none of them holds the event
 * loop: together they have a budget for each turn.
 */
import type { Checksum } from "@bm/codec/checksum";
import { type Clock, type FileSegment, int64 } from "@bm/transport";
import { partitionChecksum } from "../files/partition-checksum.ts";
import type {
  CorruptionCauseName,
  DiagnoseCorruption,
  ExecutorShuffleInfo,
} from "../protocol/block-transfer-message.ts";
import { type ExternalShuffleBlockResolver, pathOf } from "./external-shuffle-block-resolver.ts";
import { LookupQueue } from "./lookup-queue.ts";
import { sumSegment } from "./sum-segment.ts";
import { TurnBudget } from "./turn-budget.ts";

/** What is read at once. A larger block takes several of it. */
const PIECE_BYTES = 256 * 1024;

/** Blocks that are read at the same time, each with a piece in memory once it waits for the disk. */
const LIMITS = { runningMax: 8, runningMaxPerApplication: 4 };

/** See the file comment. */
export class CorruptionDiagnoses {
  readonly #resolver: ExternalShuffleBlockResolver;
  readonly #turns: TurnBudget;
  readonly #queue = new LookupQueue(LIMITS);
  /** What is in memory is copied here. Made when it is first needed: most services never are asked. */
  #piece: Buffer | null = null;

  constructor(resolver: ExternalShuffleBlockResolver, clock: Clock) {
    this.#resolver = resolver;
    this.#turns = new TurnBudget(clock);
  }

  /**
   * The cause for a block of a map output. `info` is that of the executor which is asked about.
   * @throws ShuffleError BLOCK_NOT_FOUND, INDEX_INVALID when the block itself cannot be located
   *   (rejects, too); whatever goes wrong later is UNKNOWN_ISSUE.
   */
  causeOf(
    message: DiagnoseCorruption,
    info: ExecutorShuffleInfo,
  ): CorruptionCauseName | Promise<CorruptionCauseName> {
    const now = this.#turns.isSpent ? null : this.#causeNow(message, info);
    return now ?? this.runLater(message.appId, () => this.#causeLater(message, info));
  }

  /** Runs a diagnosis that waits for the disk when it is its turn. */
  runLater<T>(appId: string, diagnosis: () => Promise<T>): Promise<T> {
    return this.#queue.run(appId, async () => {
      await this.#turns.whenFree();
      return diagnosis();
    });
  }

  /** Null when it cannot be told without waiting. */
  #causeNow(message: DiagnoseCorruption, info: ExecutorShuffleInfo): CorruptionCauseName | null {
    const { algorithm, appId, execId, reduceId, shuffleId } = message;
    const resolver = this.#resolver;
    const output = resolver.findMapOutputNow(appId, execId, shuffleId, int64(message.mapId));
    if (output === null) return null;
    const { length, offset } = output.segment(reduceId, reduceId + 1);
    if (length > PIECE_BYTES) return null;
    const checksum = partitionChecksum(algorithm);
    if (checksum === null) return "UNSUPPORTED_CHECKSUM_ALGORITHM";
    this.#turns.spend(length);
    const path = pathOfChecksums(message, info);
    const stored = resolver.storedChecksums.readNow(path, reduceId, info.localDirs);
    if (stored === null) return null;
    const bytes = this.#pieceOf(length);
    if (length > 0 && resolver.readNow(output, offset, bytes) < length) return null;
    return judge(stored, BigInt(checksum.update(bytes).value), message.checksum);
  }

  async #causeLater(
    message: DiagnoseCorruption,
    info: ExecutorShuffleInfo,
  ): Promise<CorruptionCauseName> {
    const { algorithm, appId, execId, reduceId, shuffleId } = message;
    const mapId = int64(message.mapId);
    const resolver = this.#resolver;
    const output =
      resolver.findMapOutputNow(appId, execId, shuffleId, mapId) ??
      (await resolver.findMapOutput(appId, execId, shuffleId, mapId));
    const { length, offset } = await output.segment(reduceId, reduceId + 1);
    const checksum = partitionChecksum(algorithm);
    if (checksum === null) return "UNSUPPORTED_CHECKSUM_ALGORITHM";
    try {
      const path = pathOfChecksums(message, info);
      const stored = await resolver.storedChecksums.read(path, reduceId, info.localDirs);
      if (stored === null) return "UNKNOWN_ISSUE";
      const { segment } = resolver.segmentBody(output, offset, length);
      return judge(stored, await this.#sumOf(segment, checksum), message.checksum);
    } catch {
      return "UNKNOWN_ISSUE";
    }
  }

  /** `segment` is null of a block without bytes. */
  async #sumOf(segment: FileSegment | null, checksum: Checksum): Promise<bigint> {
    if (segment === null) return BigInt(checksum.value);
    return sumSegment(segment, checksum, { turns: this.#turns, piece: this.#pieceOf(PIECE_BYTES) });
  }

  #pieceOf(bytes: number): Uint8Array {
    this.#piece ??= Buffer.allocUnsafeSlow(PIECE_BYTES);
    return this.#piece.subarray(0, bytes);
  }
}

/** The algorithm must be a known one before it becomes a part of a path. */
function pathOfChecksums(
  { algorithm, mapId, shuffleId }: DiagnoseCorruption,
  info: ExecutorShuffleInfo,
): string {
  return pathOf(info, `shuffle_${shuffleId}_${mapId}_0.checksum.${algorithm}`);
}

function judge(stored: bigint, onDisk: bigint, received: bigint): CorruptionCauseName {
  if (stored !== onDisk) return "DISK_ISSUE";
  return stored === received ? "CHECKSUM_VERIFY_PASS" : "NETWORK_ISSUE";
}
