/**
 * What a shuffle service merged of one reduce partition. Byte form:
 *
 *     +----------------+-----------------------+----------------+-------------------+
 *     | BlockManagerId | shuffleMergeId: int32 | Roaring bitmap | total size: int64 |    big-endian
 *     +----------------+-----------------------+----------------+-------------------+
 *
 * The bitmap has the indexes of the maps whose blocks are in the merged one. It is Spark's form.
 */
import { BlockManagerId } from "@bm/block";
import { ByteReader } from "@bm/transport";
import { MasterError } from "../master-error.ts";
import { RoaringBitmap } from "./roaring-bitmap.ts";

const INT_BYTES = 4;
const LONG_BYTES = 8;

/** What a {@link MergeStatus} is made of. */
export interface MergeStatusFields {
  /** The shuffle service, as block manager of executor `shuffle-push-merger`. */
  readonly location: BlockManagerId;
  /** Which attempt at the shuffle was merged. */
  readonly shuffleMergeId: number;
  /** Maps whose blocks were merged, distinct and ascending. */
  readonly mapIndexes: readonly number[];
  /** Bytes of the merged block. */
  readonly totalSize: number;
}

/** See the file comment. */
export class MergeStatus {
  readonly location: BlockManagerId;
  readonly shuffleMergeId: number;
  readonly totalSize: number;
  readonly #mapIndexes: RoaringBitmap;

  private constructor(fields: Omit<MergeStatusFields, "mapIndexes">, mapIndexes: RoaringBitmap) {
    this.location = fields.location;
    this.shuffleMergeId = fields.shuffleMergeId;
    this.totalSize = fields.totalSize;
    this.#mapIndexes = mapIndexes;
  }

  /** @throws MasterError SIZE_INVALID, MAP_INDEX_INVALID */
  static of(fields: MergeStatusFields): MergeStatus {
    const { totalSize, mapIndexes } = fields;
    if (!Number.isSafeInteger(totalSize) || totalSize < 0) {
      throw new MasterError("SIZE_INVALID", `${totalSize} is no size of a merged block`);
    }
    for (const [at, mapIndex] of mapIndexes.entries()) {
      if (Number.isInteger(mapIndex) && mapIndex > (mapIndexes[at - 1] ?? -1)) continue;
      throw new MasterError("MAP_INDEX_INVALID", `map ${mapIndex} out of order`);
    }
    return new MergeStatus(fields, RoaringBitmap.of(mapIndexes));
  }

  /** @throws MasterError STATUSES_MALFORMED */
  static fromBytes(bytes: Uint8Array): MergeStatus {
    try {
      const { id: location, end: mergeIdAt } = BlockManagerId.read(bytes, 0);
      const shuffleMergeId = new ByteReader(bytes.subarray(mergeIdAt)).readInt32();
      const { bitmap, end } = RoaringBitmap.read(bytes, mergeIdAt + INT_BYTES);
      const reader = new ByteReader(bytes.subarray(end));
      const totalSize = Number(reader.readBigInt64());
      if (!Number.isSafeInteger(totalSize) || totalSize < 0 || reader.remaining > 0) {
        throw new RangeError(`size ${totalSize}, ${reader.remaining} bytes left over`);
      }
      return new MergeStatus({ location, shuffleMergeId, totalSize }, bitmap);
    } catch (cause) {
      throw new MasterError("STATUSES_MALFORMED", "bytes of no merge status", { cause });
    }
  }

  /** Number of maps whose blocks were merged. */
  get numMaps(): number {
    return this.#mapIndexes.size;
  }

  /** Whether a map's block is in the merged one. */
  hasMap(mapIndex: number): boolean {
    return this.#mapIndexes.has(mapIndex);
  }

  /** The byte form in a new array. */
  toBytes(): Uint8Array {
    const mergeId = Buffer.alloc(INT_BYTES);
    mergeId.writeInt32BE(this.shuffleMergeId);
    const size = Buffer.alloc(LONG_BYTES);
    size.writeBigInt64BE(BigInt(this.totalSize));
    return Buffer.concat([this.location.toBytes(), mergeId, this.#mapIndexes.toBytes(), size]);
  }
}
