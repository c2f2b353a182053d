/**
 * The blocks of this process: which store each one is in, under which lock. Shuffle blocks are not
 * here; they are files that the shuffle resolver knows.
 */
import { type BlockId, type BlockStatus, EMPTY_BLOCK_STATUS, StorageLevel } from "@bm/block";
import { BytesManagedBuffer, type Logger, ManagedBuffer } from "@bm/transport";
import type { DiskStore } from "../disk/disk-store.ts";
import { MemoryStore } from "../memory/memory-store.ts";
import { StorageError } from "../storage-error.ts";
import { type BlockInfo, BlockInfoManager, type Unlock } from "./block-info-manager.ts";

/** What is told of a block whose place changed. */
export type BlockReport = (id: BlockId, status: BlockStatus) => Promise<void>;

/** What {@link LocalBlocks} takes. */
export interface LocalBlocksOptions {
  readonly diskStore: DiskStore;
  readonly memoryBytesMax: number;
  /** Called after a change, while no lock is held. */
  readonly report: BlockReport;
  readonly logger: Logger;
}

/** See the file comment. */
export class LocalBlocks {
  readonly infos: BlockInfoManager = new BlockInfoManager();
  readonly memoryStore: MemoryStore;
  readonly diskStore: DiskStore;
  readonly #report: BlockReport;
  readonly #logger: Logger;
  /** Changes under way. */
  readonly #changes = new Set<Promise<unknown>>();
  #bytesRead = 0;

  constructor(options: LocalBlocksOptions) {
    this.diskStore = options.diskStore;
    this.#report = options.report;
    this.#logger = options.logger;
    this.memoryStore = new MemoryStore({
      bytesMax: options.memoryBytesMax,
      onEvict: (id, bytes) => this.#dropFromMemory(id, bytes),
      isEvictable: (id) => !this.infos.isLocked(id),
    });
  }

  /** Bytes of blocks that were given to readers, here and elsewhere. */
  get bytesRead(): number {
    return this.#bytesRead;
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
    const outcome = await this.#change(async () => {
      try {
        // Asked without a lock: who reads a block may put it without waiting for himself.
        if (this.infos.get(id) !== null) return "present";
        return await this.#putNew(id, data, level, tellsMaster);
      } finally {
        data.release();
      }
    });
    if (outcome === "new" && tellsMaster) await this.#reportStatus(id);
    return outcome !== "refused";
  }

  /** The bytes of a block; it stays locked for readers until the buffer is released. */
  async get(id: BlockId): Promise<ManagedBuffer | null> {
    const unlock = await this.infos.lockForReading(id);
    const info = this.infos.get(id);
    let buffer: ManagedBuffer | null = null;
    try {
      buffer = info === null ? null : await this.#read(id);
    } finally {
      if (buffer === null) unlock();
    }
    if (buffer !== null) {
      this.#bytesRead += buffer.size;
      return new LockedBuffer(buffer, unlock);
    }
    if (info !== null) await this.#forgetLost(info);
    return null;
  }

  /**
   * Lets no change begin and waits for those under way; then the memory is empty. Buffers that were
   * given out stay readable as long as their files do.
   */
  async close(): Promise<void> {
    this.infos.close();
    await Promise.allSettled(this.#changes);
    this.memoryStore.clear();
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
  remove(id: BlockId, tellMaster: boolean): Promise<boolean> {
    return this.#removeIf(id, tellMaster, () => true);
  }

  async #putNew(
    id: BlockId,
    data: ManagedBuffer,
    level: StorageLevel,
    tellsMaster: boolean,
  ): Promise<"new" | "present" | "refused"> {
    // Judged now, or a block in memory could not be evicted later.
    if (level.useDisk) this.diskStore.pathOf(id);
    const unlock = await this.infos.lockForWriting(id);
    try {
      if (this.infos.get(id) !== null) return "present";
      if (!(await this.#store(id, data, level))) return "refused";
      this.infos.set({ id, level, tellsMaster, size: data.size });
      return "new";
    } finally {
      unlock();
    }
  }

  async #removeIf(
    id: BlockId,
    tellMaster: boolean,
    isMeant: (info: BlockInfo) => boolean,
  ): Promise<boolean> {
    const removed = await this.#change(async () => {
      const unlock = await this.infos.lockForWriting(id);
      try {
        const info = this.infos.get(id);
        if (info === null || !isMeant(info)) return null;
        this.memoryStore.remove(id);
        if (info.level.useDisk) await this.diskStore.remove(id);
        this.infos.delete(id);
        return info;
      } finally {
        unlock();
      }
    });
    if (tellMaster && removed?.tellsMaster) await this.#report(id, EMPTY_BLOCK_STATUS);
    return removed !== null;
  }

  /** Of a block whose file is gone or damaged nothing is left to keep. */
  async #forgetLost(lost: BlockInfo): Promise<void> {
    this.#logger.error(`${lost.id.name} is lost: its file is missing or damaged`);
    await this.#removeIf(lost.id, true, (info) => info === lost);
  }

  /** Reports are no part of a change: the end must not wait for a driver that is gone. */
  async #change<Result>(work: () => Promise<Result>): Promise<Result> {
    const change = work();
    this.#changes.add(change);
    try {
      return await change;
    } finally {
      this.#changes.delete(change);
    }
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
    if (bytes !== null) return new BytesManagedBuffer(bytes);
    try {
      return await this.diskStore.get(id);
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== "BLOCK_DAMAGED") throw error;
      this.#logger.error(error.message);
      return null;
    }
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

  override get segment(): ManagedBuffer["segment"] {
    return this.#buffer.segment;
  }

  open(): ReturnType<ManagedBuffer["open"]> {
    return this.#buffer.open();
  }

  override release(): void {
    this.#buffer.release();
    this.#unlock();
  }
}
