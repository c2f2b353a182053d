/** Blocks of other processes: reading them from where the master says, and bringing copies there. */
import type { BlockId, BlockManagerId, StorageLevel } from "@bm/block";
import type { BlockManagerMaster } from "@bm/master";
import type { NettyBlockTransferService } from "@bm/shuffle";
import { type Logger, type ManagedBuffer, type Random } from "@bm/transport";
import { StorageError } from "../storage-error.ts";

/** What {@link RemoteBlocks} takes. */
export interface RemoteBlocksOptions {
  readonly master: BlockManagerMaster;
  readonly transfer: NettyBlockTransferService;
  readonly random: Random;
  readonly logger: Logger;
  readonly localId: () => BlockManagerId;
}

/** Failures of peers after which a replication gives up (`spark.storage.maxReplicationFailures`). */
const REPLICATION_FAILURES_MAX = 1;

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
   * nobody who has it can give it: a cached block can be made again.
   */
  async get(id: BlockId, signal?: AbortSignal): Promise<ManagedBuffer | null> {
    const { master, transfer, logger } = this.#options;
    for (const location of this.#nearestFirst(await master.getLocations(id))) {
      const { host, port, executorId } = location;
      try {
        const buffer = await transfer.fetchBlockSync(host, port, executorId, id.name, { signal });
        this.#bytesRead += buffer.size;
        this.#blocksFetched += 1;
        return buffer;
      } catch (error) {
        signal?.throwIfAborted();
        logger.warn(`${id.name} cannot be had from ${location.toString()}: ${String(error)}`);
      }
    }
    return null;
  }

  /**
   * Brings copies of a block to as many peers as its level asks for beyond ours. True when there are
   * enough in the end; `read` gives the bytes anew for each peer.
   */
  async replicate(
    id: BlockId,
    level: StorageLevel,
    read: () => Promise<ManagedBuffer | null>,
  ): Promise<boolean> {
    const { master, transfer, logger, localId } = this.#options;
    const peers = this.#shuffled(await master.getPeers(localId()));
    let missing = level.replication - 1;
    let failures = 0;
    for (const { host, port, executorId } of peers) {
      if (missing === 0 || failures > REPLICATION_FAILURES_MAX) break;
      const data = await read();
      if (data === null) throw new StorageError("BLOCK_NOT_FOUND", `${id.name} is gone`);
      try {
        const copyLevel = level.withReplication(1);
        await transfer.uploadBlock(host, port, executorId, id.name, data, copyLevel);
        missing -= 1;
      } catch (error) {
        failures += 1;
        logger.warn(`no copy of ${id.name} on ${executorId}: ${String(error)}`);
      }
    }
    if (missing > 0) logger.warn(`${id.name} has ${missing} copies less than ${level.toString()}`);
    return missing === 0;
  }

  /** Our own host first; within each group in random order, so that readers spread. */
  #nearestFirst(locations: readonly BlockManagerId[]): BlockManagerId[] {
    const own = this.#options.localId();
    const others = locations.filter(({ executorId }) => executorId !== own.executorId);
    const isNear = ({ host }: BlockManagerId): number => (host === own.host ? 0 : 1);
    return this.#shuffled(others).toSorted((a, b) => isNear(a) - isNear(b));
  }

  #shuffled<Element>(elements: readonly Element[]): Element[] {
    const { random } = this.#options;
    return elements
      .map((element) => ({ element, order: random.next() }))
      .toSorted((a, b) => a.order - b.order)
      .map(({ element }) => element);
  }
}
