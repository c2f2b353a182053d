/**
 * Bytes of files that are in memory already, read or sent at once on the event loop.
 *
 * Over the thread pool opening, reading and closing a file of 64 KiB cost about 80 us of CPU time on two
 * threads; here they cost 5, most of it for copying the bytes.
 *
 * Only a name is looked up without waiting: what opening does then is up to the file system, and one over
 * a network asks its server. Such systems cannot read without waiting either. So a directory is
 * trusted once a read from a file in it, opened through the pool, found its bytes in memory.
 */
import { closeSync } from "node:fs";
import type { CachedCalls, SendFileCall } from "./cached-calls.ts";
import { type FileStat, isSameFile } from "./platform.ts";

/**
 * Nothing is sent by the system for so long after bytes were missing. It tells which pages are there, but
 * not which of them the disk is still filling, and to send one of those is to wait for the disk.
 */
const SETTLING_MS = 1000;

/** Directories that are known; when there are more, all are learnt again. About 200 B each. */
const DIRECTORIES_MAX = 16_384;

/** See the file comment. */
export class CachedReads {
  readonly #load: () => CachedCalls | null;
  readonly #directories = new Set<string>();
  /** Loaded when the first file is read: many processes never read one. */
  #calls: CachedCalls | null | undefined;
  /** When bytes were missing, by a clock that is only looked at where it matters. */
  #missedAtMs: number | null = null;

  constructor(load: () => CachedCalls | null) {
    this.#load = load;
  }

  /** A descriptor for reading, or -1. */
  open(path: string): number {
    if (!this.#directories.has(directoryOf(path))) return -1;
    // The system would take a path up to its first NUL.
    return path.includes("\0") ? -1 : (this.#calls?.open(path) ?? -1);
  }

  /**
   * Opens, reads and closes; gives the bytes read, 0 when nothing is in memory or the file is not the
   * expected one.
   */
  readFile(path: string, buffer: Uint8Array, position: number, expected?: FileStat): number {
    const descriptor = this.open(path);
    if (descriptor < 0) return 0;
    try {
      if (expected !== undefined && !this.#isExpected(descriptor, expected)) return 0;
      return this.read(descriptor, buffer, position);
    } finally {
      closeSync(descriptor);
    }
  }

  /** Reads from a file that is open; 0 when nothing is in memory. */
  read(descriptor: number, buffer: Uint8Array, position: number): number {
    if (this.#calls === undefined) this.#calls = this.#load();
    if (this.#calls === null) return 0;
    const count = this.#calls.read(descriptor, buffer, position);
    if (count < buffer.length) this.#missedAtMs = performance.now();
    return Math.max(0, count);
  }

  /** False where `send` gives 0 for certain. */
  get canSend(): boolean {
    return this.#sendFile !== null;
  }

  /** As {@link SendFileCall}, but 0 where nothing can be sent. */
  send(
    socket: number,
    header: Uint8Array,
    descriptor: number,
    position: number,
    length: number,
  ): number {
    const count = this.#sendFile?.(socket, header, descriptor, position, length) ?? 0;
    if (count === -1) this.#missedAtMs = performance.now();
    return Math.max(0, count);
  }

  get #sendFile(): SendFileCall | null {
    return this.#isSettled ? (this.#calls?.sendFile ?? null) : null;
  }

  get #isSettled(): boolean {
    if (this.#missedAtMs === null) return true;
    if (performance.now() - this.#missedAtMs < SETTLING_MS) return false;
    this.#missedAtMs = null;
    return true;
  }

  /** What is known here of a file that `open` gave; null when nothing is. */
  stat(descriptor: number): FileStat | null {
    return this.#calls?.stat(descriptor) ?? null;
  }

  /** Bytes of the file at `path`, which was opened through the pool, were found in memory. */
  trustDirectoryOf(path: string): void {
    if (this.#directories.size >= DIRECTORIES_MAX) this.#directories.clear();
    this.#directories.add(directoryOf(path));
  }

  #isExpected(descriptor: number, expected: FileStat): boolean {
    const found = this.stat(descriptor);
    return found !== null && isSameFile(found, expected);
  }
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}
