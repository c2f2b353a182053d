/**
 * What one map task produced: how much for each reduce partition, and where it is. Byte form:
 *
 *     +----------------+----------+---------+---------------+------------------+
 *     | BlockManagerId | n: int32 | n codes | mapId: int64  | checksum: int64  |    big-endian
 *     +----------------+----------+---------+---------------+------------------+
 *
 * It is that of Spark's CompressedMapStatus for any number of partitions; Spark itself changes to
 * another form above 2,000.
 */
import { BlockManagerId } from "@bm/block";
import { ByteReader } from "@bm/transport";
import { MasterError } from "../master-error.ts";
import { decodeSize, encodeSize } from "./size-code.ts";

const INT_BYTES = 4;
const LONG_BYTES = 8;

/** What a {@link MapStatus} is made of. */
export interface MapStatusFields {
  readonly location: BlockManagerId;
  /** Id of the map task: unique among all attempts, unlike its index. */
  readonly mapId: bigint;
  /** One code per reduce partition; see size-code.ts. Not copied. */
  readonly sizeCodes: Uint8Array;
  /** Of the whole row, to tell whether a repeated task produced the same. Default: 0. */
  readonly checksum?: bigint;
}

/** See the file comment. */
export class MapStatus {
  readonly location: BlockManagerId;
  readonly mapId: bigint;
  readonly sizeCodes: Uint8Array;
  readonly checksum: bigint;

  constructor(fields: MapStatusFields) {
    this.location = fields.location;
    this.mapId = fields.mapId;
    this.sizeCodes = fields.sizeCodes;
    this.checksum = fields.checksum ?? 0n;
  }

  /** From exact sizes in bytes, which are rounded. @throws MasterError SIZE_INVALID */
  static ofSizes(
    location: BlockManagerId,
    mapId: bigint,
    sizes: readonly number[],
    checksum = 0n,
  ): MapStatus {
    const sizeCodes = Uint8Array.from(sizes, encodeSize);
    return new MapStatus({ location, mapId, sizeCodes, checksum });
  }

  /** @throws MasterError STATUSES_MALFORMED */
  static fromBytes(bytes: Uint8Array): MapStatus {
    try {
      const { id, end } = BlockManagerId.read(bytes, 0);
      const reader = new ByteReader(bytes.subarray(end));
      const sizeCodes = Uint8Array.from(reader.readByteArray());
      const mapId = BigInt(reader.readInt64());
      const checksum = BigInt(reader.readInt64());
      if (reader.remaining > 0) throw new RangeError(`${reader.remaining} bytes left over`);
      return new MapStatus({ location: id, mapId, sizeCodes, checksum });
    } catch (cause) {
      throw new MasterError("STATUSES_MALFORMED", "bytes of no map status", { cause });
    }
  }

  /** Number of reduce partitions. */
  get numPartitions(): number {
    return this.sizeCodes.length;
  }

  /** Approximate size in bytes; exactly 0 for an empty block. @throws MasterError PARTITION_INVALID */
  sizeOf(partition: number): number {
    const code = this.sizeCodes[partition];
    if (code !== undefined) return decodeSize(code);
    const detail = `partition ${partition} of ${this.numPartitions}`;
    throw new MasterError("PARTITION_INVALID", detail);
  }

  /** The same output at another place. */
  withLocation(location: BlockManagerId): MapStatus {
    const { mapId, sizeCodes, checksum } = this;
    return new MapStatus({ location, mapId, sizeCodes, checksum });
  }

  /** The byte form in a new array. */
  toBytes(): Uint8Array {
    const { sizeCodes, mapId, checksum } = this;
    const idBytes = this.location.toBytes();
    const bytes = Buffer.alloc(idBytes.length + INT_BYTES + sizeCodes.length + 2 * LONG_BYTES);
    bytes.set(idBytes);
    const codesStart = bytes.writeInt32BE(sizeCodes.length, idBytes.length);
    bytes.set(sizeCodes, codesStart);
    const mapIdEnd = bytes.writeBigInt64BE(mapId, codesStart + sizeCodes.length);
    bytes.writeBigInt64BE(checksum, mapIdEnd);
    return bytes;
  }
}
