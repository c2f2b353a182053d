/**
 * Blocks as pairs of integers: a cached partition is its RDD and its index there; any other block, of which
 * there are few, is -1 and a number that stands for its name.
 */
import { type BlockId, isRdd, rddBlockId } from "@bm/block";

/** The first integer of a block that is no cached partition. */
export const NAMED = -1;

/** A block as two integers. */
export interface BlockPair {
  readonly group: number;
  readonly index: number;
}

/** See the file comment. */
export class BlockNames {
  readonly #numbers = new Map<string, number>();
  readonly #ids: (BlockId | null)[] = [];
  readonly #free: number[] = [];

  /** The pair of a block; the index is -1 where its name has no number. */
  find(id: BlockId): BlockPair {
    if (isRdd(id) && id.rddId >= 0) return { group: id.rddId, index: id.splitIndex };
    return { group: NAMED, index: this.#numbers.get(id.name) ?? NAMED };
  }

  /** The pair of a block, which gets a number if it needs one. */
  take(id: BlockId): BlockPair {
    const pair = this.find(id);
    if (pair.group !== NAMED || pair.index !== NAMED) return pair;
    const index = this.#free.pop() ?? this.#ids.length;
    this.#numbers.set(id.name, index);
    this.#ids[index] = id;
    return { group: NAMED, index };
  }

  /** The block of a pair. */
  idOf(group: number, index: number): BlockId {
    return (group === NAMED ? this.#ids[index] : null) ?? rddBlockId(group, index);
  }

  /** Gives up the number of a block's name, if it has one. */
  release(group: number, index: number): void {
    if (group !== NAMED) return;
    const id = this.#ids[index];
    if (id) this.#numbers.delete(id.name);
    this.#ids[index] = null;
    this.#free.push(index);
  }
}
