/**
 * Which partitions of a map output are pushed, to which mergers, and which of them together.
 *
 * Partitions are spread over the mergers in runs, so neighbours mostly go to the same one and lie
 * together in the data file: a request is one run of the file, read at once.
 */
import { type BlockManagerId, type ShufflePushBlockId, shufflePushBlockId } from "@bm/block";
import type { ShuffleIndexFile } from "../files/shuffle-index-file.ts";

/** A map output, as mergers know it. */
export interface PushedMapOutput {
  readonly shuffleId: number;
  /** Which attempt at the shuffle is merged. */
  readonly shuffleMergeId: number;
  /** Index of the map task in its stage, not its id. */
  readonly mapIndex: number;
  /** In the order in which the partitions are spread over them; the same for all maps. */
  readonly mergers: readonly BlockManagerId[];
}

/** How requests are cut. */
export interface PushRequestLimits {
  readonly blockBytesMax: number;
  readonly requestBytesMax: number;
  readonly blocksMax: number;
}

/** A block and where its request has it. */
export interface BlockToPush {
  readonly blockId: ShufflePushBlockId;
  /** From where the request begins. */
  readonly offset: number;
  readonly size: number;
}

/** Blocks that are pushed together. */
export interface PushRequest {
  readonly location: BlockManagerId;
  readonly blocks: readonly BlockToPush[];
  /** Where they begin in the data file. */
  readonly offset: number;
  /** Of all blocks together: they stand side by side. */
  readonly size: number;
}

/** The requests for a map output. Empty partitions and those that are too large are left out. */
export function pushRequests(
  output: PushedMapOutput,
  index: ShuffleIndexFile,
  limits: PushRequestLimits,
): PushRequest[] {
  const requests: PushRequest[] = [];
  let run: BlockToPush[] = [];
  let start = 0;
  let location: BlockManagerId | undefined;
  const cut = (): void => {
    if (run.length > 0 && location !== undefined) {
      requests.push({ location, blocks: run, offset: start, size: sizeOf(run) });
    }
    run = [];
  };
  for (const [reduceId, size] of index.lengths.entries()) {
    // What is left out ends a run: its bytes lie between those of its neighbours.
    if (size > limits.blockBytesMax) cut();
    if (size === 0 || size > limits.blockBytesMax) continue;
    const merger = mergerOf(reduceId, index.partitionCount, output.mergers);
    const isFull = sizeOf(run) + size > limits.requestBytesMax || run.length >= limits.blocksMax;
    if (isFull || merger !== location) cut();
    if (run.length === 0) start = index.offsets[reduceId] ?? 0;
    location = merger;
    run.push({ blockId: idOf(output, reduceId), offset: sizeOf(run), size });
  }
  cut();
  return requests;
}

function idOf(output: PushedMapOutput, reduceId: number): ShufflePushBlockId {
  const { mapIndex, shuffleId, shuffleMergeId } = output;
  return shufflePushBlockId(shuffleId, shuffleMergeId, mapIndex, reduceId);
}

/** As Spark spreads them: all maps must agree. */
function mergerOf(
  reduceId: number,
  partitionCount: number,
  mergers: readonly BlockManagerId[],
): BlockManagerId | undefined {
  const index = Math.floor((reduceId / partitionCount) * mergers.length);
  return mergers[Math.min(index, mergers.length - 1)];
}

function sizeOf(run: readonly BlockToPush[]): number {
  const last = run.at(-1);
  return last === undefined ? 0 : last.offset + last.size;
}
