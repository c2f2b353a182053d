/** One open file on a FileHandle. Reads and writes go on until all bytes went through. */
import type { Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { fileFailed } from "./node-error.ts";
import type { FileStat, OpenFile } from "./platform.ts";
import { systemError } from "./system-error.ts";

export interface NodeOpenFileOptions {
  /** Where a write at the end goes: the length of the file. Unused when appending. */
  readonly endBytes: number;
  /** The system puts every write at the end, whoever else writes too. */
  readonly isAppending: boolean;
}

/**
 * A write at position null goes behind everything written before through this handle, also while
 * earlier writes are still on their way.
 */
export class NodeOpenFile implements OpenFile {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #isAppending: boolean;
  #endBytes: number;
  /** Appends one after the other: the system alone would not keep their order. */
  #lastAppend: Promise<void> = Promise.resolve();
  #closing: Promise<void> | null = null;

  constructor(handle: FileHandle, path: string, options: NodeOpenFileOptions) {
    this.#handle = handle;
    this.#path = path;
    this.#endBytes = options.endBytes;
    this.#isAppending = options.isAppending;
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    let count = 0;
    while (count < buffer.length) {
      const rest = buffer.length - count;
      const { bytesRead } = await this.#do("read", () =>
        this.#handle.read(buffer, count, rest, position + count),
      );
      if (bytesRead === 0) break;
      count += bytesRead;
    }
    return count;
  }

  write(bytes: Uint8Array, position: number | null): Promise<void> {
    if (this.#isAppending) return this.#append(bytes);
    const start = position ?? this.#endBytes;
    // Taken before the bytes are on disk, so that writes at the end do not land on each other.
    this.#endBytes = Math.max(this.#endBytes, start + bytes.length);
    return this.#writeAll(bytes, start);
  }

  async truncate(bytes: number): Promise<void> {
    await this.#do("truncate", () => this.#handle.truncate(bytes));
    this.#endBytes = bytes;
  }

  async stat(): Promise<FileStat> {
    return statOf(await this.#do("look at", () => this.#handle.stat()));
  }

  sync(): Promise<void> {
    return this.#do("sync", () => this.#handle.sync());
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.#handle.close();
    } catch (error) {
      throw fileFailed("close", this.#path, error);
    }
  }

  #append(bytes: Uint8Array): Promise<void> {
    const before = this.#lastAppend;
    const append = (async () => {
      await before;
      await this.#writeAll(bytes, null);
    })();
    // The next append waits for this one and does not inherit its failure.
    this.#lastAppend = append.catch(() => {});
    return append;
  }

  async #writeAll(bytes: Uint8Array, position: number | null): Promise<void> {
    let count = 0;
    while (count < bytes.length) {
      const rest = bytes.length - count;
      const at = position === null ? null : position + count;
      const { bytesWritten } = await this.#do("write", () =>
        this.#handle.write(bytes, count, rest, at),
      );
      count += bytesWritten;
    }
  }

  async #do<T>(action: string, work: () => Promise<T>): Promise<T> {
    try {
      if (this.#closing !== null) throw systemError("EBADF", action, this.#path);
      return await work();
    } catch (error) {
      throw fileFailed(action, this.#path, error);
    }
  }
}

/** Node's stat in our words. */
export function statOf(stats: Stats): FileStat {
  return {
    bytes: stats.size,
    isFile: stats.isFile(),
    isDirectory: stats.isDirectory(),
    modifiedMs: stats.mtimeMs,
  };
}
