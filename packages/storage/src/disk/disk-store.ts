/** Blocks as files: written under another name and renamed, so that a block is there whole or not. */
import type { BlockId } from "@bm/block";
import { FileSegmentManagedBuffer, type Files, type ManagedBuffer } from "@bm/transport";
import { StorageError } from "../storage-error.ts";
import type { DiskBlockManager } from "./disk-block-manager.ts";
import { asDiskFull } from "./disk-full.ts";

const WRITE_BYTES = 1024 * 1024;

/** See the file comment. Callers hold the lock of the block. */
export class DiskStore {
  readonly #files: Files;
  readonly #blocks: DiskBlockManager;
  /** Sizes of the blocks that this process wrote. */
  readonly #sizes = new Map<string, number>();

  constructor(files: Files, blocks: DiskBlockManager) {
    this.#files = files;
    this.#blocks = blocks;
  }

  /**
   * Writes a block, in place of one that is there; gives its size. `data` stays with the caller.
   * @throws StorageError DISK_FULL, FILE_NAME_INVALID, CLOSED, or TransportError; nothing is left
   *   behind then (rejects).
   */
  async put(id: BlockId, data: ManagedBuffer): Promise<number> {
    const path = await this.#blocks.tempFileFor(id.name);
    try {
      await this.#write(path, data);
      await this.moveFileToBlock(path, data.size, id);
      return data.size;
    } catch (error) {
      await this.#files.remove(path).catch(() => false);
      throw asDiskFull(error, id.name);
    }
  }

  /** Where the file of a block is, or would be. @throws StorageError FILE_NAME_INVALID. */
  pathOf(id: BlockId): string {
    return this.#blocks.pathOf(id.name);
  }

  /** Makes a file a block without copying it; it must lie where `tempFileFor` says. */
  async moveFileToBlock(path: string, size: number, id: BlockId): Promise<void> {
    await this.#files.rename(path, await this.#blocks.fileFor(id.name));
    this.#sizes.set(id.name, size);
  }

  /** A file of ours as a body; it stays where it is. */
  openFile(path: string, size: number): ManagedBuffer {
    return new FileSegmentManagedBuffer({ files: this.#files, path, offset: 0, length: size });
  }

  /**
   * The bytes of a block; null when it is not here.
   * @throws StorageError BLOCK_DAMAGED - the file is not as long as what was written (rejects).
   */
  async get(id: BlockId): Promise<ManagedBuffer | null> {
    const path = this.pathOf(id);
    const stat = await this.#files.stat(path);
    if (stat === null) return null;
    const size = this.#sizes.get(id.name) ?? stat.bytes;
    if (size === stat.bytes) return this.openFile(path, size);
    const text = `${path} has ${stat.bytes} bytes, and ${size} were written`;
    throw new StorageError("BLOCK_DAMAGED", text);
  }

  /** Bytes of a block that this process wrote; 0 when it did not. */
  sizeOf(id: BlockId): number {
    return this.#sizes.get(id.name) ?? 0;
  }

  async contains(id: BlockId): Promise<boolean> {
    return (await this.#files.stat(this.pathOf(id))) !== null;
  }

  /** Deletes a block; true when it was here. */
  remove(id: BlockId): Promise<boolean> {
    this.#sizes.delete(id.name);
    return this.#files.remove(this.pathOf(id));
  }

  async #write(path: string, data: ManagedBuffer): Promise<void> {
    const file = await this.#files.open(path, "create-new");
    try {
      let pending: Uint8Array[] = [];
      let pendingBytes = 0;
      for await (const piece of data.pieces()) {
        if (pendingBytes === 0 && piece.length >= WRITE_BYTES) await file.write(piece, null);
        else {
          // Borrowed: the next piece may overwrite it.
          pending.push(Uint8Array.from(piece));
          pendingBytes += piece.length;
        }
        if (pendingBytes < WRITE_BYTES) continue;
        await file.write(Buffer.concat(pending), null);
        pending = [];
        pendingBytes = 0;
      }
      if (pendingBytes > 0) await file.write(Buffer.concat(pending), null);
    } finally {
      await file.close();
    }
  }
}
