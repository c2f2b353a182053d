/** What there is of some blocks on all block managers together. */
export interface BlockTotals {
  /** Blocks that somebody has. */
  readonly blocks: number;
  /** Their copies. */
  readonly locations: number;
  /** Bytes of all copies. */
  readonly memSize: number;
  readonly diskSize: number;
}

type Sums = { -readonly [Name in keyof BlockTotals]: BlockTotals[Name] };

/** Totals of each group of blocks, kept up to date so that nobody has to add up millions of them. */
export class GroupTotals {
  readonly #sums = new Map<number, Sums>();

  /** Every group that has a block. */
  entries(): [group: number, totals: BlockTotals][] {
    return [...this.#sums].map(([group, sums]) => [group, { ...sums }]);
  }

  of(group: number): BlockTotals {
    return { ...(this.#sums.get(group) ?? NOTHING) };
  }

  /** So many more blocks and copies; a group without any is forgotten. */
  add(group: number, blocks: number, locations: number): void {
    const sums = this.#of(group);
    sums.blocks += blocks;
    sums.locations += locations;
    if (sums.blocks === 0) this.#sums.delete(group);
  }

  /** So many more bytes in blocks that are counted. */
  addBytes(group: number, memSize: number, diskSize: number): void {
    const sums = this.#of(group);
    sums.memSize += memSize;
    sums.diskSize += diskSize;
  }

  #of(group: number): Sums {
    const known = this.#sums.get(group);
    if (known !== undefined) return known;
    const sums = { ...NOTHING };
    this.#sums.set(group, sums);
    return sums;
  }
}

const NOTHING: BlockTotals = { blocks: 0, locations: 0, memSize: 0, diskSize: 0 };
