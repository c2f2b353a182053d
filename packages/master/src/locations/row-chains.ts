import type { Column } from "./pair-table.ts";

/** Columns that hold row numbers plus one; 0 is none. */
interface ChainColumns {
  readonly first: Column<Int32Array>;
  readonly last: Column<Int32Array>;
  readonly next: Column<Int32Array>;
  readonly previous: Column<Int32Array>;
}

/**
 * Chains of rows in the order in which they were added. The ends of each chain are in columns of one
 * table, the links in columns of that whose rows are chained.
 */
export class RowChains {
  readonly #columns: ChainColumns;

  constructor(columns: ChainColumns) {
    this.#columns = columns;
  }

  /** Adds a row at the end of a chain. */
  add(chain: number, row: number): void {
    const { first, last, next, previous } = this.#columns;
    const before = last.values[chain] as number;
    previous.values[row] = before;
    if (before === 0) first.values[chain] = row + 1;
    else next.values[before - 1] = row + 1;
    last.values[chain] = row + 1;
  }

  /** Takes a row out of its chain. */
  remove(chain: number, row: number): void {
    const { first, last, next, previous } = this.#columns;
    const [before, after] = [previous.values[row] as number, next.values[row] as number];
    if (before === 0) first.values[chain] = after;
    else next.values[before - 1] = after;
    if (after === 0) last.values[chain] = before;
    else previous.values[after - 1] = before;
  }

  isEmpty(chain: number): boolean {
    return this.#columns.first.values[chain] === 0;
  }

  /** The rows of a chain. */
  rows(chain: number): number[] {
    const { first, next } = this.#columns;
    const rows: number[] = [];
    for (let row = first.values[chain] ?? 0; row !== 0; row = next.values[row - 1] ?? 0) {
      rows.push(row - 1);
    }
    return rows;
  }
}
