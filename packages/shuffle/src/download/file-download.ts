/**
 * Writes one stream to a file while it arrives.
 *
 * Bytes come in the turn in which they are read, the disk takes them later. What waits for the disk is
 * bounded by the backlog of all downloads to the same place.
 */
import type { Channel, ManagedBuffer, StreamCallback } from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";
import type { DownloadFile, DownloadFiles } from "./download-files.ts";

/** What {@link FileDownload} needs. */
export interface FileDownloadOptions {
  readonly downloads: DownloadFiles;
  /** Connection on which the stream arrives. */
  readonly channel: Channel;
  /** `buffer` is handed over; releasing it deletes the file. */
  readonly onSuccess: (buffer: ManagedBuffer) => void;
  readonly onFailure: (error: Error) => void;
  /** False once nobody waits for the bytes any more: they are then dropped. */
  readonly isWanted: () => boolean;
}

/** See the file comment. Ends in exactly one call of `onSuccess` or `onFailure`. */
export class FileDownload implements StreamCallback {
  readonly #options: FileDownloadOptions;
  #opened: DownloadFile | null = null;
  #writing: Promise<void> = Promise.resolve();
  #failure: Error | null = null;
  #arrivedBytes = 0;

  constructor(options: FileDownloadOptions) {
    this.#options = options;
  }

  onData(_streamId: string, bytes: Uint8Array): void {
    if (!this.#isGoingOn()) return;
    const position = this.#arrivedBytes;
    const copy = new Uint8Array(bytes);
    this.#arrivedBytes += copy.length;
    const { channel, downloads } = this.#options;
    downloads.backlog.add(copy.length, channel);
    this.#writing = this.#writing.then(() => this.#write(copy, position));
  }

  onComplete(): void {
    void this.#writing.then(() => this.#end());
  }

  onFailure(_streamId: string, error: Error): void {
    this.#failure ??= error;
    void this.#writing.then(() => this.#end());
  }

  #isGoingOn(): boolean {
    return this.#failure === null && this.#options.isWanted();
  }

  /** Never rejects: the first failure is kept for the end, and nothing is written behind it. */
  async #write(bytes: Uint8Array, position: number): Promise<void> {
    try {
      if (this.#isGoingOn()) {
        this.#opened ??= await this.#options.downloads.open();
        await this.#opened.file.write(bytes, position);
      }
    } catch (error) {
      this.#failure ??= error as Error;
    }
    this.#options.downloads.backlog.remove(bytes.length);
  }

  async #end(): Promise<void> {
    const { downloads, onFailure, onSuccess } = this.#options;
    try {
      // An empty stream has a file too: its reader need not know the difference.
      if (this.#isGoingOn()) this.#opened ??= await downloads.open();
      await this.#opened?.file.close();
    } catch (error) {
      this.#failure ??= error as Error;
    }
    const path = this.#opened?.path ?? null;
    if (this.#failure === null && path !== null) {
      onSuccess(downloads.toBuffer(path, this.#arrivedBytes));
      return;
    }
    if (path !== null) downloads.discard(path);
    onFailure(this.#failure ?? new ShuffleError("FETCH_ABORTED", "the block was given up"));
  }
}
