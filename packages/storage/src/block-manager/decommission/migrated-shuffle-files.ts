/** Takes in the map output of block managers that are about to go. */
import type { BlockId, BlockStatus, ShuffleDataBlockId, ShuffleIndexBlockId } from "@bm/block";
import { StorageLevel } from "@bm/block";
import { type IndexShuffleBlockResolver, ShuffleIndexFile } from "@bm/shuffle";
import type { Files, StreamCallbackWithId } from "@bm/transport";
import type { DiskBlockManager } from "../../disk/disk-block-manager.ts";
import { StorageError } from "../../storage-error.ts";
import { UploadToBlock } from "../upload-to-block.ts";

/** What {@link MigratedShuffleFiles} takes. */
export interface MigratedShuffleFilesOptions {
  readonly files: Files;
  readonly disk: DiskBlockManager;
  readonly resolver: IndexShuffleBlockResolver;
  /** Bytes that are taken in, all in all. */
  readonly bytesMax: number;
  /** A file has arrived: the map output is in our care now. */
  readonly onArrived: (shuffleId: number, mapId: bigint) => void;
  /** Tells the master; its answer to an index is that readers come here. */
  readonly report: (id: BlockId, status: BlockStatus) => Promise<void>;
}

/** See the file comment. */
export class MigratedShuffleFiles {
  readonly #options: MigratedShuffleFilesOptions;
  #bytes = 0;

  constructor(options: MigratedShuffleFilesOptions) {
    this.#options = options;
  }

  /** Receives one file. @throws StorageError BLOCK_NOT_STORED - another kind of block, or no room. */
  receive(id: BlockId): StreamCallbackWithId {
    const { bytesMax, disk, files } = this.#options;
    const isFile = id.kind === "shuffleData" || id.kind === "shuffleIndex";
    if (!isFile || id.reduceId !== 0) {
      throw new StorageError(
        "BLOCK_NOT_STORED",
        `${id.name}: only files of map outputs are taken in`,
      );
    }
    if (this.#bytes >= bytesMax) {
      throw new StorageError(
        "BLOCK_NOT_STORED",
        `no room for ${id.name}: ${this.#bytes} bytes came`,
      );
    }
    // Beside its later place, and so in the same file system.
    const createPath = (): Promise<string> => disk.tempFileFor(id.name);
    return new UploadToBlock(id, createPath, files, (path, size) => this.#keep(id, path, size));
  }

  async #keep(
    id: ShuffleDataBlockId | ShuffleIndexBlockId,
    path: string,
    size: number,
  ): Promise<void> {
    const { files, disk, onArrived, report } = this.#options;
    try {
      // The first complete map output wins, as it does among the attempts of a task.
      if (!(await this.#isHere(id))) {
        if (id.kind === "shuffleIndex") await this.#checkIndex(id, path);
        onArrived(id.shuffleId, id.mapId);
        await files.rename(path, await disk.fileFor(id.name));
        this.#bytes += size;
      }
    } finally {
      await files.remove(path);
    }
    const storageLevel = StorageLevel.DISK_ONLY;
    await report(id, { storageLevel, memSize: 0, diskSize: size });
  }

  async #isHere({ shuffleId, mapId }: ShuffleDataBlockId | ShuffleIndexBlockId): Promise<boolean> {
    const { files, resolver } = this.#options;
    return (await files.stat(resolver.getIndexFile(shuffleId, mapId))) !== null;
  }

  /** An index that does not fit its data would let readers find other bytes than were written. */
  async #checkIndex({ shuffleId, mapId, name }: ShuffleIndexBlockId, path: string): Promise<void> {
    const { files, resolver } = this.#options;
    const index = await ShuffleIndexFile.read(files, path);
    const data = await files.stat(resolver.getDataFile(shuffleId, mapId));
    if (index.dataBytes === (data?.bytes ?? 0)) return;
    const text = `an index of ${index.dataBytes} bytes for data of ${data?.bytes ?? 0}`;
    throw new StorageError("BLOCK_NOT_STORED", `${name}: ${text}`);
  }
}
