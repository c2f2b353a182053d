/**
 * What blocks there are, and who may touch them: any number of readers, or one writer, per block.
 *
 * A reader waits for the writer alone, not for writers that wait: whoever reads a block may have to
 * read it once more before the first reading is over.
 */
import type { BlockId, StorageLevel } from "@bm/block";
import { StorageError } from "../storage-error.ts";

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

interface Waiting {
  readonly isWriter: boolean;
  readonly begin: () => void;
  readonly fail: (error: StorageError) => void;
}

interface Lock {
  readers: number;
  isWriting: boolean;
  waiting: Waiting[];
}

/** See the file comment. */
export class BlockInfoManager {
  readonly #infos = new Map<string, BlockInfo>();
  readonly #locks = new Map<string, Lock>();
  #isClosed = false;

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

  /** Whoever waits is told CLOSED, and whoever comes later; locks that are held stay. */
  close(): void {
    this.#isClosed = true;
    for (const lock of this.#locks.values()) {
      for (const { fail } of lock.waiting) fail(closed());
      lock.waiting = [];
    }
  }

  /** Somebody reads or writes the block, or waits to. */
  isLocked(id: BlockId): boolean {
    return this.#locks.has(id.name);
  }

  /** Waits until nobody writes the block. @throws StorageError CLOSED (rejects). */
  lockForReading(id: BlockId): Promise<Unlock> {
    return this.#lock(id.name, false);
  }

  /** Waits until nobody reads or writes the block. @throws StorageError CLOSED (rejects). */
  lockForWriting(id: BlockId): Promise<Unlock> {
    return this.#lock(id.name, true);
  }

  /** The writer's lock if it is to be had at once, else null. */
  tryLockForWriting(id: BlockId): Unlock | null {
    if (this.#locks.has(id.name)) return null;
    return this.#begin(id.name, this.#lockOf(id.name), true);
  }

  async #lock(name: string, isWriter: boolean): Promise<Unlock> {
    if (this.#isClosed) throw closed();
    const lock = this.#lockOf(name);
    if (mayBegin(lock, isWriter)) return this.#begin(name, lock, isWriter);
    // What lets it begin also takes the lock for it, so that nobody comes in between.
    await new Promise<void>((begin, fail) => void lock.waiting.push({ isWriter, begin, fail }));
    return this.#unlockOnce(name, lock, isWriter);
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
    const stillWaiting: Waiting[] = [];
    for (const waiting of lock.waiting) {
      if (mayBegin(lock, waiting.isWriter)) {
        take(lock, waiting.isWriter);
        waiting.begin();
      } else stillWaiting.push(waiting);
    }
    lock.waiting = stillWaiting;
    if (lock.readers === 0 && !lock.isWriting) this.#locks.delete(name);
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

function closed(): StorageError {
  return new StorageError("CLOSED", "the block manager is closed");
}
