import type { BlockId, BlockManagerId, BlockStatus, StorageLevel } from "@bm/block";
import type { RpcEndpointRef } from "@bm/rpc";
import type { BlockLocations } from "../locations/block-locations.ts";
import type { BlockWithStatus } from "../protocol/status-messages.ts";

/** What {@link BlockManagerInfo} starts with. */
export interface BlockManagerInfoOptions {
  readonly id: BlockManagerId;
  readonly nowMs: number;
  /** Where its blocks are kept; it becomes a block manager there. */
  readonly locations: BlockLocations;
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
  readonly #locations: BlockLocations;
  readonly #number: number;
  #terms: BlockManagerTerms;
  #isRestored: boolean;
  /** Rows of blocks that it has not reported since it registered again. */
  #unconfirmed: Set<number> | null = null;

  constructor(options: BlockManagerInfoOptions, terms: BlockManagerTerms) {
    this.id = options.id;
    this.lastSeenMs = options.nowMs;
    this.#locations = options.locations;
    this.#number = options.locations.addManager(options.id);
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

  /** Bytes it can store on heap and off heap together. */
  get maxMem(): number {
    return this.maxOnHeapMem + this.maxOffHeapMem;
  }

  /** What its blocks leave of that; negative when it reports more than it has. */
  get remainingMem(): number {
    return this.maxMem - this.#locations.usedMem(this.#number);
  }

  /** Bytes that its blocks take on disk. */
  get usedDisk(): number {
    return this.#locations.usedDisk(this.#number);
  }

  /** Number of its blocks. */
  get blockCount(): number {
    return this.#locations.blocksAt(this.#number);
  }

  /** It has registered again. What it had counts until {@link endReport}. */
  reattach(terms: BlockManagerTerms): void {
    this.#terms = terms;
    this.#isRestored = false;
    this.#unconfirmed = new Set(this.#locations.rowsOf(this.#number));
  }

  /** Every block was reported. Gives those that were not, and so are gone. */
  endReport(): BlockId[] {
    const rows = this.#unconfirmed ?? [];
    this.#unconfirmed = null;
    return [...rows].map((row) => this.#locations.blockAt(row));
  }

  /** Its blocks, in the order of their first report. */
  blocks(): BlockWithStatus[] {
    return this.#locations.blocksOf(this.#number);
  }

  /** What it has of a block; null when nothing. */
  statusOf(id: BlockId): BlockStatus | null {
    return this.#locations.statusOf(this.#number, id);
  }

  /** Takes note of a report. An invalid level means that the block is gone. */
  update({ blockId, storageLevel, ...sizes }: ReportedBlock): void {
    if (!storageLevel.isValid) {
      this.remove(blockId);
      return;
    }
    const memSize = storageLevel.useMemory ? sizes.memSize : 0;
    const diskSize = storageLevel.useDisk ? sizes.diskSize : 0;
    this.#locations.set(this.#number, blockId, { storageLevel, memSize, diskSize });
    this.#confirm(blockId);
  }

  /** Forgets a block, which may be unknown. */
  remove(id: BlockId): void {
    this.#confirm(id);
    this.#locations.delete(this.#number, id);
  }

  /** Ends it, when its blocks were removed. */
  forget(): void {
    this.#locations.removeManager(this.#number);
  }

  #confirm(id: BlockId): void {
    if (this.#unconfirmed !== null) {
      this.#unconfirmed.delete(this.#locations.rowOf(this.#number, id));
    }
  }
}
