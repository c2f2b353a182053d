import type { BlockId, BlockManagerId } from "@bm/block";

interface Holders {
  readonly blockId: BlockId;
  readonly byKey: Map<string, BlockManagerId>;
}

/** Who has each block. A block that nobody has takes no room. */
export class BlockLocations {
  readonly #holders = new Map<string, Holders>();

  /** The holders of a block, in the order of their first report. */
  of(id: BlockId): BlockManagerId[] {
    return [...(this.#holders.get(id.name)?.byKey.values() ?? [])];
  }

  /** Whether anybody has a block. */
  has(id: BlockId): boolean {
    return this.#holders.has(id.name);
  }

  /** The blocks for which a condition holds. */
  blocksWhere(isMeant: (id: BlockId) => boolean): BlockId[] {
    return [...this.#holders.values()].map(({ blockId }) => blockId).filter(isMeant);
  }

  /** Adds a holder, who may be known. */
  add(blockId: BlockId, holder: BlockManagerId): void {
    const holders = this.#holders.get(blockId.name);
    if (holders !== undefined) holders.byKey.set(holder.key, holder);
    else this.#holders.set(blockId.name, { blockId, byKey: new Map([[holder.key, holder]]) });
  }

  /** Takes a holder away. Gives the number of those who are left. */
  remove(id: BlockId, holder: BlockManagerId): number {
    const holders = this.#holders.get(id.name);
    if (holders === undefined) return 0;
    holders.byKey.delete(holder.key);
    if (holders.byKey.size === 0) this.#holders.delete(id.name);
    return holders.byKey.size;
  }

  /** Forgets a block. */
  removeAll(id: BlockId): void {
    this.#holders.delete(id.name);
  }
}
