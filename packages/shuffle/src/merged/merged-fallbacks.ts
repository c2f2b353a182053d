/**
 * Replaces what was merged and cannot be had by the blocks that it was merged from.
 *
 * What fails in the same turn is looked up together, and so are the chunks of the same partition that
 * nobody has asked for yet: their merger is not to be relied on.
 */

import type { BlocksByLocation } from "../fetch/fetch-requests.ts";
import type { PendingBlocks } from "../fetch/pending-blocks.ts";
import { ShuffleError } from "../shuffle-error.ts";
import type { MergedMaps, PushMergedOptions, PushMergedPartition } from "./push-merged-options.ts";

/** See the file comment. */
export class MergedFallbacks {
  readonly #originalsOf: PushMergedOptions["originalsOf"];
  readonly #pending: PendingBlocks;
  /** Lost in this turn; null for the whole partition. */
  readonly #lost = new Map<PushMergedPartition, number[] | null>();
  #count = 0;

  constructor({ originalsOf }: PushMergedOptions, pending: PendingBlocks) {
    this.#originalsOf = originalsOf;
    this.#pending = pending;
  }

  /** Chunks, and partitions without chunks, that were replaced. */
  get count(): number {
    return this.#count;
  }

  /** Notes what is lost. True when nothing of that partition was in this turn: `replace` is to be called. */
  note(partition: PushMergedPartition, mapIndexes: readonly number[] | null): boolean {
    this.#count += 1;
    const lost = this.#lost.get(partition);
    if (lost === undefined) {
      this.#lost.set(partition, mapIndexes === null ? null : [...mapIndexes]);
      return true;
    }
    for (const mapIndex of mapIndexes ?? []) lost?.push(mapIndex);
    return false;
  }

  /**
   * Adds the originals to what is pending.
   * @throws ShuffleError BLOCK_NOT_FOUND, OPTION_INVALID when they are not those that are lost; what
   *   `originalsOf` throws (rejects).
   */
  async replace(partition: PushMergedPartition): Promise<void> {
    // Until the rest of this turn has failed, too.
    await Promise.resolve();
    const lost = this.#lost.get(partition) ?? null;
    this.#lost.delete(partition);
    const maps = lost === null ? partition.maps : this.#withWaiting(partition, lost);
    const blocks = [...(await this.#originalsOf(partition, maps))];
    checkOriginals(partition, maps, blocks);
    this.#pending.add(blocks);
  }

  #withWaiting(partition: PushMergedPartition, lost: readonly number[]): MergedMaps {
    const mapIndexes = new Set(lost);
    for (const chunk of this.#pending.takeChunksOf(partition)) {
      this.#count += 1;
      for (const mapIndex of chunk.mapIndexes) mapIndexes.add(mapIndex);
    }
    return { numMaps: mapIndexes.size, hasMap: (mapIndex) => mapIndexes.has(mapIndex) };
  }
}

/** One block more or less would double or lose records without anybody noticing. */
function checkOriginals(
  { blockId }: PushMergedPartition,
  maps: MergedMaps,
  blocks: readonly BlocksByLocation[],
): void {
  const seen = new Set<number>();
  for (const { blockId: original, mapIndex, size } of blocks.flatMap((at) => at.blocks)) {
    const isOfPartition =
      original.kind === "shuffle" &&
      original.shuffleId === blockId.shuffleId &&
      original.reduceId === blockId.reduceId;
    if (!isOfPartition || size <= 0 || !maps.hasMap(mapIndex) || seen.has(mapIndex)) {
      const text = `${original.name} of map ${mapIndex} is not one that ${blockId.name} lost`;
      throw new ShuffleError("OPTION_INVALID", text);
    }
    seen.add(mapIndex);
  }
  if (seen.size === maps.numMaps) return;
  const text = `${maps.numMaps - seen.size} of the blocks that ${blockId.name} lost are not known`;
  throw new ShuffleError("BLOCK_NOT_FOUND", text);
}
