import { join } from "node:path";
import type { DirectoryTree } from "../platform/directory-tree.ts";

/** What a directory holds, itself included. */
export interface TreeSize {
  /** Of files; links and directories count nothing. */
  readonly bytes: number;
  /** Everything that is not a directory. */
  readonly entries: number;
  /** When anything in it was last touched; milliseconds since 1970. */
  readonly touchedMs: number;
}

/** Spark's own layouts are three deep. */
const DEPTH_MAX = 32;

/**
 * Measures a directory, one look at the disk after the other so that readers of blocks come first.
 * Null when it is no directory, or when something in it was touched after `limitMs`: the rest is then
 * not looked at.
 * @throws what the disk refuses to tell (rejects).
 */
export async function measureTree(
  tree: DirectoryTree,
  path: string,
  limitMs: number,
): Promise<TreeSize | null> {
  const node = await tree.look(path);
  if (node?.isDirectory !== true) return null;
  const size = { bytes: 0, entries: 0, touchedMs: node.touchedMs };
  if (node.touchedMs > limitMs) return null;
  const isOld = await addContent(path, 0);
  return isOld ? size : null;

  async function addContent(directory: string, depth: number): Promise<boolean> {
    if (depth > DEPTH_MAX) return false;
    for (const name of await tree.namesIn(directory)) {
      const inside = join(directory, name);
      const found = await tree.look(inside);
      if (found === null) continue;
      if (found.touchedMs > limitMs) return false;
      size.touchedMs = Math.max(size.touchedMs, found.touchedMs);
      size.bytes += found.bytes;
      if (!found.isDirectory) size.entries += 1;
      else if (!(await addContent(inside, depth + 1))) return false;
    }
    return true;
  }
}
