/**
 * Rows of numbers in typed arrays, found by a pair of 32-bit integers that no two rows share. A row takes
 * its columns and 5 to 11 bytes of an index, where an entry of a Map with an object takes 150 and more.
 * Rows are numbered and used again: a number is good until its row is removed.
 */

type Values = Int32Array | Uint16Array | Float64Array;

/** One number of each row. `values` is another array after a row was added. */
export interface Column<Kind extends Values> {
  readonly values: Kind;
}

interface GrowingColumn {
  values: Values;
  readonly ofLength: (length: number) => Values;
}

const ROWS_MIN = 64;
/** Doubling would leave half of the memory unused just after it. */
const GROWTH = 1.125;
/** Of the index, which is doubled above it. */
const LOAD_MAX = 0.75;
const NONE = -1;
/** Odd constants of a multiplicative hash: the bits of both numbers reach those that choose a slot. */
const [MIX_A, MIX_B, MIX_C] = [0x9e3779b1, 0x85ebca6b, 0xc2b2ae35];

/** See the file comment. */
export class PairTable {
  readonly #columns: GrowingColumn[] = [];
  readonly #a: Column<Int32Array>;
  readonly #b: Column<Int32Array>;
  /** Row numbers plus one, 0 where nothing is; searched onwards from where the hash says. */
  #index: Int32Array = new Int32Array(2 * ROWS_MIN);
  #capacity = 0;
  #size = 0;
  /** Rows from here on were never used. */
  #end = 0;
  /** The row that was removed last; its `a` has the one removed before it. */
  #free = NONE;

  constructor() {
    this.#a = this.int32Column();
    this.#b = this.int32Column();
  }

  /** Number of rows. */
  get size(): number {
    return this.#size;
  }

  /** The first number of a row's pair. */
  a(row: number): number {
    return this.#a.values[row] as number;
  }

  /** The second number of a row's pair. */
  b(row: number): number {
    return this.#b.values[row] as number;
  }

  /** A further number of each row, 0 in a new one. */
  int32Column(): Column<Int32Array> {
    return this.#column((length) => new Int32Array(length)) as Column<Int32Array>;
  }

  /** As above. */
  uint16Column(): Column<Uint16Array> {
    return this.#column((length) => new Uint16Array(length)) as Column<Uint16Array>;
  }

  /** As above. */
  float64Column(): Column<Float64Array> {
    return this.#column((length) => new Float64Array(length)) as Column<Float64Array>;
  }

  /** The row of a pair; -1 when there is none. */
  find(a: number, b: number): number {
    return (this.#index[this.#slotOf(a, b)] as number) - 1;
  }

  /** Adds a row for a pair that has none, and gives its number. */
  add(a: number, b: number): number {
    if (this.#size >= this.#index.length * LOAD_MAX) this.#growIndex();
    const row = this.#takeRow();
    for (const { values } of this.#columns) values[row] = 0;
    this.#a.values[row] = a;
    this.#b.values[row] = b;
    this.#index[this.#emptySlotFor(a, b)] = row + 1;
    this.#size += 1;
    return row;
  }

  /** Removes a row. A table without rows gives its memory back. */
  remove(row: number): void {
    this.#leaveSlot(this.#slotOf(this.a(row), this.b(row)));
    this.#size -= 1;
    this.#a.values[row] = this.#free;
    this.#free = row;
    if (this.#size === 0) this.#reset();
  }

  /** The rows whose pair starts with a number. Looks at every row. */
  rowsWith(a: number): number[] {
    const rows: number[] = [];
    for (let slot = 0; slot < this.#index.length; slot++) {
      const row = (this.#index[slot] as number) - 1;
      if (row !== NONE && this.#a.values[row] === a) rows.push(row);
    }
    return rows;
  }

  #column(ofLength: (length: number) => Values): GrowingColumn {
    const column = { ofLength, values: ofLength(this.#capacity) };
    this.#columns.push(column);
    return column;
  }

  /** Where a pair is, or would be. */
  #slotOf(a: number, b: number): number {
    const index = this.#index;
    const [as, bs] = [this.#a.values, this.#b.values];
    const mask = index.length - 1;
    let slot = hash(a, b) & mask;
    for (;;) {
      const entry = index[slot] as number;
      if (entry === 0 || (as[entry - 1] === a && bs[entry - 1] === b)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  /** Where a pair goes that is not there. Rows are not looked at: each would be a miss of the caches. */
  #emptySlotFor(a: number, b: number): number {
    const index = this.#index;
    const mask = index.length - 1;
    let slot = hash(a, b) & mask;
    while (index[slot] !== 0) slot = (slot + 1) & mask;
    return slot;
  }

  /** Empties a slot, and moves up those that were pushed behind it. */
  #leaveSlot(left: number): void {
    const index = this.#index;
    const mask = index.length - 1;
    let gap = left;
    for (let slot = (gap + 1) & mask; index[slot] !== 0; slot = (slot + 1) & mask) {
      const row = (index[slot] as number) - 1;
      const wanted = hash(this.a(row), this.b(row)) & mask;
      // It stays where its own slot lies behind the gap, in the circle that the index is.
      if (((slot - wanted) & mask) < ((slot - gap) & mask)) continue;
      index[gap] = row + 1;
      gap = slot;
    }
    index[gap] = 0;
  }

  #takeRow(): number {
    const free = this.#free;
    if (free !== NONE) {
      this.#free = this.a(free);
      return free;
    }
    if (this.#end === this.#capacity) this.#growColumns();
    this.#end += 1;
    return this.#end - 1;
  }

  #growColumns(): void {
    this.#capacity = Math.max(ROWS_MIN, Math.ceil(this.#capacity * GROWTH));
    for (const column of this.#columns) {
      const former = column.values;
      column.values = column.ofLength(this.#capacity);
      column.values.set(former);
    }
  }

  #growIndex(): void {
    const former = this.#index;
    this.#index = new Int32Array(former.length * 2);
    for (let slot = 0; slot < former.length; slot++) {
      const entry = former[slot] as number;
      if (entry === 0) continue;
      this.#index[this.#emptySlotFor(this.a(entry - 1), this.b(entry - 1))] = entry;
    }
  }

  #reset(): void {
    this.#index = new Int32Array(2 * ROWS_MIN);
    this.#capacity = 0;
    this.#end = 0;
    this.#free = NONE;
    for (const column of this.#columns) column.values = column.ofLength(0);
  }
}

function hash(a: number, b: number): number {
  let mixed = Math.imul(a ^ MIX_C, MIX_A) ^ Math.imul(b, MIX_B);
  mixed = Math.imul(mixed ^ (mixed >>> 15), MIX_C);
  return mixed ^ (mixed >>> 13);
}
