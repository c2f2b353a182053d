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
   * Brings copies of a block to as many peers as its level asks for beyond ours and those of
   * `holders`. True when there are enough in the end; never rejects. `read` gives the bytes anew for
   * each peer, or null when they are gone.
   */
  async replicate(
    id: BlockId,
    level: StorageLevel,
    holders: readonly BlockManagerId[],
    read: () => Promise<ManagedBuffer | null>,
  ): Promise<boolean> {
    let missing = level.replication - 1 - holders.length;
    let failures = 0;
    for (const peer of missing > 0 ? await this.#peersBeyond(holders) : []) {
      if (missing === 0 || failures > REPLICATION_FAILURES_MAX) break;
      if (await this.#copyTo(peer, id, level, read)) missing -= 1;
      else failures += 1;
    }
    if (missing <= 0) return true;
    this.#options.logger.warn(`${id.name} has ${missing} copies less than ${level.toString()}`);
    return false;
  }

  async #peersBeyond(holders: readonly BlockManagerId[]): Promise<BlockManagerId[]> {
    const { master, logger, localId } = this.#options;
    const held = new Set(holders.map(({ executorId }) => executorId));
    try {
      const peers = await master.getPeers(localId());
      return this.#shuffled(peers.filter(({ executorId }) => !held.has(executorId)));
    } catch (error) {
      logger.warn(`asking for peers: ${String(error)}`);
      return [];
    }
  }

  /** Never rejects: a block with too few copies is stored all the same. */
  async #copyTo(
    { host, port, executorId }: BlockManagerId,
    id: BlockId,
    level: StorageLevel,
    read: () => Promise<ManagedBuffer | null>,
  ): Promise<boolean> {
    const { transfer, logger } = this.#options;
    try {
      const data = await read();
      if (data === null) throw new StorageError("BLOCK_NOT_FOUND", `${id.name} is gone`);
      const copyLevel = level.withReplication(1);
      await transfer.uploadBlock(host, port, executorId, id.name, data, copyLevel);
      return true;
    } catch (error) {
      logger.warn(`no copy of ${id.name} on ${executorId}: ${String(error)}`);
      return false;
    }
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
