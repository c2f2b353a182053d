/**
 * Blocks in memory, up to a limit in bytes. Room for a new one is made by evicting those that were
 * not used for longest; the owner is asked to take each of them in (to disk, as a rule) first.
 */
import type { BlockId } from "@bm/block";

/** What the store tells its owner. */
export interface MemoryStoreOptions {
  /** Bytes of blocks that may be held. */
  readonly bytesMax: number;
  /**
   * Called before a block is evicted; it is still readable. A rejection keeps it, and the block that
   * needed the room is not stored. The result is called once the block has left the memory.
   */
  readonly onEvict: (id: BlockId, bytes: Uint8Array) => Promise<() => void>;
  /** False for blocks in use, which are not evicted. Default: every block may be. */
  readonly isEvictable?: (id: BlockId) => boolean;
}

interface Entry {
  readonly id: BlockId;
  readonly bytes: Uint8Array;
  lastUse: number;
}

/** See the file comment. */
export class MemoryStore {
  readonly #options: MemoryStoreOptions;
  readonly #entries = new Map<string, Entry>();
  #usedBytes = 0;
  #uses = 0;
  #evictionCount = 0;
  /** Making room is done by one at a time, or two would evict for the same bytes. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: MemoryStoreOptions) {
    this.#options = options;
  }

  get bytesMax(): number {
    return this.#options.bytesMax;
  }

  /** Bytes of the blocks held. Never above the limit. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Blocks evicted so far. */
  get evictionCount(): number {
    return this.#evictionCount;
  }

  /** Takes over `bytes`. False when there is no room and none can be made; nothing is evicted then. */
  put(id: BlockId, bytes: Uint8Array): Promise<boolean> {
    const stored = this.#turn.then(() => this.#put(id, bytes));
    this.#turn = stored.catch(() => {});
    return stored;
  }

  /** The block itself, not a copy; null when it is not here. */
  get(id: BlockId): Uint8Array | null {
    const entry = this.#entries.get(id.name);
    if (entry === undefined) return null;
    entry.lastUse = this.#nextUse();
    return entry.bytes;
  }

  contains(id: BlockId): boolean {
    return this.#entries.has(id.name);
  }

  /** Bytes of a block; 0 when it is not here. */
  sizeOf(id: BlockId): number {
    return this.#entries.get(id.name)?.bytes.length ?? 0;
  }

  /** True when it was here. Readers keep the bytes that they hold. */
  remove(id: BlockId): boolean {
    const entry = this.#entries.get(id.name);
    if (entry === undefined) return false;
    this.#entries.delete(id.name);
    this.#usedBytes -= entry.bytes.length;
    return true;
  }

  clear(): void {
    this.#entries.clear();
    this.#usedBytes = 0;
  }

  async #put(id: BlockId, bytes: Uint8Array): Promise<boolean> {
    const missing = this.#usedBytes + bytes.length - this.#options.bytesMax;
    if (missing > 0 && !(await this.#evict(this.#victims(missing, id)))) return false;
    this.remove(id);
    this.#entries.set(id.name, { id, bytes, lastUse: this.#nextUse() });
    this.#usedBytes += bytes.length;
    return true;
  }

  /** The least recently used blocks that make `missing` bytes; null when there are not enough. */
  #victims(missing: number, newcomer: BlockId): Entry[] | null {
    const victims: Entry[] = [];
    let freed = 0;
    const { isEvictable } = this.#options;
    const byAge = [...this.#entries.values()].toSorted((a, b) => a.lastUse - b.lastUse);
    for (const entry of byAge) {
      if (freed >= missing) break;
      if (isEvictable?.(entry.id) === false) continue;
      // One partition of an RDD does not push out another: both are about to be used.
      if (isSameRdd(entry.id, newcomer)) continue;
      victims.push(entry);
      freed += entry.bytes.length;
    }
    return freed >= missing ? victims : null;
  }

  async #evict(victims: readonly Entry[] | null): Promise<boolean> {
    if (victims === null) return false;
    for (const { id, bytes } of victims) {
      let onGone: () => void;
      try {
        onGone = await this.#options.onEvict(id, bytes);
      } catch {
        return false;
      }
      if (this.remove(id)) this.#evictionCount += 1;
      onGone();
    }
    return true;
  }

  #nextUse(): number {
    this.#uses += 1;
    return this.#uses;
  }
}

function isSameRdd(one: BlockId, other: BlockId): boolean {
  return one.kind === "rdd" && other.kind === "rdd" && one.rddId === other.rddId;
}
