import { fileFailed } from "../platform/node-error.ts";
import type { FileStat, OpenFile, OpenMode } from "../platform/platform.ts";
import { systemError } from "../platform/system-error.ts";

/** What the files of one disk share. */
export interface Space {
  freeBytes: number;
  readonly wallTimeMs: () => number;
  readonly isCached: boolean;
  nextInode: number;
}

/** The content of a file; lives on while somebody has it open, as on a real disk. */
export class MemoryFile {
  readonly #space: Space;
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;
  #modifiedMs: number;
  #isUnlinked = false;
  readonly #inode: number;

  constructor(space: Space) {
    this.#space = space;
    this.#modifiedMs = space.wallTimeMs();
    this.#inode = space.nextInode;
    space.nextInode += 1;
  }

  get length(): number {
    return this.#length;
  }

  /** The content itself, not a copy. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  read(buffer: Uint8Array, position: number): number {
    const found = this.view().subarray(position, position + buffer.length);
    buffer.set(found);
    return found.length;
  }

  readNow(buffer: Uint8Array, position: number): number {
    return this.#space.isCached ? this.read(buffer, position) : 0;
  }

  statNow(): FileStat | null {
    return this.#space.isCached ? this.stat() : null;
  }

  stat(): FileStat {
    return {
      bytes: this.#length,
      isFile: true,
      isDirectory: false,
      modifiedMs: this.#modifiedMs,
      device: 1,
      inode: this.#inode,
      links: this.#isUnlinked ? 0 : 1,
    };
  }

  /** Cuts, or extends with zeroes. @throws SystemError ENOSPC */
  resize(length: number): void {
    const moreBytes = length - this.#length;
    if (moreBytes > this.#space.freeBytes) throw systemError("ENOSPC", "write", "memory");
    if (!this.#isUnlinked) this.#space.freeBytes -= moreBytes;
    if (length > this.#bytes.length) this.#grow(length);
    if (moreBytes < 0) this.#bytes.fill(0, length, this.#length);
    this.#length = length;
    this.#modifiedMs = this.#space.wallTimeMs();
  }

  write(bytes: Uint8Array, position: number): void {
    this.resize(Math.max(this.#length, position + bytes.length));
    this.#bytes.set(bytes, position);
  }

  /** The name is gone; the room is free again. */
  unlink(): void {
    this.#isUnlinked = true;
    this.#space.freeBytes += this.#length;
  }

  #grow(length: number): void {
    const grown = Buffer.alloc(Math.max(length, this.#bytes.length * 2));
    grown.set(this.view());
    this.#bytes = grown;
  }
}

/** A file in memory that is open. */
export class MemoryOpenFile implements OpenFile {
  readonly #file: MemoryFile;
  readonly #path: string;
  readonly #mode: OpenMode;
  #isClosed = false;

  constructor(file: MemoryFile, path: string, mode: OpenMode) {
    this.#file = file;
    this.#path = path;
    this.#mode = mode;
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    return this.#attempt("read", this.#mayRead, () => this.#file.read(buffer, position));
  }

  readNow(buffer: Uint8Array, position: number): number {
    return this.#isClosed || !this.#mayRead ? 0 : this.#file.readNow(buffer, position);
  }

  statNow(): FileStat | null {
    return this.#isClosed ? null : this.#file.statNow();
  }

  async write(bytes: Uint8Array, position: number | null): Promise<void> {
    this.#attempt("write", this.#mode !== "read", () => {
      const isAtEnd = position === null || this.#mode === "append";
      this.#file.write(bytes, isAtEnd ? this.#file.length : position);
    });
  }

  async truncate(bytes: number): Promise<void> {
    this.#attempt("truncate", this.#mode !== "read", () => this.#file.resize(bytes));
  }

  async stat(): Promise<FileStat> {
    return this.#attempt("look at", true, () => this.#file.stat());
  }

  async sync(): Promise<void> {
    this.#attempt("sync", true, () => {});
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }

  get #mayRead(): boolean {
    return this.#mode === "read" || this.#mode === "read-write";
  }

  #attempt<T>(action: string, isAllowed: boolean, work: () => T): T {
    try {
      if (this.#isClosed || !isAllowed) throw systemError("EBADF", action, this.#path);
      return work();
    } catch (error) {
      throw fileFailed(action, this.#path, error);
    }
  }
}
