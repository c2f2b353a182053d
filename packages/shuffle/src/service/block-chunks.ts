/** The chunks of one stream: each is found when it is asked for, and fails alone. */
import type { BodyLookup, ChunkSource, ManagedBuffer } from "@bm/transport";
import type { ExternalShuffleBlockResolver } from "./external-shuffle-block-resolver.ts";
import type { FailedChunkLog } from "./failed-chunk-log.ts";
import type { MapOutput } from "./index-cache.ts";
import type { ShuffleServiceMetrics } from "./metrics/shuffle-service-metrics.ts";
import type { OpenedBlock, OpenedBlocks } from "./opened-blocks.ts";
import { SegmentWindow, WINDOW_BYTES_MAX, WINDOW_SEGMENT_BYTES_MAX } from "./segment-window.ts";

/** What {@link BlockChunks} needs. */
export interface BlockChunksOptions {
  readonly appId: string;
  readonly execId: string;
  readonly blocks: OpenedBlocks;
  readonly resolver: ExternalShuffleBlockResolver;
  readonly metrics: ShuffleServiceMetrics;
  readonly failures: FailedChunkLog;
  /** Called once: the last chunk was asked for, or nobody will ask any more. */
  readonly onDone: () => void;
}

/** So that a run of tiny blocks does not hold the event loop. */
const WINDOW_SEGMENTS_MAX = 1024;

/** See the file comment. */
export class BlockChunks implements ChunkSource {
  readonly count: number;
  readonly #options: BlockChunksOptions;
  /** The map output of the group that was looked up last; later blocks of it need no lookup. */
  #group = -1;
  #output: MapOutput | Promise<MapOutput> | null = null;
  /** By group: lookups of several map outputs may be under way, and end in any order. */
  readonly #windows = new Map<number, SegmentWindow>();
  #isDone = false;
  #isReleased = false;

  constructor(options: BlockChunksOptions) {
    this.#options = options;
    this.count = options.blocks.count;
  }

  open(index: number): BodyLookup {
    const { blocks } = this.#options;
    const block = blocks.at(index);
    if (index === this.count - 1) this.#done();
    try {
      const body = blocks.kind === "rdd" ? this.#openRdd(block) : this.#openShuffle(block, index);
      if (!(body instanceof Promise)) return this.#counted(block, body);
      return body.then(
        (found) => this.#counted(block, found),
        (error: unknown) => {
          this.#noteFailure(block, error);
          throw error;
        },
      );
    } catch (error) {
      this.#noteFailure(block, error);
      throw error;
    }
  }

  release(): void {
    this.#isReleased = true;
    for (const window of this.#windows.values()) window.giveUpRest();
    this.#windows.clear();
    this.#done();
  }

  #noteFailure({ end, id, start }: OpenedBlock, error: unknown): void {
    const { appId, blocks, execId, failures, metrics } = this.#options;
    const { kind, shuffleId } = blocks;
    metrics.failedChunks += 1;
    const partitions = kind === "shuffleBatch" ? `${start}_${end}` : String(start);
    const name = kind === "rdd" ? `rdd_${id}_${start}` : `shuffle_${shuffleId}_${id}_${partitions}`;
    failures.note(appId, execId, name, error);
  }

  #openRdd(block: OpenedBlock): Promise<ManagedBuffer | null> {
    const { appId, execId, resolver } = this.#options;
    return resolver.openRddBlock(appId, execId, Number(block.id), block.start);
  }

  #openShuffle(block: OpenedBlock, index: number): ManagedBuffer | Promise<ManagedBuffer> {
    const output = this.#outputOf(block);
    if (!(output instanceof Promise)) return this.#segmentOf(output, block, index);
    return output.then((found) => this.#segmentOf(found, block, index));
  }

  #segmentOf(
    output: MapOutput,
    block: OpenedBlock,
    index: number,
  ): ManagedBuffer | Promise<ManagedBuffer> {
    const { resolver } = this.#options;
    const segment = output.segment(block.start, block.end);
    if (segment instanceof Promise) {
      return segment.then(({ offset, length }) => resolver.segmentBody(output, offset, length));
    }
    const { length, offset } = segment;
    const window = this.#windowAt(output, block, index);
    if (window === null) return resolver.segmentBody(output, offset, length);
    const slice = window.slice(offset, length);
    if (!window.hasMore) this.#windows.delete(block.group);
    return slice;
  }

  /** The window that has this block; a new one when it has small neighbours, else none. */
  #windowAt(output: MapOutput, block: OpenedBlock, index: number): SegmentWindow | null {
    const known = this.#windows.get(block.group);
    if (known !== undefined) return known;
    // Nobody would ask for the rest of a window.
    if (this.#isReleased) return null;
    const { blocks, resolver } = this.#options;
    const countMax = blocks.neighbours(block, index, WINDOW_SEGMENTS_MAX);
    if (countMax === 1) return null;
    const first = output.segment(block.start, block.end);
    if (first instanceof Promise || first.length > WINDOW_SEGMENT_BYTES_MAX) return null;
    const { count, length } = fittingRun(output, block.start, countMax);
    if (count === 1 || !resolver.windows.tryTake(length)) return null;
    const body = resolver.segmentBody(output, first.offset, length);
    const onDone = (): void => resolver.windows.giveBack(length);
    const window = new SegmentWindow(body, first.offset, count, onDone);
    this.#windows.set(block.group, window);
    return window;
  }

  #outputOf(block: OpenedBlock): MapOutput | Promise<MapOutput> {
    if (block.group === this.#group && this.#output !== null) return this.#output;
    const { appId, blocks, execId, resolver } = this.#options;
    const lookup = resolver.findMapOutput(appId, execId, blocks.shuffleId, block.id);
    this.#group = block.group;
    this.#output = lookup;
    lookup.then(
      (output) => {
        if (this.#output === lookup) this.#output = output;
      },
      () => {}, // Whoever asked for a chunk of it hears of the failure.
    );
    return lookup;
  }

  #counted(block: OpenedBlock, body: ManagedBuffer | null): ManagedBuffer | null {
    const { metrics } = this.#options;
    metrics.blockTransferRate.mark(block.end - block.start);
    metrics.blockTransferMessageRate.mark();
    metrics.blockTransferRateBytes.mark(body?.size ?? 0);
    return body;
  }

  #done(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#options.onDone();
  }
}

/** How many of the partitions from `start` on go into one window, and their bytes. */
function fittingRun(
  output: MapOutput,
  start: number,
  countMax: number,
): { readonly count: number; readonly length: number } {
  const partitionCount = output.partitionCount ?? 0;
  let count = 1;
  let length = 0;
  for (let next = 1; next <= countMax && start + next <= partitionCount; next += 1) {
    const run = output.segment(start, start + next);
    if (run instanceof Promise || run.length > WINDOW_BYTES_MAX) break;
    count = next;
    length = run.length;
  }
  return { count, length };
}
