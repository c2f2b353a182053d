/**
 * The storage of one process: its blocks in memory and on disk, its shuffle files, the blocks of
 * others, and its place in the cluster.
 */
import type { BlockId, BlockManagerId, StorageLevel } from "@bm/block";
import type { BlockDataManager } from "@bm/shuffle";
import { BytesManagedBuffer, type ManagedBuffer } from "@bm/transport";
import { DiskBlockManager } from "../disk/disk-block-manager.ts";
import { readShuffleConf } from "../shuffle/shuffle-conf.ts";
import type { ShuffleManager } from "../shuffle/shuffle-manager.ts";
import { StorageError } from "../storage-error.ts";
import type {
  BlockManagerMetrics,
  BlockManagerOptions,
  PutOptions,
} from "./block-manager-options.ts";
import {
  type BlockManagerBasis,
  BlockManagerParts,
  createTransfer,
} from "./block-manager-parts.ts";
import type { MigrationProgress } from "./decommission/migration-progress.ts";
import { LateBlockDataManager } from "./late-block-data-manager.ts";
import type { MasterOrders } from "./master-orders.ts";
import type { RddPartition } from "./rdd-cache.ts";
import { readStorageConf } from "./storage-conf.ts";

/** See the file comment. */
export class BlockManager {
  readonly disk: DiskBlockManager;
  readonly shuffle: ShuffleManager;
  /** What peers may ask. */
  readonly served: BlockDataManager;
  /** What the master may order. */
  readonly orders: MasterOrders;
  readonly #basis: BlockManagerBasis;
  readonly #parts: BlockManagerParts;
  #closing: Promise<void> | null = null;

  /**
   * Starts serving blocks and registers with the master.
   * @throws StorageError NO_LOCAL_DIR, OPTION_INVALID; TransportError BIND_FAILED, OPTION_INVALID;
   *   CodecError; MasterError and RpcError of the registration (rejects).
   */
  static async start(options: BlockManagerOptions): Promise<BlockManager> {
    const conf = readStorageConf(options.conf);
    readShuffleConf(options.conf);
    const { env, localRoots } = options;
    const { platform, logger } = env;
    const disk = await DiskBlockManager.create({ platform, roots: localRoots, logger });
    const transfer = createTransfer(options);
    // The server must know whom it serves before the port is known that the rest is made with.
    const served = new LateBlockDataManager();
    let manager: BlockManager | null = null;
    try {
      await transfer.init(served);
      manager = new BlockManager({ options, conf, disk, transfer });
      served.manager = manager.served;
      await manager.#parts.link.register();
      return manager;
    } catch (error) {
      // What failed is to be told, not what may fail in clearing up.
      await manager?.close().catch(() => {});
      await Promise.allSettled([transfer.close(), disk.close()]);
      throw error;
    }
  }

  private constructor(basis: BlockManagerBasis) {
    this.#basis = basis;
    this.disk = basis.disk;
    this.#parts = new BlockManagerParts(basis, {
      get: (id) => this.get(id),
      put: (id, data, level) => this.put(id, data, level),
      checkPut: (id, level) => this.#checkPut(id, level),
      decommission: () => this.decommission(),
    });
    const { served, orders, shuffle } = this.#parts;
    this.served = served;
    this.orders = orders;
    this.shuffle = shuffle;
  }

  /** Who we are for others; with topology once registered. */
  get id(): BlockManagerId {
    return this.#parts.link.id;
  }

  get metrics(): BlockManagerMetrics {
    const { memoryStore } = this.#parts.local;
    return {
      memoryUsedBytes: memoryStore.usedBytes,
      memoryMaxBytes: memoryStore.bytesMax,
      evictionCount: memoryStore.evictionCount,
      remoteBytesRead: this.#parts.remote.bytesRead,
      remoteBlocksFetched: this.#parts.remote.blocksFetched,
      localBytesRead: this.#parts.local.bytesRead,
    };
  }

  /**
   * Stores a block, takes over `data`, and brings copies to peers as the level asks. A block is never
   * overwritten: one that is there stays as it is. False when there is no room for it.
   * @throws StorageError LEVEL_INVALID, FILE_NAME_INVALID, DISK_FULL, DECOMMISSIONED, CLOSED;
   *   TransportError (rejects).
   */
  async put(
    id: BlockId,
    data: Uint8Array | ManagedBuffer,
    level: StorageLevel,
    options: PutOptions = {},
  ): Promise<boolean> {
    const buffer = data instanceof Uint8Array ? new BytesManagedBuffer(data) : data;
    try {
      this.#checkPut(id, level);
    } catch (error) {
      buffer.release();
      throw error;
    }
    const isStored = await this.#parts.local.put(id, buffer, level, options.tellMaster ?? true);
    // A block with too few copies is stored all the same.
    if (isStored && level.replication > 1) {
      await this.#parts.replicator.replicate({
        id,
        level,
        holders: [],
        failuresMax: this.#basis.conf.replicationFailuresMax,
        needsFreshPeers: false,
        read: () => this.#parts.local.get(id),
      });
    }
    return isStored;
  }

  /** The bytes of a block from here or from anywhere; the caller releases them. Null: nowhere. */
  async get(
    id: BlockId,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<ManagedBuffer | null> {
    return (await this.getLocal(id)) ?? this.getRemote(id, options);
  }

  /** The bytes of a block that is here; it is not removed until the buffer is released. */
  getLocal(id: BlockId): Promise<ManagedBuffer | null> {
    this.#requireOpen();
    return this.#parts.local.get(id);
  }

  /** The bytes of a block of another process; the caller releases them. Null when nobody gives it. */
  getRemote(
    id: BlockId,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<ManagedBuffer | null> {
    this.#requireOpen();
    return this.#parts.remote.get(id, options.signal);
  }

  /**
   * The bytes of a partition of an RDD: from where it is kept, or made now and kept where there is
   * room. Whoever gets them releases them. With `spark.rdd.cache.visibilityTracking.enabled` what a
   * task made is read by others only once the task has succeeded.
   * @throws what `make` throws, and as `put` and `get` (rejects).
   */
  getOrMake(partition: RddPartition): Promise<ManagedBuffer> {
    this.#requireOpen();
    return this.#parts.cache.getOrMake(partition);
  }

  /** Drops a block, if it is here, and tells the master. Waits for its readers. */
  removeBlock(id: BlockId): Promise<void> {
    return this.orders.removeBlock(id);
  }

  /**
   * Takes nothing in from now on but broadcasts, and moves cached partitions and map output to peers;
   * what is here stays readable until it has moved. Look at `migration` before ending the process.
   * Tell the master too (`decommissionBlockManagers`), or peers go on to choose us. Safe to call twice.
   */
  decommission(): void {
    this.#requireOpen();
    this.#parts.departure.begin();
  }

  /** How far moving everything away has come; null before `decommission`. */
  get migration(): MigrationProgress | null {
    return this.#parts.departure.progress;
  }

  /** Ends serving, and deletes the files. The master finds out by itself. Safe to call twice. */
  close(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#closing ??= this.#close(options.signal);
    return this.#closing;
  }

  /** Cuts every connection now, then ends as `close` does. Safe to call twice. */
  abort(reason: Error): void {
    this.#parts.link.close();
    this.#basis.transfer.abort(reason);
    this.close().catch((error: unknown) => this.#basis.options.env.logger.warn(String(error)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(signal: AbortSignal | undefined): Promise<void> {
    this.#parts.link.close();
    const ended = await Promise.allSettled([
      this.#parts.departure.close(),
      this.#basis.transfer.close({ signal }),
      this.#basis.options.env.stop(this.#parts.endpoint),
    ]);
    await this.#parts.local.close();
    await this.disk.close();
    const failures = ended.flatMap((end): unknown[] =>
      end.status === "rejected" ? [end.reason] : [],
    );
    if (failures.length > 0) throw new AggregateError(failures, "closing the block manager failed");
  }

  #checkPut(id: BlockId, level: StorageLevel): void {
    this.#requireOpen();
    if (!level.isValid)
      throw new StorageError("LEVEL_INVALID", `${id.name} at ${level.toString()}`);
    if (!this.#parts.departure.hasBegun || id.kind === "broadcast") return;
    const text = `Block ${id.name} cannot be saved on decommissioned executor`;
    throw new StorageError("DECOMMISSIONED", text);
  }

  #requireOpen(): void {
    if (this.#closing === null) return;
    throw new StorageError("CLOSED", "the block manager is closed");
  }
}
