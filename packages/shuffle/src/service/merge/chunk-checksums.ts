/**
 * Checksums of the chunks of a merged partition, in a file beside the three that Spark knows.
 *
 *     "bmchunks"               8 bytes
 *     int32  version           1: CRC-32 of each chunk
 *     int32  count
 *     uint32 values[count]
 *     uint32 CRC-32 of everything before
 *
 * Written once, when merging ends: what is not finalised does not outlive the process anyway. A file
 * that is missing or damaged says nothing about the data.
 */
import { crc32 } from "node:zlib";
import type { Files } from "@bm/transport";

const MAGIC = "bmchunks";
const VERSION = 1;
const HEADER_BYTES = 16;
const VALUE_BYTES = 4;
/** About four million chunks; a partition of Spark's least size has half a thousand a gigabyte. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

/** Values of the chunks of one partition while it grows. */
export class ChunkChecksums {
  readonly #values: number[] = [];
  /** Of what is committed of the chunk that is open. */
  #committed = 0;
  /** With the block that is being written; without one the same. */
  #pending = 0;

  /** A block begins: what was added of one that broke off does not count. */
  beginBlock(): void {
    this.#pending = this.#committed;
  }

  /** The next bytes of the block. */
  add(bytes: Uint8Array): void {
    this.#pending = crc32(bytes, this.#pending);
  }

  /** The block belongs to the chunk from now on. */
  commitBlock(): void {
    this.#committed = this.#pending;
  }

  /** The chunk is complete, and another one begins. */
  closeChunk(): void {
    this.#values.push(this.#committed);
    this.#committed = 0;
    this.#pending = 0;
  }

  /** Content of the file. */
  encode(): Uint8Array {
    const bytes = Buffer.alloc(HEADER_BYTES + VALUE_BYTES * (this.#values.length + 1));
    bytes.write(MAGIC, 0, "latin1");
    bytes.writeInt32BE(VERSION, 8);
    bytes.writeInt32BE(this.#values.length, 12);
    for (const [index, value] of this.#values.entries()) {
      bytes.writeUInt32BE(value, HEADER_BYTES + VALUE_BYTES * index);
    }
    const end = bytes.length - VALUE_BYTES;
    bytes.writeUInt32BE(crc32(bytes.subarray(0, end)), end);
    return bytes;
  }
}

/** CRC-32 that was written for a chunk; null when nothing is known of it. Never rejects. */
export async function readChunkChecksum(
  files: Files,
  path: string,
  chunkId: number,
): Promise<number | null> {
  try {
    const stat = await files.stat(path);
    if (stat?.isFile !== true || stat.bytes > FILE_BYTES_MAX) return null;
    return valueIn(Buffer.from(await files.readFile(path)), chunkId);
  } catch {
    return null;
  }
}

function valueIn(bytes: Buffer, chunkId: number): number | null {
  const end = bytes.length - VALUE_BYTES;
  if (end < HEADER_BYTES || bytes.toString("latin1", 0, 8) !== MAGIC) return null;
  if (bytes.readInt32BE(8) !== VERSION) return null;
  const count = bytes.readInt32BE(12);
  if (end !== HEADER_BYTES + VALUE_BYTES * count || chunkId < 0 || chunkId >= count) return null;
  if (bytes.readUInt32BE(end) !== crc32(bytes.subarray(0, end))) return null;
  return bytes.readUInt32BE(HEADER_BYTES + VALUE_BYTES * chunkId);
}
