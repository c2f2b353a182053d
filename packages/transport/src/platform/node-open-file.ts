/**
 * One open file by its descriptor. Reads and writes go on until all bytes went through.
 *
 * Not a FileHandle: one that somebody forgets to close makes Node end the whole process when it is
 * collected, and its reads cost more. In return it is this class that keeps a descriptor open until
 * nothing is under way on it; the system would give its number to the next file at once.
 */
import fs from "node:fs";
import { promisify } from "node:util";
import type { CachedReads } from "./cached-reads.ts";
import { fileFailed } from "./node-error.ts";
import type { FileStat, OpenFile } from "./platform.ts";
import { systemError } from "./system-error.ts";

const fstat = promisify(fs.fstat);
const fsync = promisify(fs.fsync);
const ftruncate = promisify(fs.ftruncate);
const closeDescriptor = promisify(fs.close);
const { closeSync } = fs;

/** How the file was opened. */
export interface NodeOpenFileOptions {
  /** Where a write at the end goes: the length of the file. Unused when appending. */
  readonly endBytes: number;
  /** The system puts every write at the end, whoever else writes too. */
  readonly isAppending: boolean;
  /** It was opened without waiting, so it can be looked at without waiting, too. */
  readonly isCached?: boolean;
  readonly cachedReads: CachedReads;
}

/**
 * A write at position null goes behind everything written before through this handle, also while
 * earlier writes are still on their way.
 */
export class NodeOpenFile implements OpenFile {
  readonly #descriptor: number;
  readonly #path: string;
  readonly #isAppending: boolean;
  readonly #isCached: boolean;
  readonly #cachedReads: CachedReads;
  #isDirectoryTrusted: boolean;
  #endBytes: number;
  /** Appends one after the other: the system alone would not keep their order. */
  #lastAppend: Promise<void> = Promise.resolve();
  #callCount = 0;
  #onIdle: (() => void) | null = null;
  #closing: Promise<void> | null = null;

  constructor(descriptor: number, path: string, options: NodeOpenFileOptions) {
    this.#descriptor = descriptor;
    this.#path = path;
    this.#endBytes = options.endBytes;
    this.#isAppending = options.isAppending;
    this.#isCached = options.isCached ?? false;
    this.#cachedReads = options.cachedReads;
    this.#isDirectoryTrusted = this.#isCached;
  }

  read(buffer: Uint8Array, position: number): Promise<number> {
    return this.#do("read", async (descriptor) => {
      let count = 0;
      while (count < buffer.length) {
        const bytesRead = await readSome(descriptor, buffer, count, position + count);
        if (bytesRead === 0) break;
        count += bytesRead;
      }
      return count;
    });
  }

  readNow(buffer: Uint8Array, position: number): number {
    if (this.#closing !== null) return 0;
    const count = this.#cachedReads.read(this.#descriptor, buffer, position);
    if (count > 0 && !this.#isDirectoryTrusted) {
      this.#isDirectoryTrusted = true;
      this.#cachedReads.trustDirectoryOf(this.#path);
    }
    return count;
  }

  /** Whether it is worth asking for `sendNow`. */
  get canSend(): boolean {
    return this.#closing === null && this.#cachedReads.canSend;
  }

  /** Has a socket send bytes of the file: as `sendFile` of Socket, without the turns. */
  sendNow(socket: number, header: Uint8Array, position: number, length: number): number {
    if (this.#closing !== null) return 0;
    return this.#cachedReads.send(socket, header, this.#descriptor, position, length);
  }

  statNow(): FileStat | null {
    return this.#isCached && this.#closing === null
      ? this.#cachedReads.stat(this.#descriptor)
      : null;
  }

  write(bytes: Uint8Array, position: number | null): Promise<void> {
    if (this.#isAppending) return this.#append(bytes);
    const start = position ?? this.#endBytes;
    // Taken before the bytes are on disk, so that writes at the end do not land on each other.
    this.#endBytes = Math.max(this.#endBytes, start + bytes.length);
    return this.#do("write", (descriptor) => writeAll(descriptor, bytes, start));
  }

  async truncate(bytes: number): Promise<void> {
    await this.#do("truncate", (descriptor) => ftruncate(descriptor, bytes));
    this.#endBytes = bytes;
  }

  stat(): Promise<FileStat> {
    return this.#do("look at", async (descriptor) => statOf(await fstat(descriptor)));
  }

  sync(): Promise<void> {
    return this.#do("sync", fsync);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#callCount > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    try {
      // What was opened without waiting has nothing to wait for when it is closed either.
      if (this.#isCached) closeSync(this.#descriptor);
      else await closeDescriptor(this.#descriptor);
    } catch (error) {
      throw fileFailed("close", this.#path, error);
    }
  }

  #append(bytes: Uint8Array): Promise<void> {
    const before = this.#lastAppend;
    const append = this.#do("write", async (descriptor) => {
      await before;
      await writeAll(descriptor, bytes, null);
    });
    // The next append waits for this one and does not inherit its failure.
    this.#lastAppend = append.catch(() => {});
    return append;
  }

  async #do<T>(action: string, work: (descriptor: number) => Promise<T>): Promise<T> {
    if (this.#closing !== null) {
      throw fileFailed(action, this.#path, systemError("EBADF", action, this.#path));
    }
    this.#callCount += 1;
    try {
      return await work(this.#descriptor);
    } catch (error) {
      throw fileFailed(action, this.#path, error);
    } finally {
      this.#callCount -= 1;
      if (this.#callCount === 0) this.#onIdle?.();
    }
  }
}

function readSome(
  descriptor: number,
  buffer: Uint8Array,
  offset: number,
  position: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const length = buffer.length - offset;
    fs.read(descriptor, buffer, offset, length, position, (error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}

/** @param position null leaves it to the system, which appends. */
async function writeAll(
  descriptor: number,
  bytes: Uint8Array,
  position: number | null,
): Promise<void> {
  let count = 0;
  while (count < bytes.length) {
    const at = position === null ? null : position + count;
    count += await writeSome(descriptor, bytes, count, at);
  }
}

function writeSome(
  descriptor: number,
  bytes: Uint8Array,
  offset: number,
  position: number | null,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const length = bytes.length - offset;
    fs.write(descriptor, bytes, offset, length, position, (error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}

/** Node's stat in our words. */
export function statOf(stats: fs.Stats): FileStat {
  return {
    bytes: stats.size,
    isFile: stats.isFile(),
    isDirectory: stats.isDirectory(),
    modifiedMs: stats.mtimeMs,
    device: stats.dev,
    inode: stats.ino,
    links: stats.nlink,
  };
}
