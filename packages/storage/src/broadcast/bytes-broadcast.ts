/**
 * Bytes for every executor, in pieces that are blocks: whoever has read a piece serves it to the others, so
 * that the driver sends each but a few times. What executors need to read them:
 *
 *     +-----------+----------------+--------------------+-----------------------+
 *     | id: int64 | length: uint32 | piece size: uint32 | Adler-32 of each: u32 |    big-endian
 *     +-----------+----------------+--------------------+-----------------------+
 */
import { broadcastBlockId, StorageLevel } from "@bm/block";
import { Adler32 } from "@bm/codec";
import type { BlockManagerMaster, StatusesBroadcast } from "@bm/master";
import { type Logger, nodePlatform, type Random, silentLogger } from "@bm/transport";
import type { BlockManager } from "../block-manager/block-manager.ts";
import { StorageError } from "../storage-error.ts";

/** What {@link BytesBroadcast} works with. */
export interface BytesBroadcastOptions {
  readonly blocks: BlockManager;
  readonly master: BlockManagerMaster;
  /** Bytes of a piece (`spark.broadcast.blockSize`). Default: 4 MiB. */
  readonly pieceBytes?: number | undefined;
  /** Default: that of the real machine. */
  readonly random?: Random | undefined;
  /** Told of removals that failed. Default: says nothing. */
  readonly logger?: Logger | undefined;
}

interface Handle {
  readonly id: bigint;
  readonly length: number;
  readonly pieceBytes: number;
  readonly checksums: readonly number[];
}

const PIECE_BYTES_DEFAULT = 4 * 1024 * 1024;
/** A handle that says more is none of ours; so much memory is taken before a piece has come. */
const PIECE_BYTES_MAX = 64 * 1024 * 1024;
const LONG_BYTES = 8;
const INT_BYTES = 4;
const HEAD_BYTES = LONG_BYTES + 2 * INT_BYTES;
/** Ids of users count from 0; these are drawn far above them. */
const ID_BASE = 2n ** 62n;
const ID_BOUND = 2 ** 48;

/** See the file comment. Used on the driver and on executors alike. */
export class BytesBroadcast implements StatusesBroadcast {
  readonly #options: BytesBroadcastOptions;
  readonly #random: Random;

  constructor(options: BytesBroadcastOptions) {
    this.#options = options;
    this.#random = options.random ?? nodePlatform().random;
  }

  /** @throws StorageError BLOCK_NOT_STORED - no room for a piece; those that were stored go (rejects). */
  async write(bytes: Uint8Array): Promise<Uint8Array> {
    const { pieceBytes = PIECE_BYTES_DEFAULT } = this.#options;
    const id = ID_BASE + BigInt(this.#random.below(ID_BOUND));
    const checksums: number[] = [];
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes);
      const isStored = await this.#put(id, checksums.length, piece);
      if (!isStored) {
        this.#remove(id);
        throw new StorageError(
          "BLOCK_NOT_STORED",
          `no room for piece ${checksums.length} of ${id}`,
        );
      }
      checksums.push(new Adler32().update(piece).value);
    }
    return encodeHandle({ id, length: bytes.length, pieceBytes, checksums });
  }

  /** @throws StorageError BLOCK_NOT_FOUND, BLOCK_DAMAGED (rejects). */
  async read(handle: Uint8Array): Promise<Uint8Array> {
    const { checksums, id, length, pieceBytes } = decodeHandle(handle);
    const bytes = Buffer.allocUnsafeSlow(length);
    // In another order everywhere, so that executors have something for each other.
    for (const index of shuffled(checksums.length, this.#random)) {
      const piece = bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes);
      await this.#readPiece(id, index, piece, checksums[index] ?? 0);
    }
    return bytes;
  }

  destroy(handle: Uint8Array): void {
    this.#remove(decodeHandle(handle).id);
  }

  async #readPiece(id: bigint, index: number, into: Uint8Array, checksum: number): Promise<void> {
    const { blocks } = this.#options;
    const blockId = broadcastBlockId(id, `piece${index}`);
    const local = await blocks.getLocal(blockId);
    const buffer = local ?? (await blocks.getRemote(blockId));
    if (buffer === null) throw new StorageError("BLOCK_NOT_FOUND", `${blockId.name} is gone`);
    try {
      const found = await buffer.bytes();
      const isWhole =
        found.length === into.length && new Adler32().update(found).value === checksum;
      if (!isWhole) throw new StorageError("BLOCK_DAMAGED", `${blockId.name} is damaged`);
      into.set(found);
    } finally {
      buffer.release();
    }
    // Without room for it others read it elsewhere.
    if (local === null) await this.#put(id, index, Uint8Array.from(into));
  }

  #put(id: bigint, index: number, piece: Uint8Array): Promise<boolean> {
    const blockId = broadcastBlockId(id, `piece${index}`);
    return this.#options.blocks.put(blockId, piece, StorageLevel.MEMORY_AND_DISK_SER);
  }

  #remove(id: bigint): void {
    const { logger = silentLogger, master } = this.#options;
    master.removeBroadcast(id).catch((error: unknown) => {
      logger.warn(`removing broadcast ${id}: ${String(error)}`);
    });
  }
}

function encodeHandle({ checksums, id, length, pieceBytes }: Handle): Uint8Array {
  const bytes = Buffer.alloc(HEAD_BYTES + checksums.length * INT_BYTES);
  let at = bytes.writeBigInt64BE(id);
  for (const value of [length, pieceBytes, ...checksums]) at = bytes.writeUInt32BE(value, at);
  return bytes;
}

/** @throws StorageError BLOCK_DAMAGED */
function decodeHandle(handle: Uint8Array): Handle {
  const bytes = Buffer.from(handle.buffer, handle.byteOffset, handle.byteLength);
  const count = (bytes.length - HEAD_BYTES) / INT_BYTES;
  if (!Number.isInteger(count) || count < 0) {
    throw new StorageError("BLOCK_DAMAGED", `a handle of ${bytes.length} bytes`);
  }
  const id = bytes.readBigInt64BE();
  const length = bytes.readUInt32BE(LONG_BYTES);
  const pieceBytes = bytes.readUInt32BE(LONG_BYTES + INT_BYTES);
  if (pieceBytes > PIECE_BYTES_MAX || Math.ceil(length / pieceBytes) !== count) {
    throw new StorageError("BLOCK_DAMAGED", `${length} bytes in ${count} pieces of ${pieceBytes}`);
  }
  const checksums = Array.from({ length: count }, (_, index) => {
    return bytes.readUInt32BE(HEAD_BYTES + index * INT_BYTES);
  });
  return { id, length, pieceBytes, checksums };
}

/** The numbers below `count`, in an order by lot. */
function shuffled(count: number, random: Random): number[] {
  const numbers = Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [numbers[last], numbers[other]] = [numbers[other] ?? 0, numbers[last] ?? 0];
  }
  return numbers;
}
