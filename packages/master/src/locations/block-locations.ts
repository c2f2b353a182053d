/**
 * Who has which block, and how: three tables of numbers. A block manager and a block are a row each,
 * and so is every block that a block manager has: about 60 bytes where the block is a cached partition
 * that nobody else has. A driver of millions of blocks has no object for any of them.
 */
import {
  type BlockId,
  type BlockManagerId,
  type BlockStatus,
  type RddBlockId,
  rddBlockId,
  StorageLevel,
} from "@bm/block";
import type { BlockWithStatus } from "../protocol/status-messages.ts";
import { BlockNames, NAMED } from "./block-names.ts";
import { type BlockTotals, GroupTotals } from "./block-totals.ts";
import { PairTable } from "./pair-table.ts";
import { RowChains } from "./row-chains.ts";

const NONE = -1;
/** A level as one number: flags in four bits, replication above them. */
const FLAG_BITS = 4;
const FLAGS_MASK = 15;
const REPLICATION_SHIFT = 128;

/** See the file comment. */
export class BlockLocations {
  readonly #names = new BlockNames();
  /** Number of the registration. */
  readonly #managers = new PairTable();
  readonly #ids: BlockManagerId[] = [];
  readonly #blocksAt = this.#managers.int32Column();
  readonly #usedMem = this.#managers.float64Column();
  readonly #usedDisk = this.#managers.float64Column();
  /** Group and index of a block. */
  readonly #blocks = new PairTable();
  /** Row of the block and row of the manager. */
  readonly #locations = new PairTable();
  readonly #level = this.#locations.uint16Column();
  readonly #memSize = this.#locations.float64Column();
  readonly #diskSize = this.#locations.float64Column();
  readonly #ofManager = chains(this.#managers, this.#locations);
  readonly #ofBlock = chains(this.#blocks, this.#locations);
  readonly #totals = new GroupTotals();
  #registrations = 0;

  /** What there is of each RDD, of which somebody has a partition. */
  rddTotals(): (BlockTotals & { readonly rddId: number })[] {
    return this.#totals.entries().flatMap(([rddId, totals]) => {
      return rddId === NAMED ? [] : [{ rddId, ...totals }];
    });
  }

  /** What there is of all other blocks. */
  otherTotals(): BlockTotals {
    return this.#totals.of(NAMED);
  }

  /** A block manager without blocks. Gives the number to call it by until it is removed. */
  addManager(id: BlockManagerId): number {
    this.#registrations = (this.#registrations + 1) | 0;
    const manager = this.#managers.add(this.#registrations, 0);
    this.#ids[manager] = id;
    return manager;
  }

  /** Forgets a block manager, which has no blocks any more. */
  removeManager(manager: number): void {
    this.#managers.remove(manager);
  }

  /** The holders of a block, in the order of their first report. */
  of(id: BlockId): BlockManagerId[] {
    return this.holders(id).map((manager) => this.#ids[manager] as BlockManagerId);
  }

  /** As above, by their numbers. */
  holders(id: BlockId): number[] {
    const block = this.#blockRow(id);
    if (block === NONE) return [];
    return this.#ofBlock.rows(block).map((row) => this.#locations.b(row));
  }

  /** Whether anybody has a block. */
  has(id: BlockId): boolean {
    return this.#blockRow(id) !== NONE;
  }

  /** The partitions of an RDD that somebody has. */
  blocksOfRdd(rddId: number): RddBlockId[] {
    return this.#blocks.rowsWith(rddId).map((block) => rddBlockId(rddId, this.#blocks.b(block)));
  }

  /** What a block manager has, in the order of its first reports. */
  blocksOf(manager: number): BlockWithStatus[] {
    return this.#ofManager.rows(manager).map((row) => {
      return { blockId: this.#idOf(this.#locations.a(row)), status: this.#statusAt(row) };
    });
  }

  /** Number of a block at a block manager, good until it is removed there; -1 when it is not there. */
  rowOf(manager: number, id: BlockId): number {
    const block = this.#blockRow(id);
    return block === NONE ? NONE : this.#locations.find(block, manager);
  }

  /** As above, of everything that a block manager has. */
  rowsOf(manager: number): number[] {
    return this.#ofManager.rows(manager);
  }

  /** The block that a number stands for. */
  blockAt(row: number): BlockId {
    return this.#idOf(this.#locations.a(row));
  }

  /** What a block manager has of a block; null when nothing. */
  statusOf(manager: number, id: BlockId): BlockStatus | null {
    const row = this.rowOf(manager, id);
    return row === NONE ? null : this.#statusAt(row);
  }

  /** Bytes of memory that the blocks of a block manager take. */
  usedMem(manager: number): number {
    return this.#usedMem.values[manager] as number;
  }

  /** As above, on disk. */
  usedDisk(manager: number): number {
    return this.#usedDisk.values[manager] as number;
  }

  /** Number of blocks that a block manager has. */
  blocksAt(manager: number): number {
    return this.#blocksAt.values[manager] as number;
  }

  /** Takes note of what a block manager has of a block. */
  set(manager: number, id: BlockId, { storageLevel, memSize, diskSize }: BlockStatus): void {
    const row = this.#takeRow(manager, id);
    this.#count(row, memSize - this.#memAt(row), diskSize - this.#diskAt(row));
    const replication = storageLevel.replication + REPLICATION_SHIFT;
    this.#level.values[row] = storageLevel.flags | (replication << FLAG_BITS);
    this.#memSize.values[row] = memSize;
    this.#diskSize.values[row] = diskSize;
  }

  /** Takes note that a block manager has nothing of a block. False when it had nothing before. */
  delete(manager: number, id: BlockId): boolean {
    const block = this.#blockRow(id);
    const row = block === NONE ? NONE : this.#locations.find(block, manager);
    if (row === NONE) return false;
    this.#count(row, -this.#memAt(row), -this.#diskAt(row));
    (this.#blocksAt.values[manager] as number) -= 1;
    this.#ofManager.remove(manager, row);
    this.#ofBlock.remove(block, row);
    this.#locations.remove(row);
    const isLast = this.#ofBlock.isEmpty(block);
    this.#totals.add(this.#blocks.a(block), isLast ? -1 : 0, -1);
    if (isLast) this.#forget(block);
    return true;
  }

  /** Bytes that are more or less at a row. */
  #count(row: number, memSize: number, diskSize: number): void {
    const manager = this.#locations.b(row);
    (this.#usedMem.values[manager] as number) += memSize;
    (this.#usedDisk.values[manager] as number) += diskSize;
    this.#totals.addBytes(this.#blocks.a(this.#locations.a(row)), memSize, diskSize);
  }

  #takeRow(manager: number, id: BlockId): number {
    const { group, index } = this.#names.take(id);
    const knownBlock = this.#blocks.find(group, index);
    const block = knownBlock === NONE ? this.#blocks.add(group, index) : knownBlock;
    const known = this.#locations.find(block, manager);
    if (known !== NONE) return known;
    const row = this.#locations.add(block, manager);
    this.#totals.add(group, knownBlock === NONE ? 1 : 0, 1);
    (this.#blocksAt.values[manager] as number) += 1;
    this.#ofManager.add(manager, row);
    this.#ofBlock.add(block, row);
    return row;
  }

  #forget(block: number): void {
    this.#names.release(this.#blocks.a(block), this.#blocks.b(block));
    this.#blocks.remove(block);
  }

  #blockRow(id: BlockId): number {
    const { group, index } = this.#names.find(id);
    return this.#blocks.find(group, index);
  }

  #idOf(block: number): BlockId {
    return this.#names.idOf(this.#blocks.a(block), this.#blocks.b(block));
  }

  #statusAt(row: number): BlockStatus {
    const level = this.#level.values[row] as number;
    return {
      storageLevel: StorageLevel.fromFlags(
        level & FLAGS_MASK,
        (level >> FLAG_BITS) - REPLICATION_SHIFT,
      ),
      memSize: this.#memAt(row),
      diskSize: this.#diskAt(row),
    };
  }

  #memAt(row: number): number {
    return this.#memSize.values[row] as number;
  }

  #diskAt(row: number): number {
    return this.#diskSize.values[row] as number;
  }
}

function chains(heads: PairTable, rows: PairTable): RowChains {
  return new RowChains({
    first: heads.int32Column(),
    last: heads.int32Column(),
    next: rows.int32Column(),
    previous: rows.int32Column(),
  });
}
