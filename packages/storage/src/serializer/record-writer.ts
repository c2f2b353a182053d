/**
 * Collects records in one growing buffer.
 *
 *     +-------------+-------------------+
 *     |   length    |      fields       |    length: varint, of the fields alone
 *     +-------------+-------------------+
 *
 * A varint has seven bits a byte, the lowest first; the top bit says that another byte follows.
 */
import { StorageError } from "../storage-error.ts";

/** No record is longer: more than any sensible one, less than what would exhaust a process. */
export const RECORD_BYTES_MAX: number = 256 * 1024 * 1024;

/** The first buffer: small, for a shuffle may have very many partitions with a few records each. */
const INITIAL_BYTES = 256;
const NO_BYTES = Buffer.alloc(0);
/** Strings up to this length are tried as ASCII, character by character: faster than a call to C++. */
const ASCII_TRIAL_CHARACTERS = 48;
const VARINT_BYTES_MAX = 8;
const TWO_POW_7 = 0x80;

/**
 * See the file comment. A field is written between `beginRecord` and `endRecord`. A record of which a
 * field is refused is not to be ended: begin the next one, which takes its place.
 */
export class RecordWriter {
  #bytes: Buffer = NO_BYTES;
  #length = 0;
  #recordStart = 0;
  #recordEnd = 0;

  /** Bytes of the records that were ended. */
  get length(): number {
    return this.#recordEnd;
  }

  /** Bytes of memory that the buffer takes. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** The records that were ended, as a view that is valid until the next write or `clear`. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#recordEnd);
  }

  /** Forgets everything and gives the buffer back. */
  clear(): void {
    this.#bytes = NO_BYTES;
    this.#length = 0;
    this.#recordEnd = 0;
  }

  beginRecord(): void {
    // What a record that was not ended has left is overwritten.
    this.#length = this.#recordEnd;
    this.#recordStart = this.#length;
    // Most records are shorter than 128 bytes; a longer one is moved by what its length needs more.
    this.#reserve(1);
    this.#length += 1;
  }

  /** @throws StorageError VALUE_INVALID - the record is longer than a reader would take. */
  endRecord(): void {
    const start = this.#recordStart;
    const fieldBytes = this.#length - start - 1;
    if (fieldBytes > RECORD_BYTES_MAX) {
      throw new StorageError("VALUE_INVALID", `a record of ${fieldBytes} bytes`);
    }
    if (fieldBytes >= TWO_POW_7) {
      const extra = varintBytes(fieldBytes) - 1;
      this.#reserve(extra);
      this.#bytes.copyWithin(start + 1 + extra, start + 1, this.#length);
      this.#length += extra;
    }
    writeVarint(this.#bytes, fieldBytes, start);
    this.#recordEnd = this.#length;
  }

  /** The fields since `beginRecord`, as a view until the next write; the record is not kept. */
  takeFields(): Buffer {
    return this.#bytes.subarray(this.#recordStart + 1, this.#length);
  }

  /** A whole number from 0 to 2^53 - 1. @throws StorageError VALUE_INVALID for any other. */
  writeVarint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new StorageError("VALUE_INVALID", `${value} is no whole number from 0 to 2^53 - 1`);
    }
    this.#reserve(VARINT_BYTES_MAX);
    this.#length = writeVarint(this.#bytes, value, this.#length);
  }

  writeDouble(value: number): void {
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleBE(value, this.#length);
  }

  /** Varint length, then the bytes. */
  writeBytes(value: Uint8Array): void {
    this.writeVarint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** Varint length, then UTF-8. */
  writeString(value: string): void {
    if (value.length <= ASCII_TRIAL_CHARACTERS && this.#writeAscii(value)) return;
    const byteLength = Buffer.byteLength(value, "utf8");
    this.writeVarint(byteLength);
    this.#reserve(byteLength);
    this.#length += this.#bytes.write(value, this.#length, byteLength, "utf8");
  }

  /** False, with nothing written, when there is a character beyond ASCII. */
  #writeAscii(value: string): boolean {
    const { length } = value;
    this.#reserve(length + 1);
    const bytes = this.#bytes;
    const start = this.#length + 1;
    for (let index = 0; index < length; index += 1) {
      const code = value.charCodeAt(index);
      if (code >= TWO_POW_7) return false;
      bytes[start + index] = code;
    }
    bytes[start - 1] = length;
    this.#length = start + length;
    return true;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2, INITIAL_BYTES));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= TWO_POW_7; rest = Math.floor(rest / TWO_POW_7)) bytes += 1;
  return bytes;
}

function writeVarint(bytes: Buffer, value: number, offset: number): number {
  let rest = value;
  let position = offset;
  while (rest >= TWO_POW_7) {
    bytes[position] = (rest % TWO_POW_7) | TWO_POW_7;
    rest = Math.floor(rest / TWO_POW_7);
    position += 1;
  }
  bytes[position] = rest;
  return position + 1;
}
