/**
 * The blocks of this process: which store each one is in, under which lock. Shuffle blocks are not
 * here; they are files that the shuffle resolver knows.
 */
import { type BlockId, type BlockStatus, EMPTY_BLOCK_STATUS, StorageLevel } from "@bm/block";
import { BytesManagedBuffer, ManagedBuffer } from "@bm/transport";
import type { DiskStore } from "../disk/disk-store.ts";
import { MemoryStore } from "../memory/memory-store.ts";
import { StorageError } from "../storage-error.ts";
import { BlockInfoManager, type Unlock } from "./block-info-manager.ts";

/** What is told of a block whose place changed. */
export type BlockReport = (id: BlockId, status: BlockStatus) => Promise<void>;

/** What {@link LocalBlocks} takes. */
export interface LocalBlocksOptions {
  readonly diskStore: DiskStore;
  readonly memoryBytesMax: number;
  /** Called after a change, while no lock is held. */
  readonly report: BlockReport;
}

/** See the file comment. */
export class LocalBlocks {
  readonly infos: BlockInfoManager = new BlockInfoManager();
  readonly memoryStore: MemoryStore;
  readonly diskStore: DiskStore;
  readonly #report: BlockReport;

  constructor(options: LocalBlocksOptions) {
    this.diskStore = options.diskStore;
    this.#report = options.report;
    this.memoryStore = new MemoryStore({
      bytesMax: options.memoryBytesMax,
      onEvict: (id, bytes) => this.#dropFromMemory(id, bytes),
      isEvictable: (id) => !this.infos.isLocked(id),
    });
  }

  /**
   * Stores a block and takes over `data`. A block that is there already is left as it is. False when
   * there is no room for it.
   */
  async put(
    id: BlockId,
    data: ManagedBuffer,
    level: StorageLevel,
    tellsMaster: boolean,
  ): Promise<boolean> {
    const unlock = await this.infos.lockForWriting(id);
    let isStored = false;
    try {
      if (this.infos.get(id) !== null) return true;
      isStored = await this.#store(id, data, level);
      if (isStored) this.infos.set({ id, level, tellsMaster, size: data.size });
    } finally {
      data.release();
      unlock();
    }
    if (isStored && tellsMaster) await this.#report(id, await this.status(id));
    return isStored;
  }

  /** The bytes of a block; it stays locked for readers until the buffer is released. */
  async get(id: BlockId): Promise<ManagedBuffer | null> {
    const unlock = await this.infos.lockForReading(id);
    try {
      const buffer = this.infos.get(id) === null ? null : await this.#read(id);
      if (buffer !== null) return new LockedBuffer(buffer, unlock);
    } catch (error) {
      unlock();
      throw error;
    }
    unlock();
    return null;
  }

  /** What there is of a block now. */
  async status(id: BlockId): Promise<BlockStatus> {
    const info = this.infos.get(id);
    if (info === null) return EMPTY_BLOCK_STATUS;
    const memSize = this.memoryStore.sizeOf(id);
    const isInMemory = this.memoryStore.contains(id);
    const isOnDisk = info.level.useDisk && (await this.diskStore.contains(id));
    const { useOffHeap, replication } = info.level;
    const storageLevel =
      isInMemory || isOnDisk
        ? StorageLevel.of({
            useDisk: isOnDisk,
            useMemory: isInMemory,
            useOffHeap,
            deserialized: isInMemory && info.level.deserialized,
            replication,
          })
        : StorageLevel.NONE;
    return { storageLevel, memSize, diskSize: isOnDisk ? this.diskStore.sizeOf(id) : 0 };
  }

  /** Drops a block from every store; true when it was here. Waits for its readers. */
  async remove(id: BlockId, tellMaster: boolean): Promise<boolean> {
    const unlock = await this.infos.lockForWriting(id);
    const info = this.infos.get(id);
    try {
      if (info === null) return false;
      this.memoryStore.remove(id);
      await this.diskStore.remove(id);
      this.infos.delete(id);
    } finally {
      unlock();
    }
    if (tellMaster && info.tellsMaster) await this.#report(id, EMPTY_BLOCK_STATUS);
    return true;
  }

  async #store(id: BlockId, data: ManagedBuffer, level: StorageLevel): Promise<boolean> {
    // A block larger than all of the memory is not read into it.
    const fits = level.useMemory && data.size <= this.memoryStore.bytesMax;
    if (!fits) return level.useDisk && (await this.#storeOnDisk(id, data));
    const bytes = ownBytes(await data.bytes());
    if (await this.memoryStore.put(id, bytes)) return true;
    return level.useDisk && (await this.#storeOnDisk(id, new BytesManagedBuffer(bytes)));
  }

  async #storeOnDisk(id: BlockId, data: ManagedBuffer): Promise<boolean> {
    await this.diskStore.put(id, data);
    return true;
  }

  async #read(id: BlockId): Promise<ManagedBuffer | null> {
    const bytes = this.memoryStore.get(id);
    return bytes === null ? this.diskStore.get(id) : new BytesManagedBuffer(bytes);
  }

  async #dropFromMemory(id: BlockId, bytes: Uint8Array): Promise<() => void> {
    const unlock = this.infos.tryLockForWriting(id);
    if (unlock === null) throw new StorageError("BLOCK_BUSY", `${id.name} came into use`);
    try {
      const info = this.infos.get(id);
      if (info === null) return () => {};
      if (info.level.useDisk && !(await this.diskStore.contains(id))) {
        await this.diskStore.put(id, new BytesManagedBuffer(bytes));
      }
      if (!info.level.useDisk) this.infos.delete(id);
      return () => {
        if (info.tellsMaster) void this.#reportStatus(id);
      };
    } finally {
      unlock();
    }
  }

  async #reportStatus(id: BlockId): Promise<void> {
    await this.#report(id, await this.status(id));
  }
}

/** A slice of a larger buffer would keep all of it in memory, beyond what is counted. */
function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.length === bytes.buffer.byteLength ? bytes : Uint8Array.from(bytes);
}

/** Gives the lock of its block back with its last use. */
class LockedBuffer extends ManagedBuffer {
  readonly #buffer: ManagedBuffer;
  readonly #unlock: Unlock;

  constructor(buffer: ManagedBuffer, unlock: Unlock) {
    super();
    this.#buffer = buffer;
    this.#unlock = unlock;
  }

  get size(): number {
    return this.#buffer.size;
  }

  open(): ReturnType<ManagedBuffer["open"]> {
    return this.#buffer.open();
  }

  override release(): void {
    this.#buffer.release();
    this.#unlock();
  }
}
