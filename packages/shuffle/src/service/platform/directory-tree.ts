/**
 * Directories as they lie on disk: symbolic links are seen as links and never followed. `Files` follows
 * them, which is right for reading blocks and wrong for deleting.
 */
import type { Stats } from "node:fs";
import { lstat, readdir, readFile, realpath, rm } from "node:fs/promises";
import { join, resolve } from "node:path";

/** What lies at a path; a link counts as what it is. */
export interface TreeNode {
  readonly isDirectory: boolean;
  /** Of a file; 0 for everything else. */
  readonly bytes: number;
  /** When it was last written, renamed or, for a file, read; milliseconds since 1970. */
  readonly touchedMs: number;
}

/** A part of the disk that is to be cleaned. */
export interface DirectoryTree {
  /** Null when nothing is there. Rejects when it cannot be known. */
  look(path: string): Promise<TreeNode | null>;
  /** Names of real directories in one; empty when it is gone. Rejects when it cannot be read. */
  directoriesIn(path: string): Promise<string[]>;
  /** Every name in a directory; empty when it is gone. Rejects when it cannot be read. */
  namesIn(path: string): Promise<string[]>;
  /** With every link resolved; null when nothing is there. */
  realPath(path: string): Promise<string | null>;
  /** Removes a directory with everything in it, links but not what they lead to. */
  remove(path: string): Promise<void>;
  /** Directories that a running process was told to use for its own, where that can be known. */
  directoriesOfProcesses(): Promise<string[]>;
}

/** On the machine's disks. */
export const nodeDirectoryTree: DirectoryTree = {
  look: async (path) => nodeOf(await absentAsNull(lstat(path))),
  directoriesIn: async (path) => {
    const entries = (await absentAsNull(readdir(path, { withFileTypes: true }))) ?? [];
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  },
  namesIn: async (path) => (await absentAsNull(readdir(path))) ?? [],
  realPath: (path) => absentAsNull(realpath(path)),
  // A trailing slash would make the system look through a link: resolve() cuts it off.
  remove: (path) => rm(resolve(path), { recursive: true, force: true }),
  directoriesOfProcesses,
};

function nodeOf(stats: Stats | null): TreeNode | null {
  if (stats === null) return null;
  const { atimeMs, ctimeMs, mtimeMs } = stats;
  const isFile = stats.isFile();
  // Looking into a directory touches it, so that time says nothing about its owner.
  const touchedMs = Math.max(mtimeMs, ctimeMs, isFile ? atimeMs : 0);
  return { isDirectory: stats.isDirectory(), bytes: isFile ? stats.size : 0, touchedMs };
}

/** A worker names the directories of an executor in the first, YARN those of a container in the second. */
const DIRECTORY_VARIABLE = /^(?:SPARK_EXECUTOR_DIRS|LOCAL_DIRS)=(.*)$/;

/** From the environments under /proc; only those of the same user can be read, by root all. */
async function directoriesOfProcesses(): Promise<string[]> {
  const ids = await readdir("/proc").catch(() => []);
  const found: string[] = [];
  for (const id of ids) {
    if (!/^[0-9]+$/.test(id)) continue;
    const text = await readFile(join("/proc", id, "environ"), "latin1").catch(() => "");
    for (const variable of text.split("\0")) {
      const value = DIRECTORY_VARIABLE.exec(variable)?.[1];
      if (value !== undefined) found.push(...value.split(/[:,]/).filter((dir) => dir !== ""));
    }
  }
  return found;
}

async function absentAsNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw error;
  }
}
