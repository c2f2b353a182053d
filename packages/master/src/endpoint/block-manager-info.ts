import type { BlockId, BlockManagerId, BlockStatus, StorageLevel } from "@bm/block";
import type { RpcEndpointRef } from "@bm/rpc";
import type { BlockWithStatus } from "../protocol/status-messages.ts";

/** What {@link BlockManagerInfo} starts with. */
export interface BlockManagerInfoOptions {
  readonly id: BlockManagerId;
  readonly nowMs: number;
  /** It was known to the driver before this one and has not been heard of since. Default: false. */
  readonly isRestored?: boolean | undefined;
}

/** What a block manager says of itself. */
export interface BlockManagerTerms {
  readonly maxOnHeapMem: number;
  readonly maxOffHeapMem: number;
  /** Where it takes orders. */
  readonly slave: RpcEndpointRef;
}

/** What a block manager says it has of a block. */
export interface ReportedBlock {
  readonly blockId: BlockId;
  readonly storageLevel: StorageLevel;
  readonly memSize: number;
  readonly diskSize: number;
}

/**
 * What the master knows of one block manager.
 *
 * A block that is in memory and on disk counts with both sizes, and all its memory comes back when
 * it goes. (Spark's master records only the size on disk of such a block and never gives its memory
 * back, so that its figure of free memory drifts.)
 */
export class BlockManagerInfo {
  readonly id: BlockManagerId;
  /** When it was heard of last, on the monotonic clock. */
  lastSeenMs: number;
  readonly #blocks = new Map<string, BlockWithStatus>();
  #terms: BlockManagerTerms;
  #usedMem = 0;
  #isRestored: boolean;
  /** Names of blocks that it has not reported since it registered again. */
  #unconfirmed: Set<string> | null = null;

  constructor(options: BlockManagerInfoOptions, terms: BlockManagerTerms) {
    this.id = options.id;
    this.lastSeenMs = options.nowMs;
    this.#isRestored = options.isRestored ?? false;
    this.#terms = terms;
  }

  get maxOnHeapMem(): number {
    return this.#terms.maxOnHeapMem;
  }

  get maxOffHeapMem(): number {
    return this.#terms.maxOffHeapMem;
  }

  /** Where the block manager takes orders. */
  get slave(): RpcEndpointRef {
    return this.#terms.slave;
  }

  /** It was known to the driver before this one, and has to register again. */
  get isRestored(): boolean {
    return this.#isRestored;
  }

  /** It has registered again. What it had counts until {@link endReport}. */
  reattach(terms: BlockManagerTerms): void {
    this.#terms = terms;
    this.#isRestored = false;
    this.#unconfirmed = new Set(this.#blocks.keys());
  }

  /** Every block was reported. Gives those that were not, and so are gone. */
  endReport(): BlockId[] {
    const names = this.#unconfirmed ?? [];
    this.#unconfirmed = null;
    return [...names].flatMap((name) => this.#blocks.get(name)?.blockId ?? []);
  }

  /** Bytes it can store on heap and off heap together. */
  get maxMem(): number {
    return this.maxOnHeapMem + this.maxOffHeapMem;
  }

  /** What its blocks leave of that; negative when it reports more than it has. */
  get remainingMem(): number {
    return this.maxMem - this.#usedMem;
  }

  /** Its blocks, in the order of their first report. */
  blocks(): BlockWithStatus[] {
    return [...this.#blocks.values()];
  }

  /** What it has of a block; null when nothing. */
  statusOf(id: BlockId): BlockStatus | null {
    return this.#blocks.get(id.name)?.status ?? null;
  }

  /** Takes note of a report. An invalid level means that the block is gone. */
  update(report: ReportedBlock): void {
    const { blockId, storageLevel } = report;
    this.#unconfirmed?.delete(blockId.name);
    if (!storageLevel.isValid) {
      this.remove(blockId);
      return;
    }
    const memSize = storageLevel.useMemory ? report.memSize : 0;
    const diskSize = storageLevel.useDisk ? report.diskSize : 0;
    this.#usedMem += memSize - (this.statusOf(blockId)?.memSize ?? 0);
    this.#blocks.set(blockId.name, { blockId, status: { storageLevel, memSize, diskSize } });
  }

  /** Forgets a block, which may be unknown. */
  remove(id: BlockId): void {
    this.#usedMem -= this.statusOf(id)?.memSize ?? 0;
    this.#blocks.delete(id.name);
  }
}
