/** Disk on node:fs. Every error goes through `fileFailed`. */
import fsCallbacks, { constants } from "node:fs";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { type CachedCalls, loadCachedCalls } from "./cached-calls.ts";
import { CachedReads } from "./cached-reads.ts";
import { fileFailed } from "./node-error.ts";
import { NodeOpenFile, statOf } from "./node-open-file.ts";
import type { FileStat, Files, OpenFile, OpenMode } from "./platform.ts";
import { systemErrorCode } from "./system-error.ts";

// Made once: files are opened by the thousand a second.
const openDescriptor = promisify(fsCallbacks.open);
const closeDescriptor = promisify(fsCallbacks.close);
const statDescriptor = promisify(fsCallbacks.fstat);

const { O_RDONLY, O_RDWR, O_WRONLY, O_CREAT, O_EXCL, O_TRUNC, O_APPEND } = constants;

/** "read-write" makes the file when it is missing and keeps what is in it. */
const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY,
  write: O_WRONLY | O_CREAT | O_TRUNC,
  append: O_WRONLY | O_CREAT | O_APPEND,
  "create-new": O_WRONLY | O_CREAT | O_EXCL,
  "read-write": O_RDWR | O_CREAT,
};

/** A `Files` on the machine's disks. `loadCalls` is asked when a file is first read. */
export function createNodeFiles(loadCalls: () => CachedCalls | null = loadCachedCalls): Files {
  const cachedReads = new CachedReads(loadCalls);
  return {
    open: (file, mode) => open(file, mode, cachedReads),
    openNow: (file) => openNow(file, cachedReads),
    readNow: (file, buffer, position, expected) =>
      cachedReads.readFile(file, buffer, position, expected),
    readFile: (file) => translate("read", file, fs.readFile(file)),
    writeFile: (file, bytes) => translate("write", file, fs.writeFile(file, bytes)),
    stat,
    makeDirectory: async (directory) => {
      await translate("make the directory", directory, fs.mkdir(directory, { recursive: true }));
    },
    makeTemporaryDirectory,
    list: (directory) => translate("list", directory, fs.readdir(directory)),
    rename: (from, to) => translate(`rename to ${to}`, from, fs.rename(from, to)),
    remove,
  };
}

async function open(file: string, mode: OpenMode, cachedReads: CachedReads): Promise<OpenFile> {
  const opening = openDescriptor(file, OPEN_FLAGS[mode], 0o666);
  const descriptor = await translate("open", file, opening);
  try {
    // Only this mode finds bytes in the file that the handle must know about.
    const endBytes = mode === "read-write" ? (await statDescriptor(descriptor)).size : 0;
    const isAppending = mode === "append";
    return new NodeOpenFile(descriptor, file, { endBytes, isAppending, cachedReads });
  } catch (error) {
    await closeDescriptor(descriptor);
    throw fileFailed("open", file, error);
  }
}

function openNow(file: string, cachedReads: CachedReads): OpenFile | null {
  const descriptor = cachedReads.open(file);
  if (descriptor < 0) return null;
  const options = { endBytes: 0, isAppending: false, isCached: true, cachedReads };
  return new NodeOpenFile(descriptor, file, options);
}

async function stat(file: string): Promise<FileStat | null> {
  try {
    return statOf(await fs.stat(file));
  } catch (error) {
    if (isAbsence(error)) return null;
    throw fileFailed("look at", file, error);
  }
}

/** A prefix without a folder is taken under the system's temporary directory. */
async function makeTemporaryDirectory(prefix: string): Promise<string> {
  const full = path.isAbsolute(prefix) ? prefix : path.join(tmpdir(), prefix);
  return translate("make a temporary directory at", full, fs.mkdtemp(full));
}

async function remove(target: string): Promise<boolean> {
  // A trailing slash would make the system look through a symbolic link: resolve() cuts it off.
  const plain = path.resolve(target);
  try {
    await fs.rm(plain, { recursive: true });
    return true;
  } catch (error) {
    if (isAbsence(error)) return false;
    throw fileFailed("remove", target, error);
  }
}

function isAbsence(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

async function translate<T>(action: string, file: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw fileFailed(action, file, error);
  }
}
