/** The push-merged part of a reading: learns of chunks, and replaces what cannot be had. */
import type { BlockFetchClient } from "../fetch/block-fetch-client.ts";
import { fetchFailed } from "../fetch/fetch-failure.ts";
import { type DataBlock, isChunk } from "../fetch/fetch-requests.ts";
import type { PendingBlocks } from "../fetch/pending-blocks.ts";
import type { ReadingState } from "../fetch/reading-state.ts";
import { MergedFallbacks } from "./merged-fallbacks.ts";
import { chunksOf } from "./merged-meta.ts";
import {
  type ChunkToFetch,
  MERGED_MAP_INDEX,
  type MetaToAsk,
  type PushMergedFigures,
  type PushMergedOptions,
  type PushMergedPartition,
} from "./push-merged-options.ts";

/** What {@link MergedReads} works with. */
export interface MergedReadsOptions {
  readonly pushMerged: PushMergedOptions;
  readonly client: BlockFetchClient;
  readonly pending: PendingBlocks;
  readonly state: ReadingState;
  /** Something was added to what is pending. */
  readonly onPending: () => void;
}

/** See the file comment. */
export class MergedReads {
  readonly #options: MergedReadsOptions;
  readonly #fallbacks: MergedFallbacks;
  readonly #given = { chunks: 0, blocks: 0, corruptChunks: 0 };

  constructor(options: MergedReadsOptions) {
    this.#options = options;
    this.#fallbacks = new MergedFallbacks(options.pushMerged, options.pending);
  }

  get figures(): PushMergedFigures {
    return { ...this.#given, fallbacks: this.#fallbacks.count };
  }

  /** Asks a merger over the network. Never rejects: without an answer all comes from the originals. */
  async askMerger({ blockId, partition }: MetaToAsk): Promise<void> {
    const { client, state } = this.#options;
    const { signal } = state;
    const { host, port } = partition.location;
    try {
      const meta = await client.getMergedBlockMeta?.(host, port, blockId, { signal });
      if (meta === undefined) throw new Error("the client asks no merger");
      try {
        this.#learn(partition, meta.numChunks, meta.bitmaps.view);
      } finally {
        meta.bitmaps.release();
      }
    } catch {
      this.#fallBack(partition, null);
    }
  }

  /** Reads the files of a merger on this host. As `askMerger`. */
  async readMeta({ blockId, partition }: MetaToAsk): Promise<void> {
    const { pushMerged, state } = this.#options;
    try {
      const { signal } = state;
      const meta = await pushMerged.hostLocal?.readMeta(partition.location, blockId, { signal });
      if (meta === undefined) throw new Error("no files are read here");
      this.#learn(partition, meta.numChunks, meta.bitmaps);
    } catch {
      this.#fallBack(partition, null);
    }
  }

  /** A chunk cannot be had. */
  lose({ mapIndexes, partition }: ChunkToFetch): void {
    this.#fallBack(partition, mapIndexes);
  }

  /** A chunk has other bytes than were merged. It is not asked for again: the originals are at hand. */
  refuse(chunk: ChunkToFetch): void {
    this.#given.corruptChunks += 1;
    this.lose(chunk);
  }

  /** A block is given to the reader. */
  count(block: DataBlock): void {
    if (!isChunk(block)) return;
    this.#given.chunks += 1;
    this.#given.blocks += block.mapIndexes.length;
  }

  #learn(partition: PushMergedPartition, numChunks: number, bitmaps: Uint8Array): void {
    const blocks = chunksOf(partition, numChunks, bitmaps);
    this.#options.pending.addChunks({ location: partition.location, blocks });
  }

  #fallBack(partition: PushMergedPartition, mapIndexes: readonly number[] | null): void {
    const { state } = this.#options;
    if (state.isOver || !this.#fallbacks.note(partition, mapIndexes)) return;
    state.expect(1);
    void this.#replace(partition);
  }

  async #replace(partition: PushMergedPartition): Promise<void> {
    const { onPending, state } = this.#options;
    try {
      await this.#fallbacks.replace(partition);
    } catch (error) {
      const { blockId, location } = partition;
      state.fail(fetchFailed(location, { blockId, mapIndex: MERGED_MAP_INDEX }, error as Error));
    }
    onPending();
    state.answered();
  }
}
