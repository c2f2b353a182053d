/**
 * How much a map task produced for each reduce partition, in one of two forms. With every partition:
 *
 *     +----------+---------+
 *     | n: int32 | n codes |                                                          big-endian
 *     +----------+---------+
 *
 * or, for very many partitions, the empty ones, the huge ones, and the average of the others:
 *
 *     +----------------+--------------+--------------+-------------------------------+
 *     | Roaring bitmap | avg: int64   | count: int32 | count x { int32 part., code } |
 *     +----------------+--------------+--------------+-------------------------------+
 *
 * Both are Spark's (CompressedMapStatus, HighlyCompressedMapStatus).
 */
import { ByteReader } from "@bm/transport";
import { MasterError } from "../master-error.ts";
import { type CompressionLimits, isHuge } from "./compression-limits.ts";
import { RoaringBitmap } from "./roaring-bitmap.ts";
import { decodeSize, encodeSize } from "./size-code.ts";

const INT_BYTES = 4;
const LONG_BYTES = 8;
const HUGE_BYTES = INT_BYTES + 1;

/** See the file comment. */
export type BlockSizes = CompressedSizes | HighlyCompressedSizes;

/** One code per partition; see size-code.ts. */
export class CompressedSizes {
  readonly form = "compressed";
  /** Has those of others, too: a view for each of very many would take more than the codes do. */
  readonly #all: Uint8Array;
  readonly #from: number;
  /** Number of partitions. */
  readonly numPartitions: number;

  /** The codes are not copied. */
  constructor(codes: Uint8Array, from = 0, to: number = codes.length) {
    this.#all = codes;
    this.#from = from;
    this.numPartitions = to - from;
  }

  /** Of exact sizes in bytes. @throws MasterError SIZE_INVALID */
  static of(sizes: readonly number[]): CompressedSizes {
    return new CompressedSizes(Uint8Array.from(sizes, encodeSize));
  }

  /** The sizes that `bytes` begin with, copied. @throws TransportError MESSAGE_MALFORMED */
  static read(bytes: Uint8Array): { sizes: CompressedSizes; end: number } {
    const codes = new ByteReader(bytes).readByteArray();
    return { sizes: new CompressedSizes(Uint8Array.from(codes)), end: INT_BYTES + codes.length };
  }

  /**
   * The codes of many, as views on the few arrays in which they stand: those that follow each other there
   * are in one view. A view for each of 200,000 takes longer than copying what it shows.
   */
  static runs(many: Iterable<BlockSizes>): Uint8Array[] {
    const runs: Uint8Array[] = [];
    let [all, from, to]: [Uint8Array | null, number, number] = [null, 0, 0];
    const end = (): void => {
      if (all !== null) runs.push(all.subarray(from, to));
      all = null;
    };
    for (const sizes of many) {
      if (!(sizes instanceof CompressedSizes)) {
        end();
        runs.push(sizes.bytes());
        continue;
      }
      if (sizes.#all !== all || sizes.#from !== to) {
        end();
        [all, from] = [sizes.#all, sizes.#from];
      }
      to = sizes.#from + sizes.numPartitions;
    }
    end();
    return runs;
  }

  /** Bytes of {@link bytes}. */
  get byteLength(): number {
    return this.numPartitions;
  }

  /** The codes alone, as a view. */
  bytes(): Uint8Array {
    return this.#all.subarray(this.#from, this.#from + this.numPartitions);
  }

  /** Approximate bytes; exactly 0 for an empty block. @throws MasterError PARTITION_INVALID */
  sizeOf(partition: number): number {
    const code = partition < this.numPartitions ? this.#all[this.#from + partition] : undefined;
    if (code !== undefined && partition >= 0) return decodeSize(code);
    const detail = `partition ${partition} of ${this.numPartitions}`;
    throw new MasterError("PARTITION_INVALID", detail);
  }

  /** The byte form in a new array. */
  toBytes(): Uint8Array {
    const bytes = Buffer.alloc(INT_BYTES + this.numPartitions);
    bytes.writeInt32BE(this.numPartitions);
    bytes.set(this.bytes(), INT_BYTES);
    return bytes;
  }
}

/** Empty and huge partitions, and the average of the rest. Does not know how many partitions there are. */
export class HighlyCompressedSizes {
  readonly form = "highly compressed";
  readonly numPartitions = null;
  /** Once made it stays: it does not change, and is asked for twice when statuses are serialised. */
  #bytes: Uint8Array | null = null;
  readonly #empty: RoaringBitmap;
  /** Codes by partition. */
  readonly #huge: ReadonlyMap<number, number>;
  readonly #averageBytes: number;

  private constructor(
    empty: RoaringBitmap,
    huge: ReadonlyMap<number, number>,
    averageBytes: number,
  ) {
    this.#empty = empty;
    this.#huge = huge;
    this.#averageBytes = averageBytes;
  }

  /** Of exact sizes in bytes. @throws MasterError SIZE_INVALID */
  static of(sizes: readonly number[], limits: CompressionLimits = {}): HighlyCompressedSizes {
    const hugeFrom = isHuge(sizes, limits);
    const empty: number[] = [];
    const huge = new Map<number, number>();
    let [smallBytes, smallCount] = [0n, 0];
    for (const [partition, size] of sizes.entries()) {
      const code = encodeSize(size);
      if (size === 0) empty.push(partition);
      else if (hugeFrom(size)) huge.set(partition, code);
      else {
        smallBytes += BigInt(size);
        smallCount += 1;
      }
    }
    const averageBytes = smallCount === 0 ? 0 : Number(smallBytes / BigInt(smallCount));
    return new HighlyCompressedSizes(RoaringBitmap.of(empty), huge, averageBytes);
  }

  /** The sizes that `bytes` begin with. @throws RangeError, TransportError MESSAGE_MALFORMED */
  static read(bytes: Uint8Array): { sizes: HighlyCompressedSizes; end: number } {
    const { bitmap, end } = RoaringBitmap.read(bytes);
    const reader = new ByteReader(bytes.subarray(end));
    const averageBytes = Number(reader.readBigInt64());
    const count = reader.readInt32();
    if (!Number.isSafeInteger(averageBytes) || averageBytes < 0) {
      throw new RangeError(`average of ${averageBytes}`);
    }
    if (count < 0 || count * HUGE_BYTES > reader.remaining) throw new RangeError(`${count} huge`);
    const huge = new Map<number, number>();
    for (let index = 0; index < count; index++) huge.set(reader.readInt32(), reader.readUint8());
    const sizes = new HighlyCompressedSizes(bitmap, huge, averageBytes);
    return { sizes, end: bytes.length - reader.remaining };
  }

  /** Approximate bytes; exactly 0 for an empty block. @throws MasterError PARTITION_INVALID */
  sizeOf(partition: number): number {
    if (!Number.isInteger(partition) || partition < 0) {
      throw new MasterError("PARTITION_INVALID", `partition ${partition}`);
    }
    if (this.#empty.has(partition)) return 0;
    const code = this.#huge.get(partition);
    return code === undefined ? this.#averageBytes : decodeSize(code);
  }

  /** Bytes of {@link bytes}. */
  get byteLength(): number {
    return this.bytes().length;
  }

  /** The byte form, not to be changed. */
  bytes(): Uint8Array {
    this.#bytes ??= this.toBytes();
    return this.#bytes;
  }

  /** The byte form in a new array. */
  toBytes(): Uint8Array {
    const bitmap = this.#empty.toBytes();
    const rest = Buffer.alloc(LONG_BYTES + INT_BYTES + this.#huge.size * HUGE_BYTES);
    let at = rest.writeBigInt64BE(BigInt(this.#averageBytes));
    at = rest.writeInt32BE(this.#huge.size, at);
    for (const [partition, code] of this.#huge) {
      at = rest.writeInt32BE(partition, at);
      at = rest.writeUInt8(code, at);
    }
    return Buffer.concat([bitmap, rest]);
  }
}
