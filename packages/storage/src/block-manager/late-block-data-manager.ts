import type { BlockId, StorageLevel } from "@bm/block";
import type { BlockDataManager } from "@bm/shuffle";
import type { ManagedBuffer, StreamCallbackWithId } from "@bm/transport";
import { StorageError } from "../storage-error.ts";

/**
 * Stands for the block manager while its server starts: the rest of it is made with the server's port.
 * Nobody knows the port before the manager has registered, so nobody asks before it is there.
 */
export class LateBlockDataManager implements BlockDataManager {
  manager: BlockDataManager | null = null;

  getLocalBlockData(id: BlockId): ManagedBuffer | Promise<ManagedBuffer> {
    return this.#ready().getLocalBlockData(id);
  }

  putBlockData(id: BlockId, data: ManagedBuffer, level: StorageLevel): Promise<boolean> {
    return this.#ready().putBlockData(id, data, level);
  }

  putBlockDataAsStream(id: BlockId, level: StorageLevel): StreamCallbackWithId {
    return this.#ready().putBlockDataAsStream(id, level);
  }

  #ready(): BlockDataManager {
    if (this.manager !== null) return this.manager;
    throw new StorageError("CLOSED", "the block manager is not started yet");
  }
}
