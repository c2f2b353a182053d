import type { BlockFetchingListener, BlockPushingListener } from "@bm/shuffle";
import type { ManagedBuffer } from "@bm/transport";

/** Notes what became of each block; throws when one is told twice. */
export class FetchedBlocks implements BlockFetchingListener, BlockPushingListener {
  readonly blocks: Map<string, Buffer> = new Map();
  readonly failures: Map<string, Error> = new Map();
  readonly #reading: Promise<void>[] = [];

  onBlockFetchSuccess(blockId: string, data: ManagedBuffer): void {
    this.#told(blockId);
    this.blocks.set(blockId, Buffer.alloc(0));
    this.#reading.push(
      data.bytes().then((bytes) => {
        this.blocks.set(blockId, Buffer.from(bytes));
        data.release();
      }),
    );
  }

  onBlockFetchFailure(blockId: string, error: Error): void {
    this.#told(blockId);
    this.failures.set(blockId, error);
  }

  onBlockPushSuccess(blockId: string): void {
    this.#told(blockId);
    this.blocks.set(blockId, Buffer.alloc(0));
  }

  onBlockPushFailure(blockId: string, error: Error): void {
    this.onBlockFetchFailure(blockId, error);
  }

  /** Resolves when every buffer was read and released. */
  async read(): Promise<this> {
    await Promise.all(this.#reading);
    return this;
  }

  #told(blockId: string): void {
    if (this.blocks.has(blockId) || this.failures.has(blockId)) {
      throw new Error(`${blockId} was told twice`);
    }
  }
}
