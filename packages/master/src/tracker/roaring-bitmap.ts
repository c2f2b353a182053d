/**
 * A set of 32-bit numbers in the portable form of Roaring bitmaps, with run containers where they are
 * smaller.
 *
 *     cookie A   u32 12346, u32 count                                      no run container
 *     cookie B   u32 12347 | (count - 1) << 16, ceil(count / 8) flag bytes at least one
 *     then       count x { u16 key, u16 cardinality - 1 }
 *     then       count x u32 offset            with cookie A, or when count is at least 4
 *     then       containers: array 2 x cardinality | bits 8192 | u16 runs, 4 x runs
 *
 * Little-endian throughout. Format: RoaringFormatSpec of the Roaring project.
 */
import {
  type Container,
  containerBytes,
  containerHas,
  containerOf,
  readContainer,
  writeContainer,
} from "./roaring-container.ts";

const COOKIE_PLAIN = 12_346;
const COOKIE_WITH_RUNS = 12_347;
/** From this many containers on, offsets are written beside runs, too. */
const OFFSETS_COUNT_MIN = 4;
/** Keys are 16 bits. */
const CONTAINERS_MAX = 0x1_0000;

/** See the file comment. Its containers may be views on what it was read from. */
export class RoaringBitmap {
  readonly #byKey: ReadonlyMap<number, Container>;

  private constructor(containers: readonly Container[]) {
    this.#byKey = new Map(containers.map((container) => [container.key, container]));
  }

  /** Of distinct numbers from 0 to 2^32 - 1 in ascending order. */
  static of(values: readonly number[]): RoaringBitmap {
    const containers: Container[] = [];
    for (let start = 0; start < values.length; ) {
      const key = (values[start] ?? 0) >>> 16;
      let end = start + 1;
      while (end < values.length && (values[end] ?? 0) >>> 16 === key) end += 1;
      containers.push(containerOf(key, Uint16Array.from(values.slice(start, end))));
      start = end;
    }
    return new RoaringBitmap(containers);
  }

  /**
   * The bitmap that starts at `offset`, and where it ends.
   * @throws RangeError when no whole and sound bitmap is there.
   */
  static read(bytes: Uint8Array, offset = 0): { bitmap: RoaringBitmap; end: number } {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const { count, isRun, descriptorsAt } = readHeader(view, offset);
    const hasOffsets = isRun === null || count >= OFFSETS_COUNT_MIN;
    let at = descriptorsAt + count * (hasOffsets ? 8 : 4);
    // Judged before one container is made: a count is at most what the bytes hold.
    if (at > view.length) throw new RangeError(`${count} containers in ${view.length} bytes`);
    const containers: Container[] = [];
    for (let index = 0; index < count; index++) {
      const key = view.readUInt16LE(descriptorsAt + 4 * index);
      if (key <= (containers.at(-1)?.key ?? -1)) throw new RangeError(`key ${key} out of order`);
      const cardinality = view.readUInt16LE(descriptorsAt + 4 * index + 2) + 1;
      const container = readContainer(view, at, {
        key,
        cardinality,
        isRun: isRun?.(index) ?? false,
      });
      containers.push(container);
      at += containerBytes(container);
    }
    return { bitmap: new RoaringBitmap(containers), end: at };
  }

  /** Numbers in the set. */
  get size(): number {
    let size = 0;
    for (const { cardinality } of this.#byKey.values()) size += cardinality;
    return size;
  }

  has(value: number): boolean {
    const container = this.#byKey.get(value >>> 16);
    return container !== undefined && containerHas(container, value & 0xffff);
  }

  /** The portable form in a new buffer. */
  toBytes(): Buffer {
    const all = [...this.#byKey.values()];
    const hasRuns = all.some(({ kind }) => kind === "runs");
    const hasOffsets = !hasRuns || all.length >= OFFSETS_COUNT_MIN;
    const cookieBytes = hasRuns ? 4 + Math.ceil(all.length / 8) : 8;
    let start = cookieBytes + all.length * (hasOffsets ? 8 : 4);
    const bytes = Buffer.alloc(all.reduce((sum, of) => sum + containerBytes(of), start));
    writeCookie(bytes, all, hasRuns);
    let at = cookieBytes;
    for (const { key, cardinality } of all) {
      at = bytes.writeUInt16LE(key, at);
      at = bytes.writeUInt16LE(cardinality - 1, at);
    }
    for (const container of all) {
      if (hasOffsets) at = bytes.writeUInt32LE(start, at);
      start = writeContainer(bytes, start, container);
    }
    return bytes;
  }
}

interface Header {
  readonly count: number;
  /** Null when there are no runs at all. */
  readonly isRun: ((index: number) => boolean) | null;
  readonly descriptorsAt: number;
}

function readHeader(view: Buffer, offset: number): Header {
  const cookie = view.readUInt32LE(offset);
  if (cookie === COOKIE_PLAIN) {
    const count = view.readUInt32LE(offset + 4);
    if (count > CONTAINERS_MAX) throw new RangeError(`${count} containers`);
    return { count, isRun: null, descriptorsAt: offset + 8 };
  }
  if ((cookie & 0xffff) !== COOKIE_WITH_RUNS) throw new RangeError(`cookie ${cookie}`);
  const count = (cookie >>> 16) + 1;
  const flagsAt = offset + 4;
  const isRun = (index: number): boolean =>
    (view.readUInt8(flagsAt + (index >>> 3)) & (1 << (index & 7))) !== 0;
  return { count, isRun, descriptorsAt: flagsAt + Math.ceil(count / 8) };
}

function writeCookie(bytes: Buffer, all: readonly Container[], hasRuns: boolean): void {
  if (!hasRuns) {
    bytes.writeUInt32LE(COOKIE_PLAIN, 0);
    bytes.writeUInt32LE(all.length, 4);
    return;
  }
  bytes.writeUInt32LE((COOKIE_WITH_RUNS | ((all.length - 1) << 16)) >>> 0, 0);
  for (const [index, { kind }] of all.entries()) {
    const flag = kind === "runs" ? 1 << (index & 7) : 0;
    bytes[4 + (index >>> 3)] = (bytes[4 + (index >>> 3)] ?? 0) | flag;
  }
}
