/**
 * Where the partitions of map outputs lie, kept in memory within a limit of bytes.
 *
 * An entry belongs to one data file, and is used only while this very file is there: it is looked at
 * again for each use, and another one, or a changed time or size, drops the entry. (Spark never looks
 * again, and serves wrong offsets when a stage writes the same file once more.)
 */
import {
  type Clock,
  FileSegmentManagedBuffer,
  type FileStat,
  type Files,
  type Int64,
  isSameFile,
  type ManagedBuffer,
  type OpenFile,
} from "@bm/transport";
import {
  readShuffleSegment,
  ShuffleIndexFile,
  type ShuffleSegment,
} from "../files/shuffle-index-file.ts";
import type { ExecutorShuffleInfo } from "../protocol/block-transfer-message.ts";
import { ShuffleError } from "../shuffle-error.ts";
import { DataFile, DataFiles } from "./data-files.ts";
import { MapOutputTable, type WantedMapOutput } from "./map-output-table.ts";
import { JAVA, serviceFailure } from "./service-failure.ts";

/** Where a map output lies. */
export interface MapOutputPaths {
  readonly index: string;
  readonly data: string;
}

/** A map output whose files were looked at a moment ago. */
export interface MapOutput {
  readonly dataPath: string;
  /** The data file that the offsets are those of; null when there is none, or it is not known. */
  readonly dataFile: DataFile | null;
  /**
   * The bytes of partitions `start` to before `end`; later when the index is too large to keep.
   * @throws ShuffleError BLOCK_NOT_FOUND when there are not that many partitions.
   */
  segment(start: number, end: number): ShuffleSegment | Promise<ShuffleSegment>;
}

/** One that was told in the turn in which it was asked for. */
export interface KnownMapOutput extends MapOutput {
  segment(start: number, end: number): ShuffleSegment;
}

/** Options of {@link IndexCache}. */
export interface IndexCacheOptions {
  readonly files: Files;
  /** Bytes that all entries together may take. Spark: `spark.shuffle.service.index.cache.size`. */
  readonly bytesMax: number;
  /** Called before a file is read that the cache did not know. Rejects to refuse it. */
  readonly clock: Clock;
  /** Data files that stay open. */
  readonly openFilesMax: number;
  readonly checkRead: (path: string, localDirs: readonly string[]) => Promise<void>;
}

/** What an entry costs beside its offsets, its paths counted twice (they are UTF-16 at worst). */
const ENTRY_BYTES = 600;

/** An index that is replaced while it is read is read anew so often. */
const LOADS_MAX = 3;

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
  readonly wanted: WantedMapOutput;
  readonly identity: Identity;
  readonly output: KeptOutput;
  readonly bytes: number;
}

/** See the file comment. */
export class IndexCache {
  readonly #files: Files;
  readonly #bytesMax: number;
  readonly #checkRead: IndexCacheOptions["checkRead"];
  readonly #dataFiles: DataFiles;
  readonly #entries = new MapOutputTable<Entry>();
  #size = 0;
  readonly #head: Node;
  #bytes = 0;
  #hits = 0;
  #misses = 0;

  constructor(options: IndexCacheOptions) {
    this.#files = options.files;
    this.#bytesMax = options.bytesMax;
    this.#checkRead = options.checkRead;
    const { clock, files, openFilesMax: openMax } = options;
    this.#dataFiles = new DataFiles({ files, clock, openMax });
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
    return this.#size;
  }

  /** Uses that found their entry valid. */
  get hits(): number {
    return this.#hits;
  }

  /** Uses that read the index from disk. */
  get misses(): number {
    return this.#misses;
  }

  /** What can be told in this turn; null when the files have to be looked at by `find`. */
  findNow(executor: ExecutorShuffleInfo, shuffleId: number, mapId: Int64): KnownMapOutput | null {
    const entry = this.#entries.find(executor, shuffleId, mapId);
    const file = entry?.output.dataFile;
    // That there still is no data file could not be told from not knowing.
    if (entry === undefined || file === null || file === undefined) return null;
    return this.#dataFiles.isCurrent(file) === true ? this.#use(entry) : null;
  }

  /** The bytes of a segment, which has at least one. */
  segmentBody({ dataFile, dataPath }: MapOutput, offset: number, length: number): ManagedBuffer {
    if (dataFile !== null) return this.#dataFiles.segment(dataFile, offset, length);
    return new FileSegmentManagedBuffer({ files: this.#files, path: dataPath, offset, length });
  }

  /**
   * Reads bytes of a map output that `findNow` gave in the same turn, and gives their number: fewer than
   * `target` takes where they are not in memory.
   */
  readNow({ dataFile }: KnownMapOutput, offset: number, target: Uint8Array): number {
    return dataFile?.opened?.readNow(target, offset) ?? 0;
  }

  /**
   * The map output at these paths.
   * @throws ShuffleError BLOCK_NOT_FOUND, INDEX_INVALID; TransportError FILE_FAILED (rejects).
   */
  async find(wanted: WantedMapOutput, paths: MapOutputPaths): Promise<MapOutput> {
    const identity = await this.#look(paths);
    const entry = this.#entries.get(wanted);
    if (entry !== undefined) {
      if (isSame(entry.identity, identity)) return this.#use(entry);
      this.#drop(entry);
    }
    this.#misses += 1;
    const { localDirs } = wanted.executor;
    await this.#checkRead(paths.index, localDirs);
    if (identity.data !== null) await this.#checkRead(paths.data, localDirs);
    for (let attempt = 1; ; attempt += 1) {
      const output = await this.#load(wanted, paths);
      if (output !== null) return output;
      if (attempt === LOADS_MAX) throw unsteady(paths);
    }
  }

  #use(entry: Entry): KnownMapOutput {
    this.#hits += 1;
    this.#unlink(entry);
    this.#link(entry);
    return entry.output;
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

  /** Null when the index was replaced meanwhile: then the data file may be the one of another index. */
  async #load(wanted: WantedMapOutput, paths: MapOutputPaths): Promise<MapOutput | null> {
    const file = await this.#open(paths.index);
    try {
      const index = await file.stat();
      const offsets = index.bytes > INDEX_BYTES_MAX ? null : await readOffsets(file, index, paths);
      if (offsets === null) return this.#unkept(paths);
      // A writer renames the index first. So the data file is looked at after the index was read, and
      // is that of this index when the index is still there afterwards.
      const data = await this.#files.stat(paths.data);
      const after = await this.#files.stat(paths.index);
      if (after === null || !isSameFile(index, after)) return null;
      checkDataFile(paths, offsets.at(-1) ?? 0, data);
      const dataFile = data === null ? null : new DataFile(paths.data, data);
      const output = new KeptOutput(paths.data, dataFile, offsets);
      this.#keep(wanted, paths, { index, data }, output);
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
      dataFile: null,
      async segment(start, end) {
        const segment = await readShuffleSegment(files, paths.index, start, end);
        const data = await files.stat(paths.data);
        checkSegment(paths, segment, data);
        return segment;
      },
    };
  }

  #keep(
    wanted: WantedMapOutput,
    paths: MapOutputPaths,
    identity: Identity,
    output: KeptOutput,
  ): void {
    const bytes = ENTRY_BYTES + output.bytes + 2 * paths.data.length;
    if (bytes > this.#bytesMax) return;
    const before = this.#entries.get(wanted);
    if (before !== undefined) this.#drop(before);
    const head = this.#head;
    const entry: Entry = { wanted, identity, output, bytes, newer: head, older: head };
    this.#entries.set(wanted, entry);
    this.#link(entry);
    this.#size += 1;
    this.#bytes += bytes;
    while (this.#bytes > this.#bytesMax) this.#drop(this.#head.newer as Entry);
  }

  #drop(entry: Entry): void {
    if (this.#entries.get(entry.wanted) !== entry) return;
    this.#entries.delete(entry.wanted);
    if (entry.output.dataFile !== null) this.#dataFiles.close(entry.output.dataFile);
    this.#unlink(entry);
    this.#size -= 1;
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

class KeptOutput implements KnownMapOutput {
  readonly dataPath: string;
  readonly dataFile: DataFile | null;
  readonly #offsets: Float64Array;

  constructor(dataPath: string, dataFile: DataFile | null, offsets: Float64Array) {
    this.dataPath = dataPath;
    this.dataFile = dataFile;
    this.#offsets = offsets;
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
  if (!isSameFile(a.index, b.index)) return false;
  return a.data === null || b.data === null ? a.data === b.data : isSameFile(a.data, b.data);
}

function unsteady({ index }: MapOutputPaths): ShuffleError {
  return new ShuffleError("INDEX_INVALID", `${index} is written again and again`);
}

function cannotOpen(path: string, cause?: unknown): ShuffleError {
  return serviceFailure("BLOCK_NOT_FOUND", JAVA.runtime, `Failed to open file: ${path}`, cause);
}
