/**
 * Receives one pushed block. While another block is written to the same partition the bytes wait in
 * memory; a block that is complete before its turn came is a collision, which costs the pusher nothing
 * but this block's place in the merged file.
 */
import type { StreamCallbackWithId } from "@bm/transport";
import type { BlockPushReturnCodeName } from "../../protocol/block-transfer-message.ts";
import { encodeBlockTransferMessage } from "../../protocol/encode-message.ts";
import type { ShuffleServiceMetrics } from "../metrics/shuffle-service-metrics.ts";
import type { MergedPartition } from "./merged-partition.ts";

/** Holds the flow of a connection back; calls come in pairs. */
export interface Flow {
  pauseReading(): void;
  resumeReading(): void;
}

/** Memory of blocks that wait, of the whole service. */
export interface WaitingBytes {
  tryTake(bytes: number): boolean;
  giveBack(bytes: number): void;
}

/** Options of {@link PushedBlock}. */
export interface PushedBlockOptions {
  /** `shufflePush_…`. */
  readonly id: string;
  readonly mapIndex: number;
  readonly partition: MergedPartition;
  /** What is wrong with the block now, because its shuffle moved on; null while all is well. */
  readonly verdict: () => BlockPushReturnCodeName | null;
  readonly metrics: ShuffleServiceMetrics;
  readonly waiting: WaitingBytes;
  readonly flow: Flow;
}

/** Bytes on their way to the disk above which a connection has to wait. */
const WRITING_BYTES_MAX = 4 * 1024 * 1024;

/** See the file comment. */
export class PushedBlock implements StreamCallbackWithId {
  readonly id: string;
  readonly #options: PushedBlockOptions;
  #deferred: Buffer[] = [];
  #deferredBytes = 0;
  #writtenBytes = 0;
  #writingBytes = 0;
  #isPaused = false;
  /** The bytes are not wanted, and `#code` says why; SUCCESS for a block that is there already. */
  #isIgnored = false;
  #code: BlockPushReturnCodeName = "SUCCESS";
  #failure: Error | null = null;

  constructor(options: PushedBlockOptions) {
    this.#options = options;
    this.id = options.id;
  }

  onData(_streamId: string, bytes: Uint8Array): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#mustIgnore()) {
      this.#ignore(bytes.length);
      return;
    }
    const { partition } = this.#options;
    const copy = Buffer.from(bytes);
    if (partition.owner === null || partition.owner === this) this.#write(copy);
    else this.#defer(copy);
  }

  async onComplete(): Promise<void> {
    const { mapIndex, metrics, partition } = this.#options;
    while (partition.owner instanceof PushedBlock && partition.owner.#isCommitting) {
      await partition.settled();
    }
    if (this.#mustIgnore()) {
      this.#giveUp();
      return;
    }
    if (partition.owner !== null && partition.owner !== this) {
      this.#code = "BLOCK_APPEND_COLLISION_DETECTED";
      metrics.blockAppendCollisions.mark();
      this.#giveUp();
      return;
    }
    partition.owner = this;
    this.#isCommitting = true;
    try {
      this.#writeDeferred();
      await partition.settled();
      if (this.#failure !== null) throw this.#failure;
      await this.#commit(mapIndex);
    } finally {
      this.#giveUp();
    }
  }

  onFailure(): void {
    this.#giveUp();
  }

  completionResponse(): Uint8Array {
    const failureBlockId = this.#code === "SUCCESS" ? "" : this.id;
    const returnCode = this.#code;
    return encodeBlockTransferMessage({ type: "BlockPushReturnCode", returnCode, failureBlockId });
  }

  #isCommitting = false;

  /** A finalisation that came while the last bytes were written has cut them off. */
  async #commit(mapIndex: number): Promise<void> {
    const { metrics, partition, verdict } = this.#options;
    const code = verdict();
    if (code !== null) {
      this.#refuse(code);
      return;
    }
    await partition.commit(mapIndex, this.#writtenBytes);
    metrics.blockBytesWritten.mark(this.#writtenBytes);
  }

  #mustIgnore(): boolean {
    if (this.#isIgnored) return true;
    const { mapIndex, partition, verdict } = this.#options;
    const code = verdict();
    if (code !== null) this.#refuse(code);
    else if (this.#isDuplicate(partition, mapIndex)) this.#isIgnored = true;
    return this.#isIgnored;
  }

  #isDuplicate(partition: MergedPartition, mapIndex: number): boolean {
    if (partition.maps.has(mapIndex)) return true;
    const { owner } = partition;
    return owner instanceof PushedBlock && owner !== this && owner.#options.mapIndex === mapIndex;
  }

  #refuse(code: BlockPushReturnCodeName): void {
    const { metrics } = this.#options;
    this.#code = code;
    this.#isIgnored = true;
    metrics.lateBlockPushes.mark();
    if (code === "STALE_BLOCK_PUSH") metrics.staleBlockPushes.mark();
  }

  #ignore(bytes: number): void {
    this.#options.metrics.ignoredBlockBytes.mark(bytes);
    this.#dropDeferred();
  }

  #defer(bytes: Buffer): void {
    const { metrics, waiting } = this.#options;
    if (!waiting.tryTake(bytes.length)) {
      this.#code = "BLOCK_APPEND_COLLISION_DETECTED";
      metrics.blockAppendCollisions.mark();
      this.#isIgnored = true;
      this.#ignore(bytes.length);
      return;
    }
    if (this.#deferred.length === 0) metrics.deferredBlocks.mark();
    this.#deferred.push(bytes);
    this.#deferredBytes += bytes.length;
    metrics.deferredBlockBytes += bytes.length;
  }

  #write(bytes: Buffer): void {
    this.#options.partition.owner = this;
    this.#writeDeferred();
    this.#writeNow(bytes);
  }

  #writeDeferred(): void {
    const parts = this.#deferred;
    this.#dropDeferred();
    for (const part of parts) this.#writeNow(part);
  }

  #writeNow(bytes: Buffer): void {
    const { partition } = this.#options;
    const position = partition.dataBytes + this.#writtenBytes;
    this.#writtenBytes += bytes.length;
    this.#writingBytes += bytes.length;
    this.#updateFlow();
    partition
      .write(bytes, position)
      .catch((error: unknown) => {
        this.#failure ??= error as Error;
      })
      .finally(() => {
        this.#writingBytes -= bytes.length;
        this.#updateFlow();
      });
  }

  #updateFlow(): void {
    const mustPause = this.#writingBytes > WRITING_BYTES_MAX;
    if (mustPause === this.#isPaused) return;
    this.#isPaused = mustPause;
    const { flow } = this.#options;
    if (mustPause) flow.pauseReading();
    else flow.resumeReading();
  }

  #dropDeferred(): void {
    const { metrics, waiting } = this.#options;
    waiting.giveBack(this.#deferredBytes);
    metrics.deferredBlockBytes -= this.#deferredBytes;
    this.#deferred = [];
    this.#deferredBytes = 0;
  }

  /** The place is free for others; what was written of a block that is not committed is written over. */
  #giveUp(): void {
    const { partition } = this.#options;
    this.#isCommitting = false;
    this.#dropDeferred();
    if (partition.owner === this) partition.owner = null;
  }
}
