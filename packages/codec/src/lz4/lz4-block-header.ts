/**
 * The header before each block of an LZ4 block stream, as lz4-java writes it.
 *
 *     0            8       9             13           17         21
 *     +------------+-------+-------------+------------+----------+-------------+
 *     | "LZ4Block" | token | storedBytes | plainBytes | checksum | stored data |
 *     +------------+-------+-------------+------------+----------+-------------+
 *
 * token: upper half is the method (1 as it is, 2 LZ4), lower half n bounds the block: plainBytes is at
 * most 2^(10 + n). The lengths are int32 and the checksum is uint32, all little-endian; the checksum
 * is XXH32 of the plain bytes without its upper four bits. Lengths and checksum of zero mark the end
 * of a stream; another stream may follow.
 */

/** Bytes of a header. */
export const LZ4_HEADER_BYTES = 21;

const MAGIC_FIRST = 0x4c5a_3442;
const MAGIC_LAST = 0x6c6f_636b;
const TOKEN_OFFSET = 8;
const STORED_BYTES_OFFSET = 9;
const PLAIN_BYTES_OFFSET = 13;
const CHECKSUM_OFFSET = 17;

const METHOD_RAW = 0x10;
const METHOD_LZ4 = 0x20;
const METHOD_MASK = 0xf0;
const LEVEL_MASK = 0x0f;
const LEVEL_BASE = 10;

/** No LZ4 byte can stand for more plain bytes than this. */
const LZ4_RATIO_MAX = 255;
const LZ4_OVERHEAD_BYTES = 16;

/** The fields of a header. */
export interface Lz4BlockHeader {
  /** Stored as LZ4 (true) or as it is. */
  readonly isCompressed: boolean;
  /** The block has at most 2^(10 + level) plain bytes. */
  readonly level: number;
  readonly storedBytes: number;
  readonly plainBytes: number;
  readonly checksum: number;
}

/** The level that a stream with blocks of `blockBytes` carries in every token. */
export function levelOf(blockBytes: number): number {
  const bits = 32 - Math.clz32(blockBytes - 1);
  return Math.max(0, bits - LEVEL_BASE);
}

/** Writes a header at the start of `target`. */
export function writeLz4BlockHeader(target: Uint8Array, header: Lz4BlockHeader): void {
  const view = new DataView(target.buffer, target.byteOffset, LZ4_HEADER_BYTES);
  view.setUint32(0, MAGIC_FIRST);
  view.setUint32(4, MAGIC_LAST);
  view.setUint8(TOKEN_OFFSET, (header.isCompressed ? METHOD_LZ4 : METHOD_RAW) | header.level);
  view.setInt32(STORED_BYTES_OFFSET, header.storedBytes, true);
  view.setInt32(PLAIN_BYTES_OFFSET, header.plainBytes, true);
  view.setUint32(CHECKSUM_OFFSET, header.checksum, true);
}

/**
 * Reads the header at `offset`, where the caller knows that 21 bytes are, and judges all of it before
 * one byte of the block is held.
 *
 * @returns the header, or in words what is wrong with it.
 */
export function readLz4BlockHeader(bytes: Uint8Array, offset: number): Lz4BlockHeader | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, LZ4_HEADER_BYTES);
  if (view.getUint32(0) !== MAGIC_FIRST || view.getUint32(4) !== MAGIC_LAST) {
    return "no block header";
  }
  const token = view.getUint8(TOKEN_OFFSET);
  const method = token & METHOD_MASK;
  if (method !== METHOD_RAW && method !== METHOD_LZ4) return `unknown method ${method >> 4}`;
  const header = {
    isCompressed: method === METHOD_LZ4,
    level: token & LEVEL_MASK,
    storedBytes: view.getInt32(STORED_BYTES_OFFSET, true),
    plainBytes: view.getInt32(PLAIN_BYTES_OFFSET, true),
    checksum: view.getUint32(CHECKSUM_OFFSET, true),
  };
  return faultOf(header) ?? header;
}

/** Whether the header ends a stream. Only for headers that were read without a fault. */
export function isEndMark(header: Lz4BlockHeader): boolean {
  return header.plainBytes === 0;
}

function faultOf({
  isCompressed,
  level,
  storedBytes,
  plainBytes,
  checksum,
}: Lz4BlockHeader): string | null {
  const lengths = `stored length ${storedBytes}, plain length ${plainBytes}`;
  if (storedBytes < 0 || plainBytes < 0) return `negative length: ${lengths}`;
  if (plainBytes > 2 ** (LEVEL_BASE + level))
    return `plain length above the block size: ${lengths}`;
  if (plainBytes === 0 || storedBytes === 0) {
    if (plainBytes !== storedBytes) return `only one length is zero: ${lengths}`;
    return checksum === 0 ? null : "end mark with a checksum";
  }
  if (!isCompressed) return storedBytes === plainBytes ? null : `lengths differ: ${lengths}`;
  // lz4-java lets these pass and fails later, after it allocated what the lengths say.
  const storedMax = plainBytes + Math.floor(plainBytes / LZ4_RATIO_MAX) + LZ4_OVERHEAD_BYTES;
  const isPossible = storedBytes <= storedMax && plainBytes <= storedBytes * LZ4_RATIO_MAX;
  return isPossible ? null : `lengths that LZ4 cannot give: ${lengths}`;
}
