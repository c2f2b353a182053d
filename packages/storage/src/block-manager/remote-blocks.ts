/** Blocks of other processes, read from where the master says. */
import type { BlockId, BlockManagerId } from "@bm/block";
import type { BlockManagerMaster } from "@bm/master";
import type { NettyBlockTransferService } from "@bm/shuffle";
import type { Logger, ManagedBuffer, Random } from "@bm/transport";
import { isInRackOf, shuffled } from "./replication/replication-policy.ts";

/** What {@link RemoteBlocks} takes. */
export interface RemoteBlocksOptions {
  readonly master: BlockManagerMaster;
  readonly transfer: NettyBlockTransferService;
  readonly random: Random;
  readonly logger: Logger;
  readonly localId: () => BlockManagerId;
}

/** See the file comment. */
export class RemoteBlocks {
  readonly #options: RemoteBlocksOptions;
  #bytesRead = 0;
  #blocksFetched = 0;

  constructor(options: RemoteBlocksOptions) {
    this.#options = options;
  }

  /** Bytes of blocks that came from other processes. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Blocks that came from other processes. */
  get blocksFetched(): number {
    return this.#blocksFetched;
  }

  /**
   * The bytes of a block from whoever has it; the caller releases them. Null when nobody has it or
   * nobody who has it can give it: a cached block can be made again. When all that were named failed,
   * the master is asked once more who has it now: blocks move, and holders that are gone are found out.
   */
  async get(id: BlockId, signal?: AbortSignal): Promise<ManagedBuffer | null> {
    const tried = new Set<string>();
    for (;;) {
      const locations = await this.#options.master.getLocations(id);
      const untried = locations.filter(({ executorId }) => !tried.has(executorId));
      if (untried.length === 0) return null;
      for (const location of this.#nearestFirst(untried)) {
        tried.add(location.executorId);
        const buffer = await this.#fetch(id, location, signal);
        if (buffer !== null) return buffer;
      }
    }
  }

  async #fetch(
    id: BlockId,
    location: BlockManagerId,
    signal: AbortSignal | undefined,
  ): Promise<ManagedBuffer | null> {
    const { transfer, logger } = this.#options;
    const { host, port, executorId } = location;
    try {
      const buffer = await transfer.fetchBlockSync(host, port, executorId, id.name, { signal });
      this.#bytesRead += buffer.size;
      this.#blocksFetched += 1;
      return buffer;
    } catch (error) {
      signal?.throwIfAborted();
      logger.warn(`${id.name} cannot be had from ${location.toString()}: ${String(error)}`);
      return null;
    }
  }

  /** Our own host, then our rack; within each group in random order, so that readers spread. */
  #nearestFirst(locations: readonly BlockManagerId[]): BlockManagerId[] {
    const own = this.#options.localId();
    const others = locations.filter(({ executorId }) => executorId !== own.executorId);
    const distance = (id: BlockManagerId): number =>
      id.host === own.host ? 0 : isInRackOf(own, id) ? 1 : 2;
    return shuffled(others, this.#options.random).toSorted((a, b) => distance(a) - distance(b));
  }
}
