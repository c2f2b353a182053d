/**
 * Roaring bitmaps in their portable form: how many bytes one takes, and which numbers are in it. They
 * stand back to back, without a length, in messages and in the meta files of merged partitions.
 *
 *     cookie A   u32 12346, u32 count                                      no run container
 *     cookie B   u32 12347 | (count - 1) << 16, ceil(count / 8) flag bytes at least one
 *     then       count x { u16 key, u16 cardinality - 1 }
 *     then       count x u32 offset            with cookie A, or when count is at least 4
 *     then       containers: array 2 x cardinality | bitmap 8192 | run 2 + 4 x runs
 *
 * Little-endian throughout. Format: RoaringFormatSpec of the Roaring project.
 */
import { ShuffleError } from "../shuffle-error.ts";

const COOKIE_PLAIN = 12346;
const COOKIE_WITH_RUNS = 12347;
/** From this count on the offsets are there with runs, too. */
const OFFSETS_COUNT_MIN = 4;
/** Keys are 16 bits. */
const CONTAINERS_MAX = 0x1_0000;
const ARRAY_CARDINALITY_MAX = 4096;
const BITMAP_CONTAINER_BYTES = 8192;
/** Numbers that share their upper half. */
const CONTAINER_VALUES = 0x1_0000;

interface Header {
  readonly count: number;
  /** Offset of the flags, or null when no container is a run container. */
  readonly flagsAt: number | null;
  readonly descriptorsAt: number;
}

/**
 * Size of the bitmap that starts at `offset`. Looks at headers only, never at values.
 * @throws ShuffleError MESSAGE_MALFORMED when no whole bitmap is there.
 */
export function roaringBitmapBytes(bytes: Uint8Array, offset = 0): number {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { count, flagsAt, descriptorsAt } = readHeader(view, offset);
  const hasOffsets = flagsAt === null || count >= OFFSETS_COUNT_MIN;
  let at = descriptorsAt + count * (hasOffsets ? 8 : 4);
  requireBytes(view, at);
  for (let index = 0; index < count; index += 1) {
    const isRun = flagsAt !== null && isFlagged(view, flagsAt, index);
    at += isRun ? runBytes(view, at) : plainBytes(view, descriptorsAt + 4 * index);
    requireBytes(view, at);
  }
  return at - offset;
}

/**
 * The numbers in the bitmap that starts at `offset`, one by one: a few bytes may stand for billions.
 * @throws ShuffleError MESSAGE_MALFORMED when no whole bitmap is there.
 */
export function* roaringBitmapValues(bytes: Uint8Array, offset = 0): Generator<number, void, void> {
  roaringBitmapBytes(bytes, offset);
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { count, flagsAt, descriptorsAt } = readHeader(view, offset);
  const hasOffsets = flagsAt === null || count >= OFFSETS_COUNT_MIN;
  let at = descriptorsAt + count * (hasOffsets ? 8 : 4);
  for (let index = 0; index < count; index += 1) {
    const descriptorAt = descriptorsAt + 4 * index;
    const base = view.readUInt16LE(descriptorAt) * CONTAINER_VALUES;
    const isRun = flagsAt !== null && isFlagged(view, flagsAt, index);
    const size = isRun ? runBytes(view, at) : plainBytes(view, descriptorAt);
    const container = view.subarray(at, at + size);
    const isBits = !isRun && isLarge(view, descriptorAt);
    const lows = isRun ? runValues(container) : isBits ? bitValues(container) : listed(container);
    for (const low of lows) yield base + low;
    at += size;
  }
}

function* runValues(container: Buffer): Generator<number, void, void> {
  for (let at = 2; at < container.length; at += 4) {
    const start = container.readUInt16LE(at);
    const end = start + container.readUInt16LE(at + 2);
    for (let low = start; low <= end; low += 1) yield low;
  }
}

function* bitValues(container: Buffer): Generator<number, void, void> {
  for (const [at, byte] of container.entries()) {
    for (let bit = 0; bit < 8; bit += 1) if (byte & (1 << bit)) yield at * 8 + bit;
  }
}

function* listed(container: Buffer): Generator<number, void, void> {
  for (let at = 0; at < container.length; at += 2) yield container.readUInt16LE(at);
}

function readHeader(view: Buffer, offset: number): Header {
  requireBytes(view, offset + 4);
  const cookie = view.readUInt32LE(offset);
  if (cookie === COOKIE_PLAIN) {
    requireBytes(view, offset + 8);
    const count = view.readUInt32LE(offset + 4);
    if (count > CONTAINERS_MAX) throw malformed(`${count} containers`);
    return { count, flagsAt: null, descriptorsAt: offset + 8 };
  }
  if ((cookie & 0xffff) !== COOKIE_WITH_RUNS) throw malformed(`cookie ${cookie}`);
  const count = (cookie >>> 16) + 1;
  const flagsAt = offset + 4;
  return { count, flagsAt, descriptorsAt: flagsAt + Math.ceil(count / 8) };
}

function isFlagged(view: Buffer, flagsAt: number, index: number): boolean {
  return (view.readUInt8(flagsAt + (index >> 3)) & (1 << (index & 7))) !== 0;
}

function runBytes(view: Buffer, at: number): number {
  requireBytes(view, at + 2);
  return 2 + 4 * view.readUInt16LE(at);
}

function plainBytes(view: Buffer, descriptorAt: number): number {
  if (isLarge(view, descriptorAt)) return BITMAP_CONTAINER_BYTES;
  return 2 * (view.readUInt16LE(descriptorAt + 2) + 1);
}

/** Whether a container without runs is one of bits. */
function isLarge(view: Buffer, descriptorAt: number): boolean {
  return view.readUInt16LE(descriptorAt + 2) + 1 > ARRAY_CARDINALITY_MAX;
}

function requireBytes(view: Buffer, end: number): void {
  if (end > view.length) throw malformed(`cut short at ${view.length}, needs ${end}`);
}

function malformed(detail: string): ShuffleError {
  return new ShuffleError("MESSAGE_MALFORMED", `Roaring bitmap: ${detail}`);
}
