/**
 * A disk in memory. Fails as the node platform does: FILE_FAILED with a cause that has Node's code.
 *
 * Paths are taken as POSIX paths from the root. The root and `/tmp` exist from the start. There are
 * no symbolic links, owners or permissions; `sync` does nothing, since nothing is ever lost.
 */
import path from "node:path";
import { fileFailed } from "../platform/node-error.ts";
import {
  type FileStat,
  type Files,
  isSameFile,
  type OpenFile,
  type OpenMode,
} from "../platform/platform.ts";
import { systemError } from "../platform/system-error.ts";
import { MemoryFile, MemoryOpenFile, type Space } from "./memory-open-file.ts";

/** The limits of a disk in memory. */
export interface MemoryFilesOptions {
  /** Bytes that all files together may hold; more is ENOSPC. Default: no limit. */
  readonly capacityBytes?: number;
  /** Tells when a file was modified. Default: always 0. */
  readonly wallTimeMs?: () => number;
  /** Whether `readNow` finds everything, as it does on a disk that is all in memory. Default: nothing. */
  readonly isCached?: boolean;
}

class MemoryDirectory {
  readonly entries: Map<string, MemoryDirectory | MemoryFile> = new Map();
  readonly inode: number;

  constructor(space: Space) {
    this.inode = space.nextInode;
    space.nextInode += 1;
  }
}

/** An empty disk. */
export function createMemoryFiles(options: MemoryFilesOptions = {}): Files {
  return new MemoryFiles(options);
}

class MemoryFiles implements Files {
  readonly #root: MemoryDirectory;
  readonly #space: Space;
  #temporaryCount = 0;

  constructor(options: MemoryFilesOptions) {
    this.#space = {
      freeBytes: options.capacityBytes ?? Number.POSITIVE_INFINITY,
      wallTimeMs: options.wallTimeMs ?? ((): number => 0),
      isCached: options.isCached ?? false,
      nextInode: 1,
    };
    this.#root = new MemoryDirectory(this.#space);
    this.#root.entries.set("tmp", new MemoryDirectory(this.#space));
  }

  async open(file: string, mode: OpenMode): Promise<OpenFile> {
    return this.#attempt("open", file, () => this.#openNow(file, mode));
  }

  openNow(file: string): OpenFile | null {
    const found = this.#space.isCached ? this.#find(file)?.node : null;
    return found instanceof MemoryFile ? new MemoryOpenFile(found, file, "read") : null;
  }

  readNow(file: string, buffer: Uint8Array, position: number, expected?: FileStat): number {
    const found = this.#find(file)?.node;
    if (!(found instanceof MemoryFile)) return 0;
    if (expected !== undefined && !isSameFile(found.stat(), expected)) return 0;
    return found.readNow(buffer, position);
  }

  async readFile(file: string): Promise<Uint8Array> {
    return this.#attempt("read", file, () => Buffer.from(this.#fileAt(file).view()));
  }

  async writeFile(file: string, bytes: Uint8Array): Promise<void> {
    const opened = await this.open(file, "write");
    await opened.write(bytes, 0);
    await opened.close();
  }

  async stat(file: string): Promise<FileStat | null> {
    return this.#find(file)?.stat() ?? null;
  }

  async makeDirectory(directory: string): Promise<void> {
    this.#attempt("make the directory", directory, () => {
      let current = this.#root;
      const names = namesOf(directory);
      for (const [index, name] of names.entries()) {
        const next = current.entries.get(name) ?? new MemoryDirectory(this.#space);
        if (next instanceof MemoryFile) {
          throw refusal(index === names.length - 1 ? "EEXIST" : "ENOTDIR", directory);
        }
        current.entries.set(name, next);
        current = next;
      }
    });
  }

  async makeTemporaryDirectory(prefix: string): Promise<string> {
    const full = path.posix.resolve("/tmp", prefix);
    const name = full + (prefix.endsWith("/") ? "/" : "") + uniqueSuffix(this.#temporaryCount);
    this.#temporaryCount += 1;
    return this.#attempt("make a temporary directory at", full, () => {
      this.#parentOf(name).entries.set(path.posix.basename(name), new MemoryDirectory(this.#space));
      return name;
    });
  }

  async list(directory: string): Promise<string[]> {
    return this.#attempt("list", directory, () => {
      const found = this.#existing(directory);
      if (found instanceof MemoryFile) throw refusal("ENOTDIR", directory);
      return [...found.entries.keys()];
    });
  }

  async rename(from: string, to: string): Promise<void> {
    this.#attempt(`rename to ${to}`, from, () => {
      const moved = this.#existing(from);
      const target = this.#parentOf(to);
      const replaced = target.entries.get(path.posix.basename(to));
      if (replaced === moved) return;
      if (replaced !== undefined) checkReplaceable(moved, replaced, to);
      if (isInside(to, from)) throw refusal("EINVAL", to);
      this.#parentOf(from).entries.delete(path.posix.basename(from));
      target.entries.set(path.posix.basename(to), moved);
      if (replaced instanceof MemoryFile) replaced.unlink();
    });
  }

  async remove(target: string): Promise<boolean> {
    const found = this.#find(target);
    if (found === null) return false;
    this.#attempt("remove", target, () => {
      this.#parentOf(target).entries.delete(path.posix.basename(target));
      unlinkAll(found.node);
    });
    return true;
  }

  #openNow(file: string, mode: OpenMode): OpenFile {
    const parent = this.#parentOf(file);
    const name = path.posix.basename(file);
    let found = parent.entries.get(name);
    if (found instanceof MemoryDirectory) throw refusal("EISDIR", file);
    if (found !== undefined && mode === "create-new") throw refusal("EEXIST", file);
    if (found === undefined) {
      if (mode === "read") throw refusal("ENOENT", file);
      found = new MemoryFile(this.#space);
      parent.entries.set(name, found);
    }
    if (mode === "write") found.resize(0);
    return new MemoryOpenFile(found, file, mode);
  }

  #fileAt(file: string): MemoryFile {
    const found = this.#existing(file);
    if (found instanceof MemoryFile) return found;
    throw refusal("EISDIR", file);
  }

  #existing(target: string): MemoryDirectory | MemoryFile {
    const name = path.posix.basename(path.posix.resolve("/", target));
    if (name === "") return this.#root;
    const found = this.#parentOf(target).entries.get(name);
    if (found === undefined) throw refusal("ENOENT", target);
    return found;
  }

  #find(target: string): FoundNode | null {
    try {
      return new FoundNode(this.#existing(target));
    } catch {
      return null;
    }
  }

  #parentOf(target: string): MemoryDirectory {
    let current = this.#root;
    for (const name of namesOf(target).slice(0, -1)) {
      const next = current.entries.get(name);
      if (next === undefined) throw refusal("ENOENT", target);
      if (next instanceof MemoryFile) throw refusal("ENOTDIR", target);
      current = next;
    }
    return current;
  }

  #attempt<T>(action: string, target: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw fileFailed(action, target, error);
    }
  }
}

/** What is at a path, and what `stat` says about it. */
class FoundNode {
  readonly node: MemoryDirectory | MemoryFile;

  constructor(node: MemoryDirectory | MemoryFile) {
    this.node = node;
  }

  stat(): FileStat {
    if (this.node instanceof MemoryFile) return this.node.stat();
    const { inode } = this.node;
    return {
      bytes: 0,
      isFile: false,
      isDirectory: true,
      modifiedMs: 0,
      device: 1,
      inode,
      links: 1,
    };
  }
}

function checkReplaceable(
  moved: MemoryDirectory | MemoryFile,
  replaced: MemoryDirectory | MemoryFile,
  to: string,
): void {
  if (moved instanceof MemoryFile) {
    if (replaced instanceof MemoryDirectory) throw refusal("EISDIR", to);
  } else if (replaced instanceof MemoryFile) {
    throw refusal("ENOTDIR", to);
  } else if (replaced.entries.size > 0) {
    throw refusal("ENOTEMPTY", to);
  }
}

function unlinkAll(node: MemoryDirectory | MemoryFile): void {
  if (node instanceof MemoryFile) node.unlink();
  else for (const entry of node.entries.values()) unlinkAll(entry);
}

function isInside(target: string, directory: string): boolean {
  const [inner, outer] = [namesOf(target), namesOf(directory)];
  return inner.length > outer.length && outer.every((name, index) => inner[index] === name);
}

function namesOf(target: string): string[] {
  const names = path.posix.resolve("/", target).split("/");
  return names.filter((name) => name !== "");
}

function uniqueSuffix(count: number): string {
  return count.toString(36).padStart(6, "0");
}

function refusal(code: string, target: string): Error {
  return systemError(code, "file", target);
}
