/**
 * One file of compressed partitions, written from the first to the last.
 *
 * A partition may be written in several parts: streams of the codec may stand back to back. The
 * checksum of a partition covers its bytes as they are in the file, as Spark's does.
 */
import { Adler32, type CompressionCodec } from "@bm/codec";
import type { Files, OpenFile } from "@bm/transport";

/** Small writes are gathered to this size before they go to the file. */
const WRITE_BYTES = 1024 * 1024;
const READ_BYTES = 1024 * 1024;

/** What lies in the file. */
export interface PartitionsWritten {
  /** Bytes of each partition. */
  readonly lengths: readonly number[];
  /** Adler-32 of each partition; 1, its initial value, for an empty one. */
  readonly checksums: readonly number[];
}

/** See the file comment. */
export class MapOutputFile {
  readonly path: string;
  readonly #file: OpenFile;
  readonly #codec: CompressionCodec | null;
  readonly #lengths: number[] = [];
  readonly #checksums: number[] = [];
  readonly #checksum = new Adler32();
  #partitionBytes = 0;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;

  private constructor(path: string, file: OpenFile, codec: CompressionCodec | null) {
    this.path = path;
    this.#file = file;
    this.#codec = codec;
  }

  /** Creates the file; `codec` null leaves the bytes as they are. */
  static async create(
    files: Files,
    path: string,
    codec: CompressionCodec | null,
  ): Promise<MapOutputFile> {
    return new MapOutputFile(path, await files.open(path, "create-new"), codec);
  }

  /** Adds serialised records to the current partition. The bytes may change once this resolves. */
  async writeRecords(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    const encoder = this.#codec?.createEncoder() ?? null;
    // In steps, so that no second copy of a large partition is made, and others get their turn.
    for (let offset = 0; offset < bytes.length; offset += WRITE_BYTES) {
      const piece = bytes.subarray(offset, offset + WRITE_BYTES);
      if (encoder === null) await this.#append(Uint8Array.from(piece));
      else for (const encoded of encoder.push(piece)) await this.#append(encoded);
    }
    for (const encoded of encoder?.finish() ?? []) await this.#append(encoded);
  }

  /** Adds a part of another file that is in this form already. */
  async copyFrom(file: OpenFile, position: number, length: number): Promise<void> {
    for (let copied = 0; copied < length; ) {
      const piece = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, length - copied));
      const count = await file.read(piece, position + copied);
      if (count !== piece.length) throw new Error(`${this.path}: a spill file became shorter`);
      await this.#append(piece);
      copied += count;
    }
  }

  /** Ends the current partition; the next one begins. */
  endPartition(): void {
    this.#lengths.push(this.#partitionBytes);
    this.#checksums.push(this.#checksum.value);
    this.#partitionBytes = 0;
    this.#checksum.reset();
  }

  /** Writes what is left and closes the file. */
  async finish(): Promise<PartitionsWritten> {
    await this.#flush();
    await this.#file.close();
    return { lengths: this.#lengths, checksums: this.#checksums };
  }

  /** Closes the file as it is. Safe to call twice. */
  close(): Promise<void> {
    return this.#file.close();
  }

  async #append(bytes: Uint8Array): Promise<void> {
    this.#checksum.update(bytes);
    this.#partitionBytes += bytes.length;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes >= WRITE_BYTES) await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#pendingBytes === 0) return;
    const [only] = this.#pending;
    const bytes = this.#pending.length === 1 && only ? only : Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    await this.#file.write(bytes, null);
  }
}
