/**
 * What one map task produced: how much for each reduce partition, and where it is. Byte form:
 *
 *     +----------------+-------+--------------+-----------------+
 *     | BlockManagerId | sizes | mapId: int64 | checksum: int64 |    big-endian
 *     +----------------+-------+--------------+-----------------+
 *
 * Sizes have one of two forms (block-sizes.ts), and the bytes do not tell which: whoever stores them
 * has to know, as Spark does by the name of the class.
 */
import { BlockManagerId } from "@bm/block";
import { ByteReader } from "@bm/transport";
import { MasterError } from "../master-error.ts";
import { type BlockSizes, CompressedSizes, HighlyCompressedSizes } from "./block-sizes.ts";
import { type CompressionLimits, hasEverySize } from "./compression-limits.ts";

const LONG_BYTES = 8;

/** What a {@link MapStatus} is made of. */
export interface MapStatusFields {
  readonly location: BlockManagerId;
  /** Id of the map task: unique among all attempts, unlike its index. */
  readonly mapId: bigint;
  readonly sizes: BlockSizes;
  /** Of the whole row, to tell whether a repeated task produced the same. Default: 0. */
  readonly checksum?: bigint;
}

/** See the file comment. */
export class MapStatus {
  readonly location: BlockManagerId;
  readonly mapId: bigint;
  readonly sizes: BlockSizes;
  readonly checksum: bigint;

  constructor(fields: MapStatusFields) {
    this.location = fields.location;
    this.mapId = fields.mapId;
    this.sizes = fields.sizes;
    this.checksum = fields.checksum ?? 0n;
  }

  /**
   * From exact sizes in bytes, which are rounded. Those of very many partitions are highly compressed:
   * all but empty and huge ones count as their average.
   * @throws MasterError SIZE_INVALID
   */
  static ofSizes(
    location: BlockManagerId,
    mapId: bigint,
    sizes: readonly number[],
    checksum = 0n,
    limits: CompressionLimits = {},
  ): MapStatus {
    const compressed = hasEverySize(sizes.length, limits)
      ? CompressedSizes.of(sizes)
      : HighlyCompressedSizes.of(sizes, limits);
    return new MapStatus({ location, mapId, sizes: compressed, checksum });
  }

  /** From bytes in which the sizes have the given form. @throws MasterError STATUSES_MALFORMED */
  static fromBytes(bytes: Uint8Array, form: BlockSizes["form"] = "compressed"): MapStatus {
    try {
      const { id, end: sizesAt } = BlockManagerId.read(bytes, 0);
      const type = form === "compressed" ? CompressedSizes : HighlyCompressedSizes;
      const { sizes, end } = type.read(bytes.subarray(sizesAt));
      const reader = new ByteReader(bytes.subarray(sizesAt + end));
      const mapId = BigInt(reader.readInt64());
      const checksum = BigInt(reader.readInt64());
      if (reader.remaining > 0) throw new RangeError(`${reader.remaining} bytes left over`);
      return new MapStatus({ location: id, mapId, sizes, checksum });
    } catch (cause) {
      throw new MasterError("STATUSES_MALFORMED", "bytes of no map status", { cause });
    }
  }

  /** Number of reduce partitions; null when the sizes are highly compressed and do not tell. */
  get numPartitions(): number | null {
    return this.sizes.numPartitions;
  }

  /** Approximate size in bytes; exactly 0 for an empty block. @throws MasterError PARTITION_INVALID */
  sizeOf(partition: number): number {
    return this.sizes.sizeOf(partition);
  }

  /** The same output at another place. */
  withLocation(location: BlockManagerId): MapStatus {
    const { mapId, sizes, checksum } = this;
    return new MapStatus({ location, mapId, sizes, checksum });
  }

  /** The byte form in a new array. */
  toBytes(): Uint8Array {
    const ids = Buffer.alloc(2 * LONG_BYTES);
    ids.writeBigInt64BE(this.mapId);
    ids.writeBigInt64BE(this.checksum, LONG_BYTES);
    return Buffer.concat([this.location.toBytes(), this.sizes.toBytes(), ids]);
  }
}
