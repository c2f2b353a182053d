/**
 * A part of a file as the body of a message.
 *
 * Read in large pieces into two buffers that take turns: while a consumer sends one piece it asks
 * for the next, so that disk and socket work at the same time. What is in memory is read into one, when
 * the piece before was sent. No byte is kept beyond that, however long the segment is.
 */
import { type FileStat, type Files, isSameFile, type OpenFile } from "../platform/platform.ts";
import { TransportError } from "../transport-error.ts";
import type { BufferPool } from "./buffer-pool.ts";
import { BytesManagedBuffer } from "./bytes-managed-buffer.ts";
import { type FileSegment, readSegmentNow } from "./file-segment.ts";
import { type BodyReader, ManagedBuffer } from "./managed-buffer.ts";
import { readBuffers } from "./read-buffers.ts";
import { readExactly, readRest } from "./read-exactly.ts";

/**
 * A segment up to here is read at once into a buffer of its own length. Small blocks are many: opening,
 * reading and closing are the only three trips to the thread pool, and nobody waits for the last.
 */
const WHOLE_BYTES_MAX = 256 * 1024;

/** What {@link FileSegmentManagedBuffer} takes. */
export interface FileSegmentOptions extends FileSegment {
  /** Gives the buffers for reading, and with them the length of the pieces. Default: 512 KiB each. */
  readonly pool?: BufferPool | undefined;
}

/** See the file comment. Holds nothing until it is opened; may be opened more than once. */
export class FileSegmentManagedBuffer extends ManagedBuffer implements FileSegment {
  readonly files: Files;
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  readonly file: FileStat | undefined;
  readonly #pool: BufferPool;

  /** @throws TransportError OPTION_INVALID when offset or length cannot be those of a file. */
  constructor(options: FileSegmentOptions) {
    super();
    const { files, path, offset, length, pool = readBuffers } = options;
    const isSane = offset >= 0 && length >= 0 && Number.isSafeInteger(offset + length);
    if (!isSane || !Number.isSafeInteger(offset)) {
      throw new TransportError("OPTION_INVALID", `segment of ${path}: ${offset}+${length}`);
    }
    this.path = path;
    this.offset = offset;
    this.length = length;
    this.files = files;
    this.file = options.file;
    this.#pool = pool;
  }

  get size(): number {
    return this.length;
  }

  override get segment(): FileSegment {
    return this;
  }

  /**
   * Opens the file and makes sure that the whole segment is there, before the first piece is given.
   * @throws TransportError BODY_UNAVAILABLE (rejects) when the file is missing, too short, or another
   *   one than was wanted.
   */
  async open(): Promise<BodyReader> {
    const isPooled = this.length > WHOLE_BYTES_MAX || this.length >= this.#pool.bufferBytes;
    if (isPooled) return new SegmentReader(await this.#openChecked(), this, this.#pool);
    return new BytesManagedBuffer(await this.bytes()).open();
  }

  /** One read into one buffer, which the caller owns. @throws as `open`. */
  override async bytes(): Promise<Uint8Array> {
    const whole = Buffer.allocUnsafeSlow(this.length);
    if (this.length > 0 && readSegmentNow(this, whole) === this.length) return whole;
    const file = await this.#openFile();
    try {
      const position = this.offset;
      const countNow = this.length === 0 ? 0 : file.readNow(whole, position);
      const count = await readRest(file, this.path, whole, { position, count: countNow });
      // Where any file will do, its length is of interest only when the bytes are not there.
      const isAsked = count < this.length || this.length === 0 || this.file !== undefined;
      if (isAsked) await this.#check(file);
      return whole;
    } finally {
      // Nothing was written, so closing cannot lose anything.
      file.close().catch(() => {});
    }
  }

  async #openFile(): Promise<OpenFile> {
    try {
      return await this.files.open(this.path, "read");
    } catch (error) {
      // The path alone is what a peer on the JVM is told, and logs, about a missing file.
      throw new TransportError("BODY_UNAVAILABLE", this.path, { cause: error });
    }
  }

  async #openChecked(): Promise<OpenFile> {
    const openNow = this.files.openNow(this.path);
    if (openNow !== null && this.#isThere(openNow)) return openNow;
    const file = openNow ?? (await this.#openFile());
    try {
      await this.#check(file);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Whether all of the segment is known to be there, by its last byte. */
  #isThere(file: OpenFile): boolean {
    if (this.file !== undefined) {
      const found = file.statNow();
      if (found === null || !isSameFile(found, this.file)) return false;
    }
    return file.readNow(Buffer.allocUnsafe(1), this.offset + this.length - 1) === 1;
  }

  async #check(file: OpenFile): Promise<void> {
    const found = await file.stat().catch((error: unknown) => {
      throw new TransportError("BODY_UNAVAILABLE", this.path, { cause: error });
    });
    if (this.file !== undefined && !isSameFile(found, this.file)) {
      throw new TransportError("BODY_UNAVAILABLE", `${this.path} was written anew meanwhile`);
    }
    if (found.bytes >= this.offset + this.length) return;
    const wanted = `${this.length} bytes at ${this.offset}`;
    const message = `${this.path} has ${found.bytes} bytes, too few for ${wanted}`;
    throw new TransportError("BODY_UNAVAILABLE", message);
  }
}

class SegmentReader implements BodyReader {
  readonly #file: OpenFile;
  readonly #segment: FileSegment;
  readonly #pool: BufferPool;
  /** The two that take turns, taken from the pool when first needed. */
  readonly #buffers: [Buffer | null, Buffer | null] = [null, null];
  #turn: 0 | 1 = 0;
  #readBytes = 0;
  #isComplete = false;
  #isInMemory = false;
  #reading: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | null = null;

  constructor(file: OpenFile, segment: FileSegment, pool: BufferPool) {
    this.#file = file;
    this.#segment = segment;
    this.#pool = pool;
  }

  get isInMemory(): boolean {
    return this.#isInMemory;
  }

  async next(): Promise<Uint8Array | null> {
    const { path, offset, length } = this.#segment;
    const restBytes = length - this.#readBytes;
    if (restBytes === 0) {
      this.#isComplete = true;
      return null;
    }
    if (this.#closing !== null) throw new TransportError("BODY_RELEASED", `${path} is closed`);
    const buffer = this.#nextBuffer();
    const piece = buffer.subarray(0, Math.min(restBytes, buffer.length));
    const position = offset + this.#readBytes;
    const count = this.#file.readNow(piece, position);
    this.#isInMemory = count === piece.length;
    if (!this.#isInMemory) {
      const reading = readExactly(this.#file, path, piece, { position, count });
      this.#reading = reading.catch(() => {});
      await reading;
    }
    this.#readBytes += piece.length;
    return piece;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // The disk may still be writing into a buffer.
    await this.#reading;
    for (const buffer of this.#buffers) {
      // After a reading that broke off, pieces may still be on their way to a socket. Then the
      // buffers are not given to anybody else.
      if (buffer !== null && this.#isComplete) this.#pool.put(buffer);
    }
    await this.#file.close();
  }

  /** The other one, unless the piece before is done with. */
  #nextBuffer(): Buffer {
    if (!this.#isInMemory) this.#turn = this.#turn === 0 ? 1 : 0;
    const buffer = this.#buffers[this.#turn] ?? this.#pool.take();
    this.#buffers[this.#turn] = buffer;
    return buffer;
  }
}
