/**
 * Reads the records that a RecordWriter wrote, from pieces cut anywhere. Every length is compared
 * with what is there before it is trusted.
 */
import { StorageError } from "../storage-error.ts";
import { RECORD_BYTES_MAX } from "./record-writer.ts";

const VARINT_BYTES_MAX = 8;

/** See the file comment. */
export class RecordReader {
  #bytes: Buffer = Buffer.alloc(0);
  /** `#bytes` is a piece that may be overwritten once its records are read. */
  #isBorrowed = false;
  #offset = 0;
  /** Where the fields of the current record end. */
  #end = 0;
  /** Pieces behind `#bytes` that are not joined yet, because a record needs more than they have. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** Bytes from `#offset` on that the next record takes, as far as its length is known. */
  #wanted = 0;

  /** Takes the next piece. Borrowed: it may be overwritten once `nextRecord` has given false. */
  push(piece: Uint8Array): void {
    const isEnough =
      this.#bytes.length - this.#offset + this.#waitingBytes + piece.length >= this.#wanted;
    // A record that spans many pieces is joined once, not once per piece.
    this.#waiting.push(isEnough ? piece : Uint8Array.from(piece));
    this.#waitingBytes += piece.length;
    if (isEnough) this.#join();
  }

  /**
   * Moves to the next record that is complete; false when more bytes are needed.
   * @throws StorageError RECORD_MALFORMED.
   */
  nextRecord(): boolean {
    const { length, bytesRead } = this.#peekLength();
    if (bytesRead === 0) return this.#waitForMore();
    const start = this.#offset + bytesRead;
    if (length > RECORD_BYTES_MAX) throw malformed(`a record of ${length} bytes`);
    if (length > this.#bytes.length - start) {
      this.#wanted = bytesRead + length;
      return this.#waitForMore();
    }
    this.#offset = start;
    this.#end = start + length;
    this.#wanted = 0;
    return true;
  }

  /** The record must have been read to its end. @throws StorageError RECORD_MALFORMED. */
  endRecord(): void {
    if (this.#offset !== this.#end) throw malformed("fields are shorter than their record");
  }

  /** Nothing may be left over. @throws StorageError RECORD_MALFORMED. */
  finish(): void {
    const left = this.#bytes.length - this.#offset + this.#waitingBytes;
    if (left > 0) throw malformed(`${left} bytes of an incomplete record`);
  }

  readVarint(): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < VARINT_BYTES_MAX; count += 1) {
      if (this.#offset >= this.#end) throw malformed("a number beyond the end of its record");
      const byte = this.#bytes[this.#offset] ?? 0;
      this.#offset += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return this.#checkSafe(value);
      factor *= 0x80;
    }
    throw malformed("a number of too many bytes");
  }

  readDouble(): number {
    return this.#bytes.readDoubleBE(this.#take(8));
  }

  /** A view that is valid until the next `push`. */
  readBytes(): Uint8Array {
    const length = this.readVarint();
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  readString(): string {
    const length = this.readVarint();
    const start = this.#take(length);
    return this.#bytes.toString("utf8", start, start + length);
  }

  /** What is left of a borrowed piece belongs to a record that goes on in the next one. */
  #waitForMore(): false {
    if (this.#isBorrowed) {
      this.#bytes = Buffer.from(this.#bytes.subarray(this.#offset));
      this.#offset = 0;
      this.#isBorrowed = false;
    }
    return false;
  }

  #join(): void {
    const [only] = this.#waiting;
    const isAlone = this.#waiting.length === 1 && this.#offset === this.#bytes.length;
    this.#isBorrowed = isAlone;
    this.#bytes =
      isAlone && only !== undefined
        ? Buffer.from(only.buffer, only.byteOffset, only.byteLength)
        : Buffer.concat([this.#bytes.subarray(this.#offset), ...this.#waiting]);
    this.#offset = 0;
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  /** Gives 0 bytes read when the length itself is not complete. */
  #peekLength(): { length: number; bytesRead: number } {
    let length = 0;
    let factor = 1;
    for (let index = 0; index < VARINT_BYTES_MAX; index += 1) {
      const byte = this.#bytes[this.#offset + index];
      if (byte === undefined) return { length: 0, bytesRead: 0 };
      length += (byte & 0x7f) * factor;
      if (byte < 0x80) return { length, bytesRead: index + 1 };
      factor *= 0x80;
    }
    throw malformed("a record length of too many bytes");
  }

  #take(bytes: number): number {
    const start = this.#offset;
    if (bytes > this.#end - start) throw malformed("a field beyond the end of its record");
    this.#offset = start + bytes;
    return start;
  }

  #checkSafe(value: number): number {
    if (!Number.isSafeInteger(value)) throw malformed("a number above 2^53");
    return value;
  }
}

function malformed(detail: string): StorageError {
  return new StorageError("RECORD_MALFORMED", `records are malformed: ${detail}`);
}
