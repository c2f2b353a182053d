/**
 * Partitions of RDDs that are made once and kept. With visibility tracking, what a task made is hidden
 * until the master knows that the task succeeded: a partition of a failed task is never read by another.
 */
import type { BlockId, RddBlockId, StorageLevel } from "@bm/block";
import type { BlockManagerMaster } from "@bm/master";
import { BytesManagedBuffer, type ManagedBuffer } from "@bm/transport";
import { StorageError } from "../storage-error.ts";

/** The part of a block manager that is used here. */
export interface RddBlocks {
  get(id: BlockId): Promise<ManagedBuffer | null>;
  put(id: BlockId, data: Uint8Array, level: StorageLevel): Promise<boolean>;
}

/** A partition that is wanted. */
export interface RddPartition {
  /** The task that makes it if it must be made. */
  readonly taskId: bigint;
  readonly id: RddBlockId;
  readonly level: StorageLevel;
  /** Makes its bytes. */
  readonly make: () => Promise<Uint8Array>;
}

/** See the file comment. */
export class RddCache {
  readonly #blocks: RddBlocks;
  readonly #master: BlockManagerMaster;
  readonly #tracksVisibility: boolean;
  /** Partitions of which the master said that they may be read. */
  readonly #visible = new Map<string, RddBlockId>();
  readonly #making = new Map<string, Promise<unknown>>();

  constructor(blocks: RddBlocks, master: BlockManagerMaster, tracksVisibility: boolean) {
    this.#blocks = blocks;
    this.#master = master;
    this.#tracksVisibility = tracksVisibility;
  }

  /**
   * The bytes of a partition: from where it is kept, or made now and kept if there is room. Whoever
   * gets them releases them. Two callers of one process make it once.
   */
  async getOrMake(partition: RddPartition): Promise<ManagedBuffer> {
    const { name } = partition.id;
    for (let other = this.#making.get(name); other !== undefined; other = this.#making.get(name)) {
      await other.catch(() => {});
    }
    const made = this.#getOrMake(partition);
    this.#making.set(name, made);
    try {
      return await made;
    } finally {
      this.#making.delete(name);
    }
  }

  /** The master said so. */
  markVisible(id: BlockId): void {
    if (id.kind === "rdd") this.#visible.set(id.name, id);
  }

  /** The blocks are gone; when they are made again they are hidden again. */
  forget(isMeant: (id: BlockId) => boolean): void {
    for (const id of this.#visible.values()) if (isMeant(id)) this.#visible.delete(id.name);
  }

  async #getOrMake({ taskId, id, level, make }: RddPartition): Promise<ManagedBuffer> {
    const isVisible = await this.#isVisible(id);
    const kept = isVisible ? await this.#blocks.get(id) : null;
    if (kept !== null) return kept;
    // One that is kept but hidden is made again all the same, and not read: its task may yet fail.
    const bytes = await make();
    const isKept = await this.#keep(id, bytes, level);
    if (!isVisible && isKept) await this.#master.updateRddBlockTaskInfo(id, taskId);
    return new BytesManagedBuffer(bytes);
  }

  async #keep(id: RddBlockId, bytes: Uint8Array, level: StorageLevel): Promise<boolean> {
    try {
      return await this.#blocks.put(id, bytes, level);
    } catch (error) {
      // Who is about to go still computes.
      if (error instanceof StorageError && error.code === "DECOMMISSIONED") return false;
      throw error;
    }
  }

  async #isVisible(id: RddBlockId): Promise<boolean> {
    if (!this.#tracksVisibility || this.#visible.has(id.name)) return true;
    if (!(await this.#master.isRddBlockVisible(id))) return false;
    this.#visible.set(id.name, id);
    return true;
  }
}
