import { CodecError } from "../codec-error.ts";
import type { CodecStream, DecodeOptions } from "../compression/codec-stream.ts";
import {
  isEndMark,
  LZ4_HEADER_BYTES,
  type Lz4BlockHeader,
  readLz4BlockHeader,
} from "./lz4-block-header.ts";
import { blockChecksum, decompressRawBlock, LZ4_PREFIX_BYTES } from "./lz4-raw-block.ts";

const NO_BYTES = Buffer.alloc(0);
const STORE_BYTES_MIN = 4096;

/**
 * Reads LZ4 block streams as lz4-java's `LZ4BlockOutputStream` writes them, one or several back to
 * back, whatever their block sizes. Every block is checked against its checksum before it is given
 * out, as one piece. Holds one stored block and gives out one plain block at a time; room for a block
 * grows with the bytes that came, not with the length that a header claims.
 */
export class Lz4BlockDecoder implements CodecStream {
  readonly #maxBytes: number;
  readonly #allowMissingEnd: boolean;
  #state: "open" | "failed" | "finished" = "open";

  /** What was pushed and not taken yet. */
  #input: Uint8Array = NO_BYTES;
  #inputOffset = 0;

  readonly #headerBytes = new Uint8Array(LZ4_HEADER_BYTES);
  #headerLength = 0;
  /** Header of the block whose data is being taken. */
  #block: Lz4BlockHeader | null = null;
  /** Data of that block, behind room for the length that the native library wants. */
  #store: Buffer = NO_BYTES;
  #storeLength = LZ4_PREFIX_BYTES;

  /** Where the header of the block begins in all input, for messages. */
  #blockOffset = 0;
  #plainBytes = 0;
  /** Whether the last header was an end mark: the only place where input may end. */
  #isAtEnd = true;

  /** @throws CodecError OPTION_INVALID */
  constructor(options: DecodeOptions = {}) {
    this.#maxBytes = resolveMaxBytes(options, Number.MAX_SAFE_INTEGER);
    this.#allowMissingEnd = options.allowMissingEnd ?? false;
  }

  /**
   * @throws CodecError STREAM_STATE_INVALID; while pieces are taken also STREAM_CORRUPT,
   *   CHECKSUM_MISMATCH or OUTPUT_TOO_LARGE.
   */
  push(bytes: Uint8Array): Iterable<Uint8Array> {
    this.#assertReady();
    this.#input = bytes;
    this.#inputOffset = 0;
    return this.#takeInput();
  }

  /**
   * Gives nothing: all blocks came out before.
   *
   * @throws CodecError STREAM_TRUNCATED - the input ended inside a block or without an end mark.
   */
  finish(): readonly Uint8Array[] {
    this.#assertReady();
    this.#state = "finished";
    this.#store = NO_BYTES;
    const isCutInBlock = this.#block !== null;
    const isCutBetweenBlocks = !this.#isAtEnd || this.#headerLength > 0;
    if (isCutInBlock || (isCutBetweenBlocks && !this.#allowMissingEnd)) {
      const where = isCutInBlock ? "inside the block" : "without an end mark";
      throw this.#failure("STREAM_TRUNCATED", `input ends ${where}`);
    }
    return [];
  }

  *#takeInput(): Generator<Uint8Array, void, undefined> {
    while (this.#inputOffset < this.#input.length) {
      const plain = this.#block === null ? this.#takeHeader() : this.#takeData(this.#block);
      if (plain !== null) yield plain;
    }
    this.#input = NO_BYTES;
    this.#inputOffset = 0;
  }

  #takeHeader(): null {
    const part = this.#takeAtMost(LZ4_HEADER_BYTES - this.#headerLength);
    this.#headerBytes.set(part, this.#headerLength);
    this.#headerLength += part.length;
    if (this.#headerLength === LZ4_HEADER_BYTES) this.#beginBlock();
    return null;
  }

  #beginBlock(): void {
    const header = readLz4BlockHeader(this.#headerBytes, 0);
    if (typeof header === "string") throw this.#failure("STREAM_CORRUPT", header);
    if (this.#plainBytes + header.plainBytes > this.#maxBytes) {
      throw this.#failure("OUTPUT_TOO_LARGE", `more than ${this.#maxBytes} decompressed bytes`);
    }
    this.#headerLength = 0;
    this.#isAtEnd = isEndMark(header);
    if (this.#isAtEnd) {
      this.#blockOffset += LZ4_HEADER_BYTES;
    } else {
      this.#block = header;
    }
  }

  #takeData(header: Lz4BlockHeader): Uint8Array | null {
    const fullLength = LZ4_PREFIX_BYTES + header.storedBytes;
    const part = this.#takeAtMost(fullLength - this.#storeLength);
    this.#reserve(this.#storeLength + part.length, fullLength);
    this.#store.set(part, this.#storeLength);
    this.#storeLength += part.length;
    return this.#storeLength === fullLength ? this.#endBlock(header) : null;
  }

  /** Makes room for `length`, and for more ahead as long as that stays within twice what came. */
  #reserve(length: number, fullLength: number): void {
    if (this.#store.length >= length) return;
    const ahead = Math.max(STORE_BYTES_MIN, 2 * this.#storeLength);
    const store = Buffer.allocUnsafe(Math.max(length, Math.min(fullLength, ahead)));
    this.#store.copy(store, 0, 0, this.#storeLength);
    this.#store = store;
  }

  #endBlock(header: Lz4BlockHeader): Uint8Array {
    const prefixed = this.#store.subarray(0, this.#storeLength);
    const plain = header.isCompressed
      ? decompressRawBlock(prefixed, header.plainBytes)
      : new Uint8Array(prefixed.subarray(LZ4_PREFIX_BYTES));
    if (plain === null) throw this.#failure("STREAM_CORRUPT", "data that does not decode");
    if (blockChecksum(plain) !== header.checksum) {
      throw this.#failure("CHECKSUM_MISMATCH", "checksum does not match");
    }
    this.#blockOffset += LZ4_HEADER_BYTES + header.storedBytes;
    this.#plainBytes += header.plainBytes;
    this.#block = null;
    this.#storeLength = LZ4_PREFIX_BYTES;
    return plain;
  }

  #takeAtMost(length: number): Uint8Array {
    const part = this.#input.subarray(this.#inputOffset, this.#inputOffset + length);
    this.#inputOffset += part.length;
    return part;
  }

  #assertReady(): void {
    if (this.#state !== "open") {
      throw new CodecError("STREAM_STATE_INVALID", `the LZ4 decoder is ${this.#state}`);
    }
    if (this.#inputOffset < this.#input.length) {
      const detail = "the pieces of the last push were not all taken";
      throw new CodecError("STREAM_STATE_INVALID", detail);
    }
  }

  /** Also ends the stream: behind a failure nothing can be trusted. */
  #failure(
    code: "STREAM_CORRUPT" | "STREAM_TRUNCATED" | "CHECKSUM_MISMATCH" | "OUTPUT_TOO_LARGE",
    what: string,
  ): CodecError {
    this.#state = "failed";
    this.#store = NO_BYTES;
    return new CodecError(code, `${what} (LZ4 block at byte ${this.#blockOffset})`);
  }
}

/** The limit that `options` set. @throws CodecError OPTION_INVALID */
export function resolveMaxBytes(options: DecodeOptions, byDefault: number): number {
  const { maxBytes = byDefault } = options;
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 0) {
    throw new CodecError("OPTION_INVALID", `maxBytes ${maxBytes}`);
  }
  return maxBytes;
}
