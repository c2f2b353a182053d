/**
 * The blocks that a request asks for, as numbers only.
 *
 * A stream may wait a long time before its chunks are asked for, or for ever, so what it holds is one
 * buffer: 8 bytes for each map, and 4 for each partition. Readers ask for the same partitions of every
 * map; these are there once then. Else it is 4 bytes for each partition of each map, and 4 for each map.
 *
 *     int64 ids[groups]     map ids, or RDD ids; as doubles when these hold all of them
 *     int32 values[n]       partitions; a run of them takes two, start and end
 *     int32 ends[groups]    chunks up to and with this group, unless all groups have the same values
 */

import { type Int64, int64 } from "@bm/transport";
import type { FetchShuffleBlocks } from "../protocol/block-transfer-message.ts";
import type { ShuffleError } from "../shuffle-error.ts";
import { JAVA, serviceFailure } from "./service-failure.ts";

/** Which of the three a request asks for. */
export type OpenedKind = "shuffle" | "shuffleBatch" | "rdd";

/** One block of a request. */
export interface OpenedBlock {
  /** Counts the groups: blocks with the same number belong to the same map output. */
  readonly group: number;
  /** Map id, or RDD id. */
  readonly id: Int64;
  /** First partition, or the split of an RDD. */
  readonly start: number;
  /** Behind the last partition. */
  readonly end: number;
}

/** See the file comment. */
export class OpenedBlocks {
  readonly kind: OpenedKind;
  /** -1 for blocks of RDDs. */
  readonly shuffleId: number;
  readonly #ids: Float64Array | BigInt64Array;
  readonly #values: Int32Array;
  /** Null when all groups have the same values. */
  readonly #ends: Int32Array | null;
  /** Chunks are asked for in ascending order: the group of the last one. */
  #group = 0;

  /** `values[i]` are the partitions that belong to `ids[i]`. */
  constructor(
    kind: OpenedKind,
    shuffleId: number,
    ids: readonly bigint[],
    values: readonly (readonly number[])[],
  ) {
    this.kind = kind;
    this.shuffleId = shuffleId;
    const groups = ids.length;
    const shared = sharedList(values);
    const valueCount = shared?.length ?? values.reduce((sum, list) => sum + list.length, 0);
    const endCount = shared === null ? groups : 0;
    const memory = new ArrayBuffer(8 * groups + 4 * (valueCount + endCount));
    this.#ids = idsIn(memory, ids);
    this.#values = new Int32Array(memory, 8 * groups, valueCount);
    if (shared !== null) {
      this.#values.set(shared);
      this.#ends = null;
      return;
    }
    this.#ends = new Int32Array(memory, 8 * groups + 4 * valueCount, groups);
    let end = 0;
    for (const [group, list] of values.entries()) {
      this.#values.set(list, end);
      end += list.length;
      this.#ends[group] = end / this.#valuesPerChunk;
    }
  }

  /** Chunks that the request asks for. */
  get count(): number {
    if (this.#ends !== null) return this.#ends.at(-1) ?? 0;
    return (this.#ids.length * this.#values.length) / this.#valuesPerChunk;
  }

  /** Memory that is held until the last chunk was asked for, or the connection ends. */
  get bytes(): number {
    return this.#ids.buffer.byteLength;
  }

  /** The block of chunk `index`; indexes must ascend. */
  at(index: number): OpenedBlock {
    const group = this.#groupOf(index);
    const at = this.#ends === null ? index % this.#chunksPerGroup : index;
    const id = this.#ids[group] ?? 0;
    const start = this.#values[this.#valuesPerChunk * at] ?? 0;
    const isRun = this.kind === "shuffleBatch";
    return { group, id, start, end: isRun ? (this.#values[2 * at + 1] ?? start) : start + 1 };
  }

  #groupOf(index: number): number {
    if (this.#ends === null) return Math.floor(index / this.#chunksPerGroup);
    while (index >= (this.#ends[this.#group] ?? Number.POSITIVE_INFINITY)) this.#group += 1;
    return this.#group;
  }

  get #valuesPerChunk(): number {
    return this.kind === "shuffleBatch" ? 2 : 1;
  }

  /** When all groups have the same values. */
  get #chunksPerGroup(): number {
    return this.#values.length / this.#valuesPerChunk;
  }
}

/** A bigint for each block that is asked for would be a tenth of the work for a small one. */
function idsIn(memory: ArrayBuffer, ids: readonly bigint[]): Float64Array | BigInt64Array {
  const numbers = ids.map(int64).filter((id) => typeof id === "number");
  if (numbers.length < ids.length) {
    const all = new BigInt64Array(memory, 0, ids.length);
    all.set(ids);
    return all;
  }
  const all = new Float64Array(memory, 0, ids.length);
  all.set(numbers);
  return all;
}

/** The list that all others are equal to, or null. */
function sharedList(values: readonly (readonly number[])[]): readonly number[] | null {
  const [first] = values;
  if (first === undefined) return null;
  const isShared = values.every(
    (list) => list.length === first.length && list.every((value, at) => value === first[at]),
  );
  return isShared ? first : null;
}

/** The blocks of a {@link FetchShuffleBlocks}. */
export function fetchedBlocks(message: FetchShuffleBlocks): OpenedBlocks {
  const kind = message.batchFetchEnabled ? "shuffleBatch" : "shuffle";
  return new OpenedBlocks(kind, message.shuffleId, message.mapIds, message.reduceIds);
}

/**
 * The blocks of an OpenBlocks. The first name decides the kind; all others must be of that kind, and
 * of the same shuffle. Neighbours of the same map share a group.
 * @throws ShuffleError BLOCK_IDS_INVALID.
 */
export function namedBlocks(names: readonly string[]): OpenedBlocks {
  const first = names[0];
  if (first === undefined) {
    const text = "Index 0 out of bounds for length 0";
    throw serviceFailure("BLOCK_IDS_INVALID", JAVA.arrayIndexOutOfBounds, text);
  }
  const parts = partsOf(first);
  if (parts.length === 4 && parts[0] === "shuffle") return namedShuffleBlocks(first, names);
  if (parts.length === 3 && parts[0] === "rdd") return namedRddBlocks(names);
  throw invalid(`Unexpected block id format: ${first}`);
}

function namedShuffleBlocks(first: string, names: readonly string[]): OpenedBlocks {
  const shuffleId = readInt(partsOf(first)[1]);
  const groups = new Groups();
  for (const name of names) {
    const parts = partsOf(name);
    if (parts.length !== 4 || parts[0] !== "shuffle") {
      throw invalid(`Unexpected shuffle block id format: ${name}`);
    }
    if (readInt(parts[1]) !== shuffleId) {
      throw invalid(`Expected shuffleId=${shuffleId}, got:${name}`);
    }
    groups.add(readInt(parts[2]), readInt(parts[3]));
  }
  return new OpenedBlocks("shuffle", shuffleId, groups.ids, groups.values);
}

function namedRddBlocks(names: readonly string[]): OpenedBlocks {
  const groups = new Groups();
  for (const name of names) {
    const parts = partsOf(name);
    if (parts.length !== 3 || parts[0] !== "rdd") {
      throw invalid(`Unexpected RDD block id format: ${name}`);
    }
    groups.add(readInt(parts[1]), readInt(parts[2]));
  }
  return new OpenedBlocks("rdd", -1, groups.ids, groups.values);
}

class Groups {
  readonly ids: bigint[] = [];
  readonly values: number[][] = [];
  #lastId: number | null = null;

  add(id: number, value: number): void {
    if (id !== this.#lastId) {
      this.ids.push(BigInt(id));
      this.values.push([]);
      this.#lastId = id;
    }
    this.values.at(-1)?.push(value);
  }
}

/** No name that is served has more than four; one more shows that it has too many. */
const PARTS_MAX = 5;

/** As Java splits: empty parts at the end do not count. */
function partsOf(name: string): string[] {
  let end = name.length;
  while (end > 0 && name[end - 1] === "_") end -= 1;
  return name.slice(0, end).split("_", PARTS_MAX);
}

const INT_TEXT = /^[+-]?[0-9]{1,10}$/;

/** 32 bits, as in every version of Spark: map ids beyond them cannot be opened by name. */
function readInt(text = ""): number {
  const value = INT_TEXT.test(text) ? Number(text) : Number.NaN;
  if (value === (value | 0)) return value | 0;
  throw serviceFailure("BLOCK_IDS_INVALID", JAVA.numberFormat, `For input string: "${text}"`);
}

function invalid(text: string): ShuffleError {
  return serviceFailure("BLOCK_IDS_INVALID", JAVA.illegalArgument, text);
}
