/** Finds the text to count and cuts it into splits, one map task each. */
import { closeSync, lstatSync, openSync, readdirSync, readSync } from "node:fs";
import { extname, join } from "node:path";
import { UserError } from "./user-error.ts";

/** A part of one file. */
export interface FileRange {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/** What one map task reads. */
export type InputSplit = readonly FileRange[];

const TEXT_EXTENSIONS = new Set([
  ".cjs",
  ".css",
  ".cts",
  ".html",
  ".js",
  ".json",
  ".jsx",
  ".map",
  ".md",
  ".mjs",
  ".mts",
  ".svg",
  ".text",
  ".ts",
  ".tsx",
  ".txt",
  ".xml",
  ".yaml",
  ".yml",
]);

/** Large enough that a task is worth its scheduling, small enough that a lost one costs little. */
const SPLIT_BYTES = 8 * 1024 * 1024;

/**
 * Every text file below `root` in a stable order, up to `bytesMax` in total; the last one may be cut.
 * Symbolic links are not followed, so nothing is counted twice.
 * @throws UserError when the directory cannot be read or holds no text.
 */
export function findInput(root: string, bytesMax: number): FileRange[] {
  const ranges: FileRange[] = [];
  let missing = bytesMax;
  for (const { path, bytes } of textFiles(root)) {
    if (missing === 0) break;
    const length = Math.min(bytes, missing);
    missing -= length;
    ranges.push({ path, offset: 0, length });
  }
  if (ranges.length === 0) throw new UserError(`no text files below ${root}`);
  return ranges;
}

/** Packs files into splits of about eight megabytes, cutting large files between words. */
export function cutIntoSplits(files: readonly FileRange[]): InputSplit[] {
  const splits: FileRange[][] = [];
  let split: FileRange[] = [];
  let splitBytes = 0;
  for (const piece of files.flatMap(cutLargeFile)) {
    if (splitBytes > 0 && splitBytes + piece.length > SPLIT_BYTES) {
      splits.push(split);
      split = [];
      splitBytes = 0;
    }
    split.push(piece);
    splitBytes += piece.length;
  }
  return splitBytes > 0 ? [...splits, split] : splits;
}

/** Bytes of all ranges. */
export function totalBytes(ranges: readonly FileRange[]): number {
  return ranges.reduce((sum, { length }) => sum + length, 0);
}

/** The bytes of one range. */
export function readRange({ path, offset, length }: FileRange): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  const file = openSync(path, "r");
  try {
    let filled = 0;
    while (filled < length) {
      const count = readSync(file, bytes, filled, length - filled, offset + filled);
      if (count === 0) throw new UserError(`${path} became shorter while it was read`);
      filled += count;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

function* textFiles(directory: string): Generator<{ path: string; bytes: number }> {
  for (const name of entriesOf(directory).toSorted()) {
    const path = join(directory, name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory()) yield* textFiles(path);
    else if (stat?.isFile() && stat.size > 0 && TEXT_EXTENSIONS.has(extname(name).toLowerCase())) {
      yield { path, bytes: stat.size };
    }
  }
}

function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (cause) {
    throw new UserError(`cannot read the directory ${directory}: ${(cause as Error).message}`);
  }
}

/** A cut in the middle of a word would make two words of it, so it is moved to the next border. */
function cutLargeFile(file: FileRange): FileRange[] {
  const pieces: FileRange[] = [];
  const end = file.offset + file.length;
  for (let offset = file.offset; offset < end; ) {
    const next = offset + SPLIT_BYTES >= end ? end : wordBorder(file, offset + SPLIT_BYTES);
    pieces.push({ path: file.path, offset, length: next - offset });
    offset = next;
  }
  return pieces;
}

const BORDER_WINDOW_BYTES = 64 * 1024;

/** The first position at or after `from` that does not lie inside a word. */
function wordBorder(file: FileRange, from: number): number {
  const end = file.offset + file.length;
  for (let position = from; position < end; position += BORDER_WINDOW_BYTES) {
    const length = Math.min(BORDER_WINDOW_BYTES, end - position);
    const window = readRange({ path: file.path, offset: position, length });
    const border = window.findIndex((byte) => !isLetter(byte));
    if (border >= 0) return position + border;
  }
  return end;
}

function isLetter(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}
