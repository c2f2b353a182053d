/**
 * The storage of one process: its blocks in memory and on disk, its shuffle files, the blocks of
 * others, and its place in the cluster.
 */
import {
  type BlockId,
  BlockManagerId,
  type BlockStatus,
  isShuffle,
  type ShuffleBlockId,
  type StorageLevel,
} from "@bm/block";
import {
  type BlockIdFilter,
  type BlockManagerMaster,
  BlockManagerSlaveEndpoint,
  type BlockOwner,
  type MapOutputRegistry,
  matchesFilter,
  type ReplicationOrder,
} from "@bm/master";
import type { RpcEndpointRef, RpcEnv } from "@bm/rpc";
import {
  type BlockDataManager,
  type CorruptionCauseName,
  IndexShuffleBlockResolver,
  NettyBlockTransferService,
} from "@bm/shuffle";
import {
  BytesManagedBuffer,
  type ManagedBuffer,
  type StreamCallbackWithId,
  TransportConf,
} from "@bm/transport";
import { DiskBlockManager } from "../disk/disk-block-manager.ts";
import { DiskStore } from "../disk/disk-store.ts";
import { readShuffleConf, type ShuffleConf } from "../shuffle/shuffle-conf.ts";
import { ShuffleManager } from "../shuffle/shuffle-manager.ts";
import { StorageError } from "../storage-error.ts";
import { LocalBlocks } from "./local-blocks.ts";
import { MasterLink } from "./master-link.ts";
import { RemoteBlocks } from "./remote-blocks.ts";
import { UploadToBlock } from "./upload-to-block.ts";

/** What {@link BlockManager.start} takes. */
export interface BlockManagerOptions {
  readonly appId: string;
  /** `driver` for the driver's own. */
  readonly executorId: string;
  /** Where the slave endpoint lives; gives clock, files, network and log too. */
  readonly env: RpcEnv;
  readonly master: BlockManagerMaster;
  readonly tracker: MapOutputRegistry;
  /** `spark.local.dir`: where to make directories for blocks. */
  readonly localRoots: readonly string[];
  /** Bytes of blocks to hold in memory. Default: 256 MiB. */
  readonly memoryBytesMax?: number | undefined;
  /** Name or address under which others reach this process. Default: 127.0.0.1. */
  readonly host?: string | undefined;
  /** `spark.blockManager.port`. Default: 0, the system chooses. */
  readonly port?: number | undefined;
  /** Texts by Spark's keys: those of the transport's module `shuffle`, and of {@link ShuffleConf}. */
  readonly conf?: Readonly<Record<string, string>> | undefined;
  /** Pause between signs of life. Default: 10 s; 0 for none. */
  readonly heartbeatIntervalMs?: number | undefined;
  /** The master counts this executor as dead: end the process. Default: logged. */
  readonly onRefused?: ((error: Error) => void) | undefined;
}

/** What to do besides storing. */
export interface PutOptions {
  /** Report the block, so that others can find it. Default: true. */
  readonly tellMaster?: boolean | undefined;
}

/** Figures since the start. */
export interface BlockManagerMetrics {
  readonly memoryUsedBytes: number;
  readonly memoryMaxBytes: number;
  readonly evictionCount: number;
  /** Bytes of blocks that came from other processes, those of shuffles not counted. */
  readonly remoteBytesRead: number;
  readonly remoteBlocksFetched: number;
  /** Bytes of blocks of ours that were given to readers, here and elsewhere; no shuffles. */
  readonly localBytesRead: number;
}

const MEMORY_BYTES_DEFAULT = 256 * 1024 * 1024;
const HEARTBEAT_INTERVAL_MS_DEFAULT = 10_000;

/** See the file comment. */
export class BlockManager implements BlockDataManager, BlockOwner {
  readonly disk: DiskBlockManager;
  readonly shuffle: ShuffleManager;
  readonly #options: BlockManagerOptions;
  readonly #resolver: IndexShuffleBlockResolver;
  readonly #local: LocalBlocks;
  readonly #remote: RemoteBlocks;
  readonly #transfer: NettyBlockTransferService;
  readonly #endpoint: RpcEndpointRef;
  readonly #link: MasterLink;
  #closing: Promise<void> | null = null;

  /**
   * Starts serving blocks and registers with the master.
   * @throws StorageError NO_LOCAL_DIR, OPTION_INVALID; TransportError BIND_FAILED, OPTION_INVALID;
   *   CodecError; MasterError and RpcError of the registration (rejects).
   */
  static async start(options: BlockManagerOptions): Promise<BlockManager> {
    const shuffleConf = readShuffleConf(options.conf);
    const { env, localRoots } = options;
    const { platform, logger } = env;
    const disk = await DiskBlockManager.create({ platform, roots: localRoots, logger });
    const transfer = createTransfer(options);
    // The server must know whom it serves before the port is known that the rest is made with.
    const served = new LateBlockDataManager();
    try {
      await transfer.init(served);
      served.manager = new BlockManager(options, shuffleConf, disk, transfer);
      await served.manager.#link.register();
      return served.manager;
    } catch (error) {
      // What failed is to be told, not what may fail in clearing up.
      await served.manager?.close().catch(() => {});
      await Promise.allSettled([transfer.close(), disk.close()]);
      throw error;
    }
  }

  private constructor(
    options: BlockManagerOptions,
    shuffleConf: ShuffleConf,
    disk: DiskBlockManager,
    transfer: NettyBlockTransferService,
  ) {
    const { env, master, tracker, executorId } = options;
    const { files, random, clock } = env.platform;
    const { logger } = env;
    const memoryBytesMax = options.memoryBytesMax ?? MEMORY_BYTES_DEFAULT;
    this.#options = options;
    this.disk = disk;
    this.#transfer = transfer;
    const { localDirs, subDirsPerLocalDir } = disk;
    this.#resolver = new IndexShuffleBlockResolver({
      files,
      random,
      localDirs,
      subDirsPerLocalDir,
      logger,
    });
    this.#local = new LocalBlocks({
      diskStore: new DiskStore(files, disk),
      memoryBytesMax,
      report: (id, status) => this.#link.report(id, status),
      logger,
    });
    const localId = (): BlockManagerId => this.id;
    this.#remote = new RemoteBlocks({ master, transfer, random, logger, localId });
    this.#endpoint = BlockManagerSlaveEndpoint.setup(env, {
      owner: this,
      mapOutputTracker: tracker,
    });
    this.#link = new MasterLink({
      master,
      clock,
      logger,
      registration: {
        blockManagerId: BlockManagerId.of(executorId, transfer.hostName, transfer.port),
        localDirs,
        maxOnHeapMemSize: memoryBytesMax,
        maxOffHeapMemSize: 0,
        slaveEndpoint: { address: this.#endpoint.address, name: this.#endpoint.name },
      },
      heartbeatIntervalMs: options.heartbeatIntervalMs ?? HEARTBEAT_INTERVAL_MS_DEFAULT,
      blocks: () => this.#reportableBlocks(),
      onRefused: options.onRefused ?? ((error) => logger.error(error.message)),
    });
    this.shuffle = this.#createShuffleManager(shuffleConf);
  }

  /** Who we are for others; with topology once registered. */
  get id(): BlockManagerId {
    return this.#link.id;
  }

  get metrics(): BlockManagerMetrics {
    const { memoryStore } = this.#local;
    return {
      memoryUsedBytes: memoryStore.usedBytes,
      memoryMaxBytes: memoryStore.bytesMax,
      evictionCount: memoryStore.evictionCount,
      remoteBytesRead: this.#remote.bytesRead,
      remoteBlocksFetched: this.#remote.blocksFetched,
      localBytesRead: this.#local.bytesRead,
    };
  }

  /**
   * Stores a block, takes over `data`, and brings copies to peers as the level asks. A block is never
   * overwritten: one that is there stays as it is. False when there is no room for it.
   * @throws StorageError LEVEL_INVALID, FILE_NAME_INVALID, DISK_FULL, CLOSED; TransportError
   *   (rejects).
   */
  async put(
    id: BlockId,
    data: Uint8Array | ManagedBuffer,
    level: StorageLevel,
    options: PutOptions = {},
  ): Promise<boolean> {
    const buffer = data instanceof Uint8Array ? new BytesManagedBuffer(data) : data;
    try {
      this.#requireOpen();
      checkLevel(id, level);
    } catch (error) {
      buffer.release();
      throw error;
    }
    const isStored = await this.#local.put(id, buffer, level, options.tellMaster ?? true);
    // A block with too few copies is stored all the same.
    if (isStored && level.replication > 1) await this.#replicate(id, level, []);
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
    return this.#local.get(id);
  }

  /** The bytes of a block of another process; the caller releases them. Null when nobody gives it. */
  getRemote(
    id: BlockId,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<ManagedBuffer | null> {
    this.#requireOpen();
    return this.#remote.get(id, options.signal);
  }

  /** For the server: shuffle blocks from their files, others from the stores. */
  async getLocalBlockData(id: BlockId): Promise<ManagedBuffer> {
    if (id.kind === "shuffle" || id.kind === "shuffleBatch") return this.#resolver.getBlockData(id);
    const buffer = isShuffle(id) ? null : await this.#local.get(id);
    if (buffer !== null) return buffer;
    // Whoever asks was told of a block that is gone: the master should know.
    if (!isShuffle(id)) await this.#link.report(id, await this.#local.status(id));
    throw new StorageError("BLOCK_NOT_FOUND", `Block ${id.name} not found`);
  }

  putBlockData(id: BlockId, data: ManagedBuffer, level: StorageLevel): Promise<boolean> {
    return this.put(id, data, level);
  }

  putBlockDataAsStream(id: BlockId, level: StorageLevel): StreamCallbackWithId {
    this.#requireOpen();
    checkLevel(id, level);
    if (isShuffle(id)) {
      throw new StorageError("BLOCK_NOT_STORED", `${id.name}: shuffle files are not taken in`);
    }
    const { files } = this.#options.env.platform;
    return new UploadToBlock(id, this.disk, files, async (path, size) => {
      const received = this.#local.diskStore.openFile(path, size);
      try {
        if (await this.put(id, received, level)) return;
      } finally {
        await files.remove(path);
      }
      throw new StorageError("BLOCK_NOT_STORED", `no room for ${id.name}`);
    });
  }

  /** Where others on this host find our shuffle files. */
  getLocalDirs(): readonly string[] {
    return this.disk.localDirs;
  }

  /** Why a partition of ours arrived corrupt at a reader. */
  diagnoseCorruption(
    id: ShuffleBlockId,
    checksum: bigint,
    algorithm: string,
  ): Promise<CorruptionCauseName> {
    return this.#resolver.diagnoseCorruption(id, checksum, algorithm);
  }

  async removeBlock(id: BlockId): Promise<void> {
    await this.#local.remove(id, true);
  }

  /** The master has forgotten them already, so it is not told. */
  removeRdd(rddId: number): Promise<number> {
    return this.#removeAll((id) => id.kind === "rdd" && id.rddId === rddId, false);
  }

  removeBroadcast(broadcastId: bigint): Promise<number> {
    return this.#removeAll((id) => id.kind === "broadcast" && id.broadcastId === broadcastId, true);
  }

  async removeShuffle(shuffleId: number): Promise<boolean> {
    await this.shuffle.unregisterShuffle(shuffleId);
    return true;
  }

  async blockStatus(id: BlockId): Promise<BlockStatus | null> {
    return this.#local.infos.get(id) === null ? null : this.#local.status(id);
  }

  async matchingBlockIds(filter: BlockIdFilter): Promise<readonly BlockId[]> {
    const known = this.#local.infos.infos.map(({ id }) => id);
    const onDisk = await this.disk.listBlockIds();
    const byName = new Map([...known, ...onDisk].map((id) => [id.name, id]));
    return [...byName.values()].filter((id) => matchesFilter(filter, id));
  }

  /** Makes the copies of a block that are missing; a block that is gone needs none. */
  async replicateBlock({ blockId, replicas, maxReplicas }: ReplicationOrder): Promise<boolean> {
    const info = this.#local.infos.get(blockId);
    if (info === null) return true;
    return this.#replicate(blockId, info.level.withReplication(maxReplicas), replicas);
  }

  /** Ends serving, and deletes the files. The master finds out by itself. Safe to call twice. */
  close(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#closing ??= this.#close(options.signal);
    return this.#closing;
  }

  /** Cuts every connection now, then ends as `close` does. Safe to call twice. */
  abort(reason: Error): void {
    this.#link.close();
    this.#transfer.abort(reason);
    this.close().catch((error: unknown) => this.#options.env.logger.warn(String(error)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(signal: AbortSignal | undefined): Promise<void> {
    this.#link.close();
    const ended = await Promise.allSettled([
      this.#transfer.close({ signal }),
      this.#options.env.stop(this.#endpoint),
    ]);
    await this.#local.close();
    await this.disk.close();
    const failures = ended.flatMap((end): unknown[] =>
      end.status === "rejected" ? [end.reason] : [],
    );
    if (failures.length > 0) throw new AggregateError(failures, "closing the block manager failed");
  }

  #replicate(
    id: BlockId,
    level: StorageLevel,
    holders: readonly BlockManagerId[],
  ): Promise<boolean> {
    return this.#remote.replicate(id, level, holders, () => this.#local.get(id));
  }

  async #removeAll(isWanted: (id: BlockId) => boolean, tellMaster: boolean): Promise<number> {
    const ids = this.#local.infos.infos.map(({ id }) => id).filter(isWanted);
    const removed = await Promise.all(ids.map((id) => this.#local.remove(id, tellMaster)));
    return removed.filter(Boolean).length;
  }

  async #reportableBlocks(): Promise<{ id: BlockId; status: BlockStatus }[]> {
    const ids = this.#local.infos.infos.filter((info) => info.tellsMaster).map(({ id }) => id);
    return Promise.all(ids.map(async (id) => ({ id, status: await this.#local.status(id) })));
  }

  #createShuffleManager(conf: ShuffleConf): ShuffleManager {
    const { env, tracker } = this.#options;
    return new ShuffleManager({
      localId: () => this.id,
      platform: env.platform,
      resolver: this.#resolver,
      tracker,
      blockManager: this,
      client: this.#transfer,
      ...conf,
    });
  }

  #requireOpen(): void {
    if (this.#closing === null) return;
    throw new StorageError("CLOSED", "the block manager is closed");
  }
}

function checkLevel(id: BlockId, level: StorageLevel): void {
  if (level.isValid) return;
  throw new StorageError("LEVEL_INVALID", `${id.name} at ${level.toString()}`);
}

function createTransfer(options: BlockManagerOptions): NettyBlockTransferService {
  const { appId, executorId, env, master, host, port, conf } = options;
  return new NettyBlockTransferService({
    conf: new TransportConf("shuffle", conf),
    appId,
    executorId,
    host,
    port,
    isExecutorAlive: (id) => master.isExecutorAlive(id),
    platform: env.platform,
    logger: env.logger,
  });
}

/** Nobody knows our port before we registered, so nobody asks before the manager is there. */
class LateBlockDataManager implements BlockDataManager {
  manager: BlockManager | null = null;

  getLocalBlockData(id: BlockId): Promise<ManagedBuffer> {
    return this.#ready().getLocalBlockData(id);
  }

  putBlockData(id: BlockId, data: ManagedBuffer, level: StorageLevel): Promise<boolean> {
    return this.#ready().putBlockData(id, data, level);
  }

  putBlockDataAsStream(id: BlockId, level: StorageLevel): StreamCallbackWithId {
    return this.#ready().putBlockDataAsStream(id, level);
  }

  #ready(): BlockManager {
    if (this.manager !== null) return this.manager;
    throw new StorageError("CLOSED", "the block manager is not started yet");
  }
}
