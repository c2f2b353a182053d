/**
 * A set of map indexes that is written as a Roaring bitmap in its portable form; see
 * protocol/roaring-bitmap.ts for the layout.
 *
 * Values with the same upper half share a container: sorted numbers up to 4,096 of them, else bits.
 */

const ARRAY_CARDINALITY_MAX = 4096;
const BITMAP_BYTES = 8192;
const COOKIE_PLAIN = 12346;
const COOKIE_WITH_RUNS = 12347;
/** From this many containers on, offsets are written beside runs, too. */
const OFFSETS_COUNT_MIN = 4;
const RUN_BYTES = 4;

interface Container {
  readonly key: number;
  cardinality: number;
  /** Sorted, with room at the end; null once there are bits. */
  values: Uint16Array | null;
  bits: Uint8Array | null;
}

/** See the file comment. */
export class MapIndexBitmap {
  /** By ascending key. */
  #containers: Container[] = [];
  /** The one that was used last: most maps are neighbours. */
  #last: Container | null = null;

  /** Values in the set. */
  get size(): number {
    return this.#containers.reduce((sum, { cardinality }) => sum + cardinality, 0);
  }

  has(value: number): boolean {
    const container = this.#find(value >>> 16);
    if (container === null) return false;
    const low = value & 0xffff;
    const { bits, values } = container;
    if (bits !== null) return ((bits[low >>> 3] ?? 0) & (1 << (low & 7))) !== 0;
    return (
      values !== null &&
      values[lowerBound(values, container.cardinality, low)] === low &&
      lowerBound(values, container.cardinality, low) < container.cardinality
    );
  }

  add(value: number): void {
    if (this.has(value)) return;
    const container = this.#find(value >>> 16) ?? this.#insert(value >>> 16);
    const low = value & 0xffff;
    if (container.values !== null && container.cardinality === ARRAY_CARDINALITY_MAX) {
      toBits(container);
    }
    if (container.values !== null) insertInto(container, container.values, low);
    else if (container.bits !== null)
      container.bits[low >>> 3] = (container.bits[low >>> 3] ?? 0) | (1 << (low & 7));
    container.cardinality += 1;
  }

  clear(): void {
    this.#containers = [];
    this.#last = null;
  }

  /** Without run containers, as in meta files. */
  toBytes(): Buffer {
    return serialise(this.#containers.map((container) => ({ container, runs: null })));
  }

  /** With run containers where they are smaller, as in messages. */
  toOptimizedBytes(): Buffer {
    return serialise(
      this.#containers.map((container) => {
        const runs = runsOf(container);
        const isSmaller = 2 + RUN_BYTES * runs.length < plainBytes(container);
        return { container, runs: isSmaller ? runs : null };
      }),
    );
  }

  #find(key: number): Container | null {
    if (this.#last?.key === key) return this.#last;
    const found = this.#containers.find((container) => container.key === key) ?? null;
    if (found !== null) this.#last = found;
    return found;
  }

  #insert(key: number): Container {
    const container = { key, cardinality: 0, values: new Uint16Array(4), bits: null };
    const at = this.#containers.findIndex((other) => other.key > key);
    this.#containers.splice(at === -1 ? this.#containers.length : at, 0, container);
    this.#last = container;
    return container;
  }
}

/** First index of the `count` values that is not below `value`. */
function lowerBound(values: Uint16Array, count: number, value: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function insertInto(container: Container, values: Uint16Array, low: number): void {
  const { cardinality } = container;
  let room = values;
  if (cardinality === values.length) {
    room = new Uint16Array(Math.min(2 * values.length, ARRAY_CARDINALITY_MAX));
    room.set(values);
    container.values = room;
  }
  const at = lowerBound(room, cardinality, low);
  room.copyWithin(at + 1, at, cardinality);
  room[at] = low;
}

function toBits(container: Container): void {
  const bits = new Uint8Array(BITMAP_BYTES);
  for (const value of container.values ?? []) {
    bits[value >>> 3] = (bits[value >>> 3] ?? 0) | (1 << (value & 7));
  }
  container.bits = bits;
  container.values = null;
}

/** A run of neighbours: start, and how many follow it. */
type Run = readonly [start: number, more: number];

function runsOf(container: Container): Run[] {
  const runs: [number, number][] = [];
  for (const value of valuesOf(container)) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] + last[1] + 1 === value) last[1] += 1;
    else runs.push([value, 0]);
  }
  return runs;
}

function* valuesOf({ bits, cardinality, values }: Container): Generator<number> {
  if (values !== null) yield* values.subarray(0, cardinality);
  for (const [at, byte] of bits?.entries() ?? []) {
    for (let bit = 0; bit < 8; bit += 1) if (byte & (1 << bit)) yield at * 8 + bit;
  }
}

function plainBytes({ cardinality }: Container): number {
  return cardinality > ARRAY_CARDINALITY_MAX ? BITMAP_BYTES : 2 * cardinality;
}

interface Written {
  readonly container: Container;
  readonly runs: readonly Run[] | null;
}

function serialise(all: readonly Written[]): Buffer {
  const hasRuns = all.some(({ runs }) => runs !== null);
  const hasOffsets = !hasRuns || all.length >= OFFSETS_COUNT_MIN;
  const flags = hasRuns ? Math.ceil(all.length / 8) : 0;
  const headerBytes = (hasRuns ? 4 + flags : 8) + all.length * (hasOffsets ? 8 : 4);
  const sizes = all.map(bytesOf);
  const bytes = Buffer.alloc(sizes.reduce((sum, size) => sum + size, headerBytes));
  let at = writeCookie(bytes, all, hasRuns);
  for (const { container } of all) {
    at = bytes.writeUInt16LE(container.key, at);
    at = bytes.writeUInt16LE(container.cardinality - 1, at);
  }
  let start = headerBytes;
  for (const [index, written] of all.entries()) {
    if (hasOffsets) at = bytes.writeUInt32LE(start, at);
    writeContainer(bytes, written, start);
    start += sizes[index] ?? 0;
  }
  return bytes;
}

function bytesOf({ container, runs }: Written): number {
  return runs === null ? plainBytes(container) : 2 + RUN_BYTES * runs.length;
}

function writeCookie(bytes: Buffer, all: readonly Written[], hasRuns: boolean): number {
  if (!hasRuns) {
    bytes.writeUInt32LE(COOKIE_PLAIN, 0);
    return bytes.writeUInt32LE(all.length, 4);
  }
  bytes.writeUInt32LE((COOKIE_WITH_RUNS | ((all.length - 1) << 16)) >>> 0, 0);
  for (const [index, { runs }] of all.entries()) {
    const flag = runs === null ? 0 : 1 << (index & 7);
    bytes[4 + (index >>> 3)] = (bytes[4 + (index >>> 3)] ?? 0) | flag;
  }
  return 4 + Math.ceil(all.length / 8);
}

function writeContainer(bytes: Buffer, { container, runs }: Written, start: number): void {
  if (runs !== null) {
    let at = bytes.writeUInt16LE(runs.length, start);
    for (const [first, more] of runs) {
      at = bytes.writeUInt16LE(first, at);
      at = bytes.writeUInt16LE(more, at);
    }
  } else if (container.bits === null) {
    let at = start;
    for (const value of valuesOf(container)) at = bytes.writeUInt16LE(value, at);
  } else bytes.set(container.bits, start);
}
