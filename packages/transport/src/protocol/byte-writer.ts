/** Writes the scalars and sequences that Spark's messages are made of. Big-endian throughout. */
import { type Int64, writeInt64 } from "./int64.ts";
import { utf8Bytes } from "./utf8.ts";

/** Enough for almost every header, so that most messages never grow. */
const INITIAL_BYTES = 128;

/** A growing buffer with a cursor at its end. */
export class ByteWriter {
  #bytes: Buffer;
  #length = 0;

  /** `bytesHint` is the expected size; a wrong guess costs a copy, nothing else. */
  constructor(bytesHint: number = INITIAL_BYTES) {
    this.#bytes = Buffer.allocUnsafe(Math.max(bytesHint, 8));
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  writeInt8(value: number): this {
    const offset = this.#reserve(1);
    this.#bytes.writeInt8(value, offset);
    return this;
  }

  writeUint8(value: number): this {
    const offset = this.#reserve(1);
    this.#bytes.writeUInt8(value, offset);
    return this;
  }

  writeBoolean(value: boolean): this {
    return this.writeInt8(value ? 1 : 0);
  }

  writeInt16(value: number): this {
    const offset = this.#reserve(2);
    this.#bytes.writeInt16BE(value, offset);
    return this;
  }

  writeUint16(value: number): this {
    const offset = this.#reserve(2);
    this.#bytes.writeUInt16BE(value, offset);
    return this;
  }

  writeInt32(value: number): this {
    const offset = this.#reserve(4);
    this.#bytes.writeInt32BE(value, offset);
    return this;
  }

  writeInt64(value: Int64): this {
    const offset = this.#reserve(8);
    writeInt64(this.#bytes, value, offset);
    return this;
  }

  /** int32 length, then UTF-8; an unpaired surrogate becomes `?`, as on the JVM. */
  writeString(value: string): this {
    return this.writeByteArray(utf8Bytes(value));
  }

  /** int32 length, then the bytes. */
  writeByteArray(value: Uint8Array): this {
    return this.writeInt32(value.length).writeBytes(value);
  }

  /** The bytes alone. */
  writeBytes(value: Uint8Array): this {
    const offset = this.#reserve(value.length);
    this.#bytes.set(value, offset);
    return this;
  }

  /** int32 count, then the strings. */
  writeStringArray(values: readonly string[]): this {
    this.writeInt32(values.length);
    for (const value of values) this.writeString(value);
    return this;
  }

  /** int32 count, then the numbers. */
  writeInt32Array(values: readonly number[]): this {
    this.writeInt32(values.length);
    for (const value of values) this.writeInt32(value);
    return this;
  }

  /** int32 count, then the numbers. */
  writeInt64Array(values: readonly Int64[]): this {
    this.writeInt32(values.length);
    for (const value of values) this.writeInt64(value);
    return this;
  }

  /** What was written, as a view that the caller owns; the writer must not be used afterwards. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** May replace the buffer: take the offset before touching `#bytes`. */
  #reserve(bytes: number): number {
    const start = this.#length;
    const needed = start + bytes;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, start);
      this.#bytes = grown;
    }
    this.#length = needed;
    return start;
  }
}
