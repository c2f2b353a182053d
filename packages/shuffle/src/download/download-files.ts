/**
 * Files into which blocks are fetched that are too large for memory. Each belongs to one block: it is
 * deleted when that block's buffer is released, and whatever is left when this is closed.
 */
import { join } from "node:path";
import {
  FileSegmentManagedBuffer,
  type Files,
  type Logger,
  type ManagedBuffer,
  type OpenFile,
  type Random,
  silentLogger,
} from "@bm/transport";

import { ShuffleError } from "../shuffle-error.ts";
import { DiskBacklog } from "./disk-backlog.ts";

/** What {@link DownloadFiles} needs. */
export interface DownloadFilesOptions {
  readonly files: Files;
  /** Names the files. */
  readonly random: Random;
  /** Where they are made; made itself when it is missing. */
  readonly directory: string;
  readonly logger?: Logger | undefined;
}

/** A file that is being filled. */
export interface DownloadFile {
  readonly path: string;
  readonly file: OpenFile;
}

/** See the file comment. */
export class DownloadFiles {
  readonly files: Files;
  /** What the disk has yet to take, of all downloads. */
  readonly backlog: DiskBacklog = new DiskBacklog();
  readonly #options: DownloadFilesOptions;
  readonly #logger: Logger;
  readonly #paths = new Set<string>();
  /** Files that are being made or deleted. */
  readonly #pending = new Set<Promise<void>>();
  #isClosed = false;

  constructor(options: DownloadFilesOptions) {
    this.files = options.files;
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
  }

  /** Files that are there and not yet released. */
  get count(): number {
    return this.#paths.size;
  }

  /**
   * A new file for one block; the caller closes it.
   * @throws TransportError FILE_FAILED; ShuffleError CLOSED (rejects).
   */
  async open(): Promise<DownloadFile> {
    if (this.#isClosed) throw closed();
    const opening = this.#open();
    // Closing waits for it: a file that appears behind it would stay for ever.
    const opened = opening.then(
      () => {},
      () => {},
    );
    this.#pending.add(opened);
    try {
      return await opening;
    } finally {
      this.#pending.delete(opened);
    }
  }

  async #open(): Promise<DownloadFile> {
    const { directory, random } = this.#options;
    await this.files.makeDirectory(directory);
    const path = join(directory, `temp_local_${random.uuid()}`);
    this.#paths.add(path);
    try {
      return { path, file: await this.files.open(path, "create-new") };
    } catch (error) {
      this.discard(path);
      throw error;
    }
  }

  /** A complete file as the bytes of a block: releasing it deletes the file. */
  toBuffer(path: string, length: number): ManagedBuffer {
    return new DownloadedBlock(this, path, length);
  }

  /** Deletes a file. Safe to call twice. */
  discard(path: string): void {
    if (!this.#paths.delete(path)) return;
    const removal = this.files.remove(path).then(
      () => {},
      (error: unknown) => this.#logger.warn(`deleting ${path}: ${String(error)}`),
    );
    this.#pending.add(removal);
    void removal.then(() => this.#pending.delete(removal));
  }

  /** Deletes what was not released. Safe to call twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#pending);
    for (const path of this.#paths) this.discard(path);
    await Promise.all(this.#pending);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function closed(): ShuffleError {
  return new ShuffleError("CLOSED", "the place for downloads is closed");
}

class DownloadedBlock extends FileSegmentManagedBuffer {
  readonly #downloads: DownloadFiles;

  constructor(downloads: DownloadFiles, path: string, length: number) {
    super({ files: downloads.files, path, offset: 0, length });
    this.#downloads = downloads;
  }

  override release(): void {
    this.#downloads.discard(this.path);
  }
}
