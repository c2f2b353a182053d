/**
 * Reads the scalars and sequences that Spark's messages are made of. Big-endian throughout.
 *
 * Every length is compared with the bytes that are there before anything is allocated. Each method
 * throws TransportError MESSAGE_MALFORMED when the input ends too early.
 */
import { TransportError } from "../transport-error.ts";
import { type Int64, readInt64 } from "./int64.ts";

/** A cursor over one message. Views that it gives out share the message's memory. */
export class ByteReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  readInt8(): number {
    return this.#bytes.readInt8(this.#take(1));
  }

  readUint8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  /** Any byte but 0 is true. */
  readBoolean(): boolean {
    return this.readInt8() !== 0;
  }

  readInt16(): number {
    return this.#bytes.readInt16BE(this.#take(2));
  }

  readUint16(): number {
    return this.#bytes.readUInt16BE(this.#take(2));
  }

  readInt32(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  readInt64(): Int64 {
    return readInt64(this.#bytes, this.#take(8));
  }

  readBigInt64(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8));
  }

  /** int32 length, then UTF-8; malformed sequences become U+FFFD. */
  readString(): string {
    const length = this.#readCount(1);
    const start = this.#take(length);
    return this.#bytes.toString("utf8", start, start + length);
  }

  /** int32 length, then that many bytes, as a view. */
  readByteArray(): Buffer {
    return this.readBytes(this.#readCount(1));
  }

  /** The next `length` bytes, as a view. */
  readBytes(length: number): Buffer {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** int32 count, then that many strings. */
  readStringArray(): string[] {
    return this.#readArray(4, () => this.readString());
  }

  /** int32 count, then that many int32. */
  readInt32Array(): number[] {
    return this.#readArray(4, () => this.readInt32());
  }

  /** int32 count, then that many int64. */
  readInt64Array(): Int64[] {
    return this.#readArray(8, () => this.readInt64());
  }

  /** int32 count, then that many int64, all as bigint. */
  readBigInt64Array(): bigint[] {
    return this.#readArray(8, () => this.readBigInt64());
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** Everything that is left, as a view. */
  rest(): Buffer {
    const rest = this.#bytes.subarray(this.#offset);
    this.#offset = this.#bytes.length;
    return rest;
  }

  #readArray<Element>(elementBytesMin: number, readElement: () => Element): Element[] {
    const count = this.#readCount(elementBytesMin);
    const elements: Element[] = [];
    for (let index = 0; index < count; index += 1) elements.push(readElement());
    return elements;
  }

  /** A length or count that the rest of the message can hold. */
  #readCount(elementBytesMin: number): number {
    const count = this.readInt32();
    if (count < 0 || count * elementBytesMin > this.remaining) {
      throw malformed(`a length of ${count} where ${this.remaining} bytes are left`);
    }
    return count;
  }

  #take(length: number): number {
    const start = this.#offset;
    if (length < 0 || length > this.#bytes.length - start) {
      throw malformed(`${length} bytes wanted where ${this.remaining} are left`);
    }
    this.#offset = start + length;
    return start;
  }
}

function malformed(detail: string): TransportError {
  return new TransportError("MESSAGE_MALFORMED", `message is malformed: ${detail}`, {
    javaClass: "java.lang.IndexOutOfBoundsException",
  });
}
