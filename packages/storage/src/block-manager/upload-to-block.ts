import type { BlockId } from "@bm/block";
import type { Files, OpenFile, StreamCallbackWithId } from "@bm/transport";

/** What becomes of a file that was received whole. */
export type KeepUpload = (path: string, size: number) => Promise<void>;

/** Gives the path of a file that does not exist yet, in a directory that does. */
export type CreatePath = () => Promise<string>;

/** Bytes on their way to the disk above which the sender is held up. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Receives a block of any size into a temporary file. Bytes are written in order, one write at a
 * time; a sender that is faster than the disk is held up.
 */
export class UploadToBlock implements StreamCallbackWithId {
  readonly id: string;
  readonly #createPath: CreatePath;
  readonly #files: Files;
  readonly #keep: KeepUpload;
  #path: string | null = null;
  #file: OpenFile | null = null;
  #size = 0;
  #waitingBytes = 0;
  #failure: Error | null = null;
  /** The writes so far, in order. */
  #written: Promise<void>;

  constructor(blockId: BlockId, createPath: CreatePath, files: Files, keep: KeepUpload) {
    this.id = blockId.name;
    this.#createPath = createPath;
    this.#files = files;
    this.#keep = keep;
    this.#written = this.#guard(() => this.#open());
  }

  onData(_id: string, bytes: Uint8Array): void | Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    const copy = Uint8Array.from(bytes);
    this.#size += copy.length;
    this.#waitingBytes += copy.length;
    this.#then(async () => {
      await this.#file?.write(copy, null);
      this.#waitingBytes -= copy.length;
    });
    return this.#waitingBytes > WAITING_BYTES_MAX ? this.#written : undefined;
  }

  /** Resolves when the block is kept. */
  async onComplete(): Promise<void> {
    await this.#written;
    await this.#file?.close();
    if (this.#failure !== null) throw this.#failure;
    if (this.#path !== null) await this.#keep(this.#path, this.#size);
  }

  onFailure(_id: string, error: Error): void {
    this.#failure ??= error;
    void this.#written.then(() => this.#discard());
  }

  async #open(): Promise<void> {
    const path = await this.#createPath();
    this.#file = await this.#files.open(path, "create-new");
    this.#path = path;
  }

  #then(work: () => Promise<void>): void {
    const previous = this.#written;
    this.#written = this.#guard(async () => {
      await previous;
      if (this.#failure === null) await work();
    });
  }

  /** Never rejects: a failure is kept and told by the next call. */
  async #guard(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#failure ??= error as Error;
    }
  }

  async #discard(): Promise<void> {
    await this.#guard(async () => this.#file?.close());
    const path = this.#path;
    if (path !== null) await this.#guard(async () => void (await this.#files.remove(path)));
  }
}
