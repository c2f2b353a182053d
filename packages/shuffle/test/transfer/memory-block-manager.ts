import type { BlockId, StorageLevel } from "@bm/block";
import { BytesManagedBuffer, type ManagedBuffer, type StreamCallbackWithId } from "@bm/transport";
import { type BlockDataManager, ShuffleError } from "../../src/index.ts";

export interface StoredBlock {
  readonly content: string;
  readonly level: StorageLevel;
}

/** Blocks in a map. */
export class MemoryBlockManager implements BlockDataManager {
  readonly blocks: Map<string, string>;
  readonly stored: Map<string, StoredBlock> = new Map();
  readonly lookups: string[] = [];
  /** What became of uploads that broke off. */
  readonly brokenUploads: Error[] = [];
  isFull = false;

  constructor(blocks: Readonly<Record<string, string>> = {}) {
    this.blocks = new Map(Object.entries(blocks));
  }

  getLocalBlockData(blockId: BlockId): ManagedBuffer | Promise<ManagedBuffer> {
    this.lookups.push(blockId.name);
    const content = this.blocks.get(blockId.name);
    if (content === undefined) {
      throw new ShuffleError("BLOCK_NOT_FOUND", `Block ${blockId.name} not found`);
    }
    return new BytesManagedBuffer(Buffer.from(content));
  }

  async putBlockData(blockId: BlockId, data: ManagedBuffer, level: StorageLevel): Promise<boolean> {
    const content = Buffer.from(await data.bytes()).toString();
    data.release();
    if (!this.isFull) this.stored.set(blockId.name, { content, level });
    return !this.isFull;
  }

  putBlockDataAsStream(blockId: BlockId, level: StorageLevel): StreamCallbackWithId {
    const pieces: Buffer[] = [];
    return {
      id: blockId.name,
      onData: (_id, bytes) => {
        pieces.push(Buffer.from(bytes));
      },
      onComplete: () => {
        if (this.isFull) throw new ShuffleError("BLOCK_NOT_STORED", `no room for ${blockId.name}`);
        this.stored.set(blockId.name, { content: Buffer.concat(pieces).toString(), level });
      },
      onFailure: (_id, error) => {
        this.brokenUploads.push(error);
      },
    };
  }
}
