import { CodecError } from "../codec-error.ts";
import type { CodecStream } from "../compression/codec-stream.ts";
import { encodeLz4Block, encodeLz4EndMark } from "./lz4-block.ts";
import { levelOf } from "./lz4-block-header.ts";

/** Plain bytes of a block unless told otherwise: the default of `spark.io.compression.lz4.blockSize`. */
export const LZ4_BLOCK_BYTES_DEFAULT: number = 32 * 1024;
/** What lz4-java allows. */
const BLOCK_BYTES_MIN = 64;
const BLOCK_BYTES_MAX = 32 * 1024 * 1024;

/** Settings of an {@link Lz4BlockEncoder}. */
export interface Lz4EncodeOptions {
  /** Largest number of plain bytes in one block, from 64 to 32 MiB. Default: 32 KiB. */
  readonly blockBytes?: number;
}

/**
 * Writes an LZ4 block stream that lz4-java's `LZ4BlockInputStream` reads. Blocks are cut where
 * lz4-java cuts them: every `blockBytes` of the input, however it is pushed. `push` borrows its bytes
 * for the call, holds less than one block, and gives each block as one piece.
 */
export class Lz4BlockEncoder implements CodecStream {
  readonly #blockBytes: number;
  readonly #level: number;
  /** Start of a block that is not full yet. Allocated only when input is not cut at blocks. */
  #pending: Buffer | null = null;
  #pendingBytes = 0;
  #isFinished = false;

  /** @throws CodecError OPTION_INVALID */
  constructor(options: Lz4EncodeOptions = {}) {
    this.#blockBytes = resolveBlockBytes(options);
    this.#level = levelOf(this.#blockBytes);
  }

  /** @throws CodecError STREAM_STATE_INVALID - after `finish`. */
  push(bytes: Uint8Array): Uint8Array[] {
    this.#assertOpen();
    const blocks: Uint8Array[] = [];
    let offset = 0;
    while (offset < bytes.length) {
      const part = bytes.subarray(offset, offset + this.#blockBytes - this.#pendingBytes);
      offset += part.length;
      if (part.length === this.#blockBytes) {
        blocks.push(encodeLz4Block(part, this.#level));
      } else if (this.#hold(part) === this.#blockBytes) {
        blocks.push(...this.#encodePending());
      }
    }
    return blocks;
  }

  /** The last block, if any, and the end mark. @throws CodecError STREAM_STATE_INVALID - second call. */
  finish(): Uint8Array[] {
    this.#assertOpen();
    this.#isFinished = true;
    const last = this.#encodePending();
    this.#pending = null;
    return [...last, encodeLz4EndMark(this.#level)];
  }

  /** @returns how many bytes are held now. */
  #hold(part: Uint8Array): number {
    this.#pending ??= Buffer.allocUnsafeSlow(this.#blockBytes);
    this.#pending.set(part, this.#pendingBytes);
    this.#pendingBytes += part.length;
    return this.#pendingBytes;
  }

  #encodePending(): Uint8Array[] {
    if (this.#pending === null || this.#pendingBytes === 0) return [];
    const plain = this.#pending.subarray(0, this.#pendingBytes);
    this.#pendingBytes = 0;
    return [encodeLz4Block(plain, this.#level)];
  }

  #assertOpen(): void {
    if (this.#isFinished) {
      throw new CodecError("STREAM_STATE_INVALID", "the LZ4 encoder was finished before");
    }
  }
}

/** The block size that `options` set. @throws CodecError OPTION_INVALID */
export function resolveBlockBytes(options: Lz4EncodeOptions): number {
  const { blockBytes = LZ4_BLOCK_BYTES_DEFAULT } = options;
  const isInRange = blockBytes >= BLOCK_BYTES_MIN && blockBytes <= BLOCK_BYTES_MAX;
  if (!Number.isInteger(blockBytes) || !isInRange) {
    const detail = `blockBytes ${blockBytes}, must be from ${BLOCK_BYTES_MIN} to ${BLOCK_BYTES_MAX}`;
    throw new CodecError("OPTION_INVALID", detail);
  }
  return blockBytes;
}
