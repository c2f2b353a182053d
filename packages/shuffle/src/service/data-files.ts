/**
 * The data files of map outputs that are known. Those that are asked for again and again stay open, so
 * that a block costs one look and one read: opening by its path costs more than both.
 *
 * A file that is open is the one that its offsets are of, whatever comes to its path; whether it still
 * is what the path leads to, its count of names tells. One that is not used for some seconds is closed,
 * so that removed files do not keep their room on the disk.
 */
import {
  type Clock,
  FileSegmentManagedBuffer,
  type FileStat,
  type Files,
  isSameFile,
  type OpenFile,
} from "@bm/transport";

/** Options of {@link DataFiles}. */
export interface DataFilesOptions {
  readonly files: Files;
  readonly clock: Clock;
  /** Descriptors that are kept. */
  readonly openMax: number;
}

/** A file that was not used for one to two of these is closed. */
const SWEEP_MS = 2000;

/** One data file, as it was when its index was read. */
export class DataFile {
  readonly path: string;
  readonly stat: FileStat;
  opened: OpenFile | null = null;
  /** Since the last sweep. */
  isUsed = false;

  constructor(path: string, stat: FileStat) {
    this.path = path;
    this.stat = stat;
  }
}

/** See the file comment. */
export class DataFiles {
  readonly #options: DataFilesOptions;
  /** In the order in which they were opened. */
  readonly #open = new Set<DataFile>();
  #isSweeping = false;

  constructor(options: DataFilesOptions) {
    this.#options = options;
  }

  /** Descriptors that are kept now. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Whether its path still leads to the file, unchanged; null when that cannot be told in this turn. */
  isCurrent(file: DataFile): boolean | null {
    const opened = file.opened ?? this.#openNow(file);
    if (opened === null) return null;
    file.isUsed = true;
    const found = opened.statNow();
    if (found !== null && isSameFile(found, file.stat)) return true;
    this.close(file);
    return false;
  }

  /** A part of the file; never bytes of another one. */
  segment(file: DataFile, offset: number, length: number): FileSegmentManagedBuffer {
    return new DataSegment(this.#options.files, file, offset, length);
  }

  /** Gives its descriptor back, if it has one. */
  close(file: DataFile): void {
    // Nothing was written, so closing cannot lose anything.
    file.opened?.close().catch(() => {});
    file.opened = null;
    this.#open.delete(file);
  }

  #openNow(file: DataFile): OpenFile | null {
    file.opened = this.#options.files.openNow(file.path);
    if (file.opened === null) return null;
    if (this.#open.size >= this.#options.openMax) this.#closeOldest();
    this.#open.add(file);
    this.#sweepLater();
    return file.opened;
  }

  #closeOldest(): void {
    for (const oldest of this.#open) {
      this.close(oldest);
      return;
    }
  }

  #sweepLater(): void {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    this.#options.clock.setTimer(SWEEP_MS, () => this.#sweep(), { unref: true });
  }

  #sweep(): void {
    for (const file of this.#open) {
      if (file.isUsed) file.isUsed = false;
      else this.close(file);
    }
    this.#isSweeping = false;
    if (this.#open.size > 0) this.#sweepLater();
  }
}

class DataSegment extends FileSegmentManagedBuffer {
  readonly #dataFile: DataFile;

  constructor(files: Files, file: DataFile, offset: number, length: number) {
    super({ files, path: file.path, offset, length, file: file.stat });
    this.#dataFile = file;
  }

  get opened(): OpenFile | null {
    return this.#dataFile.opened;
  }
}
