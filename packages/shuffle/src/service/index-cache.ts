/**
 * Where the partitions of map outputs lie, kept in memory within a limit of bytes.
 *
 * An entry is used only while the index and the data file are the ones that it was read from: both
 * are looked at again for each use, and a changed time or size drops the entry. (Spark never looks
 * again, and serves wrong offsets when a stage writes the same file once more.)
 */
import type { FileStat, Files, OpenFile } from "@bm/transport";
import {
  readShuffleSegment,
  ShuffleIndexFile,
  type ShuffleSegment,
} from "../files/shuffle-index-file.ts";
import { ShuffleError } from "../shuffle-error.ts";
import { JAVA, serviceFailure } from "./service-failure.ts";

/** Where a map output lies. */
export interface MapOutputPaths {
  readonly index: string;
  readonly data: string;
}

/** A map output whose files were looked at a moment ago. */
export interface MapOutput {
  readonly dataPath: string;
  /** Null when the index is too large to keep. */
  readonly partitionCount: number | null;
  /**
   * The bytes of partitions `start` to before `end`; later when the index is too large to keep.
   * @throws ShuffleError BLOCK_NOT_FOUND when there are not that many partitions.
   */
  segment(start: number, end: number): ShuffleSegment | Promise<ShuffleSegment>;
}

/** Options of {@link IndexCache}. */
export interface IndexCacheOptions {
  readonly files: Files;
  /** Bytes that all entries together may take. Spark: `spark.shuffle.service.index.cache.size`. */
  readonly bytesMax: number;
  /** Called before a file is read that the cache did not know. Rejects to refuse it. */
  readonly checkRead: (path: string, localDirs: readonly string[]) => Promise<void>;
}

/** What an entry costs beside its offsets, its paths counted twice (they are UTF-16 at worst). */
const ENTRY_BYTES = 400;

/** A larger index is not kept: each request reads its own few offsets. */
const INDEX_BYTES_MAX = 16 * 1024 * 1024;

interface Identity {
  readonly index: FileStat;
  /** Null when there is no data file, as after a map without output. */
  readonly data: FileStat | null;
}

/** Neighbours in the order of use; the list is a ring around a head without content. */
interface Node {
  newer: Node;
  older: Node;
}

interface Entry extends Node {
  readonly paths: MapOutputPaths;
  readonly identity: Identity;
  readonly output: MapOutput;
  readonly bytes: number;
}

/** See the file comment. */
export class IndexCache {
  readonly #files: Files;
  readonly #bytesMax: number;
  readonly #checkRead: IndexCacheOptions["checkRead"];
  readonly #entries = new Map<string, Entry>();
  readonly #head: Node;
  #bytes = 0;
  #hits = 0;
  #misses = 0;

  constructor(options: IndexCacheOptions) {
    this.#files = options.files;
    this.#bytesMax = options.bytesMax;
    this.#checkRead = options.checkRead;
    const head = {} as { newer: Node; older: Node };
    head.newer = head;
    head.older = head;
    this.#head = head;
  }

  /** Bytes that the entries take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Map outputs in the cache. */
  get size(): number {
    return this.#entries.size;
  }

  /** Uses that found their entry valid. */
  get hits(): number {
    return this.#hits;
  }

  /** Uses that read the index from disk. */
  get misses(): number {
    return this.#misses;
  }

  /**
   * The map output at these paths, for an executor with these directories.
   * @throws ShuffleError BLOCK_NOT_FOUND, INDEX_INVALID; TransportError FILE_FAILED (rejects).
   */
  async find(paths: MapOutputPaths, localDirs: readonly string[]): Promise<MapOutput> {
    const identity = await this.#look(paths);
    const entry = this.#entries.get(paths.index);
    if (entry !== undefined) {
      if (isSame(entry.identity, identity)) {
        this.#hits += 1;
        this.#unlink(entry);
        this.#link(entry);
        return entry.output;
      }
      this.#drop(entry);
    }
    this.#misses += 1;
    await this.#checkRead(paths.index, localDirs);
    if (identity.data !== null) await this.#checkRead(paths.data, localDirs);
    return this.#load(paths);
  }

  async #look(paths: MapOutputPaths): Promise<Identity> {
    const [index, data] = await Promise.all([
      this.#files.stat(paths.index),
      this.#files.stat(paths.data),
    ]);
    // Opening a pipe or a device could wait for ever.
    if (index?.isFile !== true) throw cannotOpen(paths.index);
    if (data?.isFile === false) throw cannotOpen(paths.data);
    return { index, data };
  }

  async #load(paths: MapOutputPaths): Promise<MapOutput> {
    const file = await this.#open(paths.index);
    try {
      const index = await file.stat();
      const offsets = index.bytes > INDEX_BYTES_MAX ? null : await readOffsets(file, index, paths);
      // Looked at after the index was read: a writer renames the index first.
      const data = await this.#files.stat(paths.data);
      if (offsets === null) return this.#unkept(paths);
      checkDataFile(paths, offsets.at(-1) ?? 0, data);
      const output = new KeptOutput(paths.data, offsets);
      this.#keep(paths, { index, data }, output);
      return output;
    } finally {
      await file.close();
    }
  }

  async #open(path: string): Promise<OpenFile> {
    try {
      return await this.#files.open(path, "read");
    } catch (cause) {
      throw cannotOpen(path, cause);
    }
  }

  #unkept(paths: MapOutputPaths): MapOutput {
    const files = this.#files;
    return {
      dataPath: paths.data,
      partitionCount: null,
      async segment(start, end) {
        const segment = await readShuffleSegment(files, paths.index, start, end);
        const data = await files.stat(paths.data);
        checkSegment(paths, segment, data);
        return segment;
      },
    };
  }

  #keep(paths: MapOutputPaths, identity: Identity, output: KeptOutput): void {
    const bytes = ENTRY_BYTES + output.bytes + 2 * (paths.index.length + paths.data.length);
    if (bytes > this.#bytesMax) return;
    const before = this.#entries.get(paths.index);
    if (before !== undefined) this.#drop(before);
    const head = this.#head;
    const entry: Entry = { paths, identity, output, bytes, newer: head, older: head };
    this.#entries.set(paths.index, entry);
    this.#link(entry);
    this.#bytes += bytes;
    while (this.#bytes > this.#bytesMax) this.#drop(this.#head.newer as Entry);
  }

  #drop(entry: Entry): void {
    if (this.#entries.get(entry.paths.index) !== entry) return;
    this.#entries.delete(entry.paths.index);
    this.#unlink(entry);
    this.#bytes -= entry.bytes;
  }

  /** As the newest: just before the head. The head's `newer` is therefore the oldest. */
  #link(node: Node): void {
    const head = this.#head;
    node.older = head.older;
    node.newer = head;
    head.older.newer = node;
    head.older = node;
  }

  #unlink(node: Node): void {
    node.older.newer = node.newer;
    node.newer.older = node.older;
  }
}

class KeptOutput implements MapOutput {
  readonly dataPath: string;
  readonly #offsets: Float64Array;

  constructor(dataPath: string, offsets: Float64Array) {
    this.dataPath = dataPath;
    this.#offsets = offsets;
  }

  get partitionCount(): number {
    return this.#offsets.length - 1;
  }

  get bytes(): number {
    return this.#offsets.byteLength;
  }

  segment(start: number, end: number): ShuffleSegment {
    const offset = this.#offsets[start];
    const dataEnd = this.#offsets[end];
    if (offset === undefined || dataEnd === undefined || end < start) {
      const count = this.#offsets.length - 1;
      const text = `partitions ${start} to ${end} of a map output that has ${count}`;
      throw serviceFailure("BLOCK_NOT_FOUND", JAVA.indexOutOfBounds, text);
    }
    return { offset, length: dataEnd - offset };
  }
}

async function readOffsets(
  file: OpenFile,
  { bytes }: FileStat,
  paths: MapOutputPaths,
): Promise<Float64Array> {
  const column = Buffer.allocUnsafe(bytes);
  const count = await file.read(column, 0);
  try {
    if (count !== bytes) throw new ShuffleError("INDEX_INVALID", `cut short at ${count}`);
    return Float64Array.from(ShuffleIndexFile.fromBytes(column).offsets);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new ShuffleError("INDEX_INVALID", `${paths.index}: ${message}`, { cause });
  }
}

/** Another length shows a file that was cut, or files of two attempts side by side. */
function checkDataFile(paths: MapOutputPaths, expected: number, data: FileStat | null): void {
  const actual = data?.bytes ?? 0;
  if (actual === expected) return;
  const text = `${paths.data} has ${actual} bytes, its index says ${expected}`;
  throw new ShuffleError("INDEX_INVALID", text);
}

function checkSegment(paths: MapOutputPaths, segment: ShuffleSegment, data: FileStat | null): void {
  if (segment.offset + segment.length > (data?.bytes ?? 0)) {
    checkDataFile(paths, segment.offset + segment.length, data);
  }
}

function isSame(a: Identity, b: Identity): boolean {
  return isSameFile(a.index, b.index) && isSameFile(a.data, b.data);
}

function isSameFile(a: FileStat | null, b: FileStat | null): boolean {
  return a?.bytes === b?.bytes && a?.modifiedMs === b?.modifiedMs;
}

function cannotOpen(path: string, cause?: unknown): ShuffleError {
  return serviceFailure("BLOCK_NOT_FOUND", JAVA.runtime, `Failed to open file: ${path}`, cause);
}
