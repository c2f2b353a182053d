/** Chunks of merged partitions that a request asks for. */
import { SHUFFLE_MERGER_EXECUTOR_ID } from "@bm/block";
import type { ChunkSource } from "@bm/transport";
import type { FetchShuffleBlockChunks, OpenBlocks } from "../../protocol/block-transfer-message.ts";
import type { ShuffleError } from "../../shuffle-error.ts";
import type { BlockTroubleLog } from "../block-trouble-log.ts";
import type { ShuffleServiceMetrics } from "../metrics/shuffle-service-metrics.ts";
import { JAVA, serviceFailure } from "../service-failure.ts";
import type { MergedShuffleFileManager } from "./merged-shuffle-file-manager.ts";

/** Numbers of a request's chunks; the i-th elements of the two arrays belong together. */
export interface OpenedMergedChunks {
  readonly shuffleId: number;
  readonly shuffleMergeId: number;
  readonly reduceIds: Int32Array;
  readonly chunkIds: Int32Array;
  /** Chunks that are asked for. */
  readonly count: number;
  /** Memory that is held until the last one was asked for. */
  readonly bytes: number;
}

/** Where the chunks are found and counted. */
export interface MergedChunksOptions {
  readonly appId: string;
  readonly mergeManager: MergedShuffleFileManager;
  readonly metrics: ShuffleServiceMetrics;
  readonly troubles: BlockTroubleLog;
  /** Called once: the last chunk was asked for, or nobody will ask any more. */
  readonly onDone: () => void;
}

/** True when the first name is that of a merged chunk: it decides for all others. */
export function namesMergedChunks(names: readonly string[]): boolean {
  return names[0]?.startsWith("shuffleChunk_") ?? false;
}

/**
 * The chunks that a message asks for, in order.
 * @throws ShuffleError BLOCK_IDS_INVALID for names that do not belong together.
 */
export function openedMergedChunks(
  message: FetchShuffleBlockChunks | OpenBlocks,
): OpenedMergedChunks {
  if (message.type === "OpenBlocks") return namedChunks(message.blockIds);
  const { chunkIds, reduceIds, shuffleId, shuffleMergeId } = message;
  const reduces = reduceIds.flatMap((id, at) => chunkIds[at]?.map(() => id) ?? []);
  const ids = { shuffleId, shuffleMergeId };
  return withSize(ids, Int32Array.from(reduces), Int32Array.from(chunkIds.flat()));
}

/** A source of these chunks, each found when it is asked for. */
export function mergedChunks(
  chunks: OpenedMergedChunks,
  options: MergedChunksOptions,
): ChunkSource {
  const { appId, troubles, mergeManager, metrics, onDone } = options;
  const { chunkIds, reduceIds, shuffleId, shuffleMergeId } = chunks;
  return {
    count: chunkIds.length,
    release: onDone,
    open: async (index) => {
      if (index === chunkIds.length - 1) onDone();
      const reduceId = reduceIds[index] ?? 0;
      const chunkId = chunkIds[index] ?? 0;
      const query = { appId, shuffleId, shuffleMergeId, reduceId, chunkId };
      try {
        const body = await mergeManager.mergedBlockData(query);
        metrics.blockTransferRateBytes.mark(body.size);
        return body;
      } catch (error) {
        metrics.failedChunks += 1;
        const name = `shuffleChunk_${shuffleId}_${shuffleMergeId}_${reduceId}_${chunkId}`;
        troubles.failed(appId, SHUFFLE_MERGER_EXECUTOR_ID, name, error);
        throw error;
      }
    },
  };
}

const CHUNK_NAME = /^shuffleChunk_([0-9]{1,10})_([0-9]{1,10})_([0-9]{1,10})_([0-9]{1,10})_*$/;

function namedChunks(names: readonly string[]): OpenedMergedChunks {
  const reduceIds = new Int32Array(names.length);
  const chunkIds = new Int32Array(names.length);
  let first: { readonly shuffleId: number; readonly shuffleMergeId: number } | null = null;
  for (const [index, name] of names.entries()) {
    const [shuffleId, shuffleMergeId, reduceId, chunkId] = numbersOf(name);
    first ??= { shuffleId, shuffleMergeId };
    if (shuffleId !== first.shuffleId || shuffleMergeId !== first.shuffleMergeId) {
      throw invalid(
        `Expected shuffleId = ${first.shuffleId} and shuffleMergeId = ${first.shuffleMergeId} but got ${name}`,
      );
    }
    reduceIds[index] = reduceId;
    chunkIds[index] = chunkId;
  }
  return withSize(first ?? { shuffleId: 0, shuffleMergeId: 0 }, reduceIds, chunkIds);
}

function withSize(
  ids: { readonly shuffleId: number; readonly shuffleMergeId: number },
  reduceIds: Int32Array,
  chunkIds: Int32Array,
): OpenedMergedChunks {
  const bytes = reduceIds.byteLength + chunkIds.byteLength;
  return { ...ids, reduceIds, chunkIds, count: chunkIds.length, bytes };
}

function numbersOf(name: string): readonly [number, number, number, number] {
  const match = CHUNK_NAME.exec(name);
  if (match === null) throw invalid(`Unexpected shuffle chunk id format: ${name}`);
  const [a = 0, b = 0, c = 0, d = 0] = match.slice(1).map(Number);
  for (const [index, value] of [a, b, c, d].entries()) {
    if (value === (value | 0)) continue;
    const text = `For input string: "${match[index + 1]}"`;
    throw serviceFailure("BLOCK_IDS_INVALID", JAVA.numberFormat, text);
  }
  return [a, b, c, d];
}

function invalid(text: string): ShuffleError {
  return serviceFailure("BLOCK_IDS_INVALID", JAVA.illegalArgument, text);
}
