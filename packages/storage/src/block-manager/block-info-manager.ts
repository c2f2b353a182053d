/**
 * What blocks there are, and who may touch them: any number of readers, or one writer, per block.
 * Whoever comes too early waits, in order of arrival.
 */
import type { BlockId, StorageLevel } from "@bm/block";

/** What is known of a block besides its bytes. */
export interface BlockInfo {
  readonly id: BlockId;
  /** The level that was asked for. */
  readonly level: StorageLevel;
  /** The master is told of changes. */
  readonly tellsMaster: boolean;
  readonly size: number;
}

/** Gives a lock back. Safe to call twice. */
export type Unlock = () => void;

interface Lock {
  readers: number;
  isWriting: boolean;
  readonly waiting: { readonly isWriter: boolean; readonly begin: () => void }[];
}

/** See the file comment. */
export class BlockInfoManager {
  readonly #infos = new Map<string, BlockInfo>();
  readonly #locks = new Map<string, Lock>();

  /** Blocks that are known. */
  get infos(): readonly BlockInfo[] {
    return [...this.#infos.values()];
  }

  /** Null when the block is not known. Ask while holding a lock. */
  get(id: BlockId): BlockInfo | null {
    return this.#infos.get(id.name) ?? null;
  }

  /** For the holder of the writer's lock. */
  set(info: BlockInfo): void {
    this.#infos.set(info.id.name, info);
  }

  /** For the holder of the writer's lock. */
  delete(id: BlockId): void {
    this.#infos.delete(id.name);
  }

  clear(): void {
    this.#infos.clear();
  }

  /** Somebody reads or writes the block, or waits to. */
  isLocked(id: BlockId): boolean {
    return this.#locks.has(id.name);
  }

  /** Waits until nobody writes the block. */
  lockForReading(id: BlockId): Promise<Unlock> {
    return this.#lock(id.name, false);
  }

  /** Waits until nobody reads or writes the block. */
  lockForWriting(id: BlockId): Promise<Unlock> {
    return this.#lock(id.name, true);
  }

  /** The writer's lock if it is to be had at once, else null. */
  tryLockForWriting(id: BlockId): Unlock | null {
    if (this.#locks.has(id.name)) return null;
    return this.#begin(id.name, this.#lockOf(id.name), true);
  }

  async #lock(name: string, isWriter: boolean): Promise<Unlock> {
    const lock = this.#lockOf(name);
    if (lock.waiting.length > 0 || !mayBegin(lock, isWriter)) {
      // What lets it begin also takes the lock for it, so that nobody comes in between.
      await new Promise<void>((begin) => void lock.waiting.push({ isWriter, begin }));
      return this.#unlockOnce(name, lock, isWriter);
    }
    return this.#begin(name, lock, isWriter);
  }

  #begin(name: string, lock: Lock, isWriter: boolean): Unlock {
    take(lock, isWriter);
    return this.#unlockOnce(name, lock, isWriter);
  }

  #unlockOnce(name: string, lock: Lock, isWriter: boolean): Unlock {
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      if (isWriter) lock.isWriting = false;
      else lock.readers -= 1;
      this.#wakeNext(name, lock);
    };
  }

  #wakeNext(name: string, lock: Lock): void {
    for (
      let next = lock.waiting[0];
      next && mayBegin(lock, next.isWriter);
      next = lock.waiting[0]
    ) {
      lock.waiting.shift();
      take(lock, next.isWriter);
      next.begin();
    }
    if (lock.readers === 0 && !lock.isWriting && lock.waiting.length === 0) {
      this.#locks.delete(name);
    }
  }

  #lockOf(name: string): Lock {
    const known = this.#locks.get(name);
    if (known !== undefined) return known;
    const lock: Lock = { readers: 0, isWriting: false, waiting: [] };
    this.#locks.set(name, lock);
    return lock;
  }
}

function mayBegin(lock: Lock, isWriter: boolean): boolean {
  return !lock.isWriting && (!isWriter || lock.readers === 0);
}

function take(lock: Lock, isWriter: boolean): void {
  if (isWriter) lock.isWriting = true;
  else lock.readers += 1;
}
