import { type BlockId, isShuffle, type ShuffleBlockId, type StorageLevel } from "@bm/block";
import type { BlockDataManager, CorruptionCauseName, IndexShuffleBlockResolver } from "@bm/shuffle";
import type { Files, ManagedBuffer, StreamCallbackWithId } from "@bm/transport";
import type { DiskBlockManager } from "../disk/disk-block-manager.ts";
import { StorageError } from "../storage-error.ts";
import type { MigratedShuffleFiles } from "./decommission/migrated-shuffle-files.ts";
import type { LocalBlocks } from "./local-blocks.ts";
import type { MasterLink } from "./master-link.ts";
import { UploadToBlock } from "./upload-to-block.ts";

/** What {@link ServedBlocks} takes. */
export interface ServedBlocksOptions {
  readonly local: LocalBlocks;
  readonly resolver: IndexShuffleBlockResolver;
  readonly migratedFiles: MigratedShuffleFiles;
  readonly disk: DiskBlockManager;
  readonly files: Files;
  readonly link: MasterLink;
  /** Throws when the block may not be put here now. */
  readonly checkPut: (id: BlockId, level: StorageLevel) => void;
  readonly put: (id: BlockId, data: ManagedBuffer, level: StorageLevel) => Promise<boolean>;
}

/** What other processes ask of a block manager: its blocks, and to take some in. */
export class ServedBlocks implements BlockDataManager {
  readonly #options: ServedBlocksOptions;

  constructor(options: ServedBlocksOptions) {
    this.#options = options;
  }

  /** Shuffle blocks from their files, others from the stores. */
  async getLocalBlockData(id: BlockId): Promise<ManagedBuffer> {
    const { local, resolver, link } = this.#options;
    if (id.kind === "shuffle" || id.kind === "shuffleBatch") return resolver.getBlockData(id);
    const buffer = isShuffle(id) ? null : await local.get(id);
    if (buffer !== null) return buffer;
    // Whoever asks was told of a block that is gone: the master should know.
    if (!isShuffle(id)) await link.report(id, await local.status(id));
    throw new StorageError("BLOCK_NOT_FOUND", `Block ${id.name} not found`);
  }

  putBlockData(id: BlockId, data: ManagedBuffer, level: StorageLevel): Promise<boolean> {
    return this.#options.put(id, data, level);
  }

  putBlockDataAsStream(id: BlockId, level: StorageLevel): StreamCallbackWithId {
    const { checkPut, migratedFiles, disk, files } = this.#options;
    try {
      checkPut(id, level);
      if (isShuffle(id)) return migratedFiles.receive(id);
    } catch (error) {
      return refusal(id, error as Error);
    }
    const createPath = async (): Promise<string> => (await disk.createTempLocalBlock()).path;
    return new UploadToBlock(id, createPath, files, (path, size) =>
      this.#putFile(id, level, path, size),
    );
  }

  /** Where others on this host find our shuffle files. */
  getLocalDirs(): readonly string[] {
    return this.#options.disk.localDirs;
  }

  /** Why a partition of ours arrived corrupt at a reader. */
  diagnoseCorruption(
    id: ShuffleBlockId,
    checksum: bigint,
    algorithm: string,
  ): Promise<CorruptionCauseName> {
    return this.#options.resolver.diagnoseCorruption(id, checksum, algorithm);
  }

  async #putFile(id: BlockId, level: StorageLevel, path: string, size: number): Promise<void> {
    const { local, files, put } = this.#options;
    const received = local.diskStore.openFile(path, size);
    try {
      if (await put(id, received, level)) return;
    } finally {
      await files.remove(path);
    }
    throw new StorageError("BLOCK_NOT_STORED", `no room for ${id.name}`);
  }
}

/** Lets the bytes pass and fails then. A throw would end the connection, and whatever else is on it. */
function refusal(id: BlockId, error: Error): StreamCallbackWithId {
  return {
    id: id.name,
    onData: () => {},
    onComplete: () => Promise.reject(error),
    onFailure: () => {},
  };
}
