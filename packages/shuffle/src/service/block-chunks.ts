/** The chunks of one stream: each is found when it is asked for, and fails alone. */
import type { BodyLookup, ChunkSource, ManagedBuffer } from "@bm/transport";
import type { BlockTroubleLog } from "./block-trouble-log.ts";
import type { ExternalShuffleBlockResolver } from "./external-shuffle-block-resolver.ts";
import type { MapOutput } from "./index-cache.ts";
import type { ShuffleServiceMetrics } from "./metrics/shuffle-service-metrics.ts";
import type { OpenedBlock, OpenedBlocks } from "./opened-blocks.ts";

/** What {@link BlockChunks} needs. */
export interface BlockChunksOptions {
  readonly appId: string;
  readonly execId: string;
  readonly blocks: OpenedBlocks;
  readonly resolver: ExternalShuffleBlockResolver;
  readonly metrics: ShuffleServiceMetrics;
  readonly troubles: BlockTroubleLog;
  /** Called once: the last chunk was asked for, or nobody will ask any more. */
  readonly onDone: () => void;
}

/** See the file comment. */
export class BlockChunks implements ChunkSource {
  readonly count: number;
  readonly #options: BlockChunksOptions;
  /** The map output of the group that was looked up last; later blocks of it need no lookup. */
  #group = -1;
  #output: MapOutput | Promise<MapOutput> | null = null;
  #isDone = false;

  constructor(options: BlockChunksOptions) {
    this.#options = options;
    this.count = options.blocks.count;
  }

  open(index: number): BodyLookup {
    const { blocks } = this.#options;
    const block = blocks.at(index);
    if (index === this.count - 1) this.#done();
    try {
      const body = blocks.kind === "rdd" ? this.#openRdd(block) : this.#openShuffle(block);
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
    this.#done();
  }

  #noteFailure({ end, id, start }: OpenedBlock, error: unknown): void {
    const { appId, blocks, execId, troubles, metrics } = this.#options;
    const { kind, shuffleId } = blocks;
    metrics.failedChunks += 1;
    const partitions = kind === "shuffleBatch" ? `${start}_${end}` : String(start);
    const name = kind === "rdd" ? `rdd_${id}_${start}` : `shuffle_${shuffleId}_${id}_${partitions}`;
    troubles.failed(appId, execId, name, error);
  }

  #openRdd(block: OpenedBlock): Promise<ManagedBuffer | null> {
    const { appId, execId, resolver } = this.#options;
    return resolver.openRddBlock(appId, execId, Number(block.id), block.start);
  }

  #openShuffle(block: OpenedBlock): ManagedBuffer | Promise<ManagedBuffer> {
    const output = this.#outputOf(block);
    if (!(output instanceof Promise)) return this.#segmentOf(output, block);
    return output.then((found) => this.#segmentOf(found, block));
  }

  #segmentOf(output: MapOutput, block: OpenedBlock): ManagedBuffer | Promise<ManagedBuffer> {
    const { resolver } = this.#options;
    const segment = output.segment(block.start, block.end);
    if (!(segment instanceof Promise)) {
      return resolver.segmentBody(output, segment.offset, segment.length);
    }
    return segment.then(({ offset, length }) => resolver.segmentBody(output, offset, length));
  }

  #outputOf(block: OpenedBlock): MapOutput | Promise<MapOutput> {
    if (block.group === this.#group && this.#output !== null) return this.#output;
    const { appId, blocks, execId, resolver } = this.#options;
    this.#group = block.group;
    const found = resolver.findMapOutputNow(appId, execId, blocks.shuffleId, block.id);
    if (found !== null) {
      this.#output = found;
      return found;
    }
    const lookup = resolver.findMapOutput(appId, execId, blocks.shuffleId, block.id);
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
    this.#options.metrics.countChunk(block.end - block.start, body?.size ?? 0);
    return body;
  }

  #done(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#options.onDone();
  }
}
