/** What a block manager is put together from, and how the parts know each other. */
import { type BlockId, BlockManagerId, type BlockStatus, type StorageLevel } from "@bm/block";
import { BlockManagerSlaveEndpoint } from "@bm/master";
import type { RpcEndpointRef } from "@bm/rpc";
import {
  type BlockDataManager,
  IndexShuffleBlockResolver,
  NettyBlockTransferService,
} from "@bm/shuffle";
import { type ManagedBuffer, TransportConf } from "@bm/transport";
import type { DiskBlockManager } from "../disk/disk-block-manager.ts";
import { DiskStore } from "../disk/disk-store.ts";
import { readShuffleConf } from "../shuffle/shuffle-conf.ts";
import { ShuffleManager } from "../shuffle/shuffle-manager.ts";
import type { BlockManagerOptions } from "./block-manager-options.ts";
import { Departure } from "./decommission/departure.ts";
import { MigratedShuffleFiles } from "./decommission/migrated-shuffle-files.ts";
import { LocalBlocks } from "./local-blocks.ts";
import { MasterLink } from "./master-link.ts";
import { MasterOrders } from "./master-orders.ts";
import { type RddBlocks, RddCache } from "./rdd-cache.ts";
import { RemoteBlocks } from "./remote-blocks.ts";
import { PeerList } from "./replication/peer-list.ts";
import { Replicator } from "./replication/replicator.ts";
import { ServedBlocks } from "./served-blocks.ts";
import type { StorageConf } from "./storage-conf.ts";

const MEMORY_BYTES_DEFAULT = 256 * 1024 * 1024;
const HEARTBEAT_INTERVAL_MS_DEFAULT = 10_000;

/** What parts ask of the whole. */
export interface WholeManager extends RddBlocks {
  put(id: BlockId, data: Uint8Array | ManagedBuffer, level: StorageLevel): Promise<boolean>;
  /** Throws when the block may not be put now. */
  checkPut(id: BlockId, level: StorageLevel): void;
  decommission(): void;
}

/** What exists before the parts, because it can fail. */
export interface BlockManagerBasis {
  readonly options: BlockManagerOptions;
  readonly conf: StorageConf;
  readonly disk: DiskBlockManager;
  readonly transfer: NettyBlockTransferService;
}

/** See the file comment. */
export class BlockManagerParts {
  readonly local: LocalBlocks;
  readonly remote: RemoteBlocks;
  readonly replicator: Replicator;
  readonly cache: RddCache;
  readonly orders: MasterOrders;
  readonly endpoint: RpcEndpointRef;
  readonly link: MasterLink;
  readonly served: BlockDataManager;
  readonly shuffle: ShuffleManager;
  readonly departure: Departure;
  readonly #basis: BlockManagerBasis;
  readonly #whole: WholeManager;
  readonly #resolver: IndexShuffleBlockResolver;
  readonly #peers: PeerList;

  constructor(basis: BlockManagerBasis, whole: WholeManager) {
    const { options, conf, transfer } = basis;
    const { env, master, tracker: mapOutputTracker } = options;
    const { platform, logger } = env;
    const { random, clock } = platform;
    const localId = this.#localId;
    this.#basis = basis;
    this.#whole = whole;
    this.#resolver = this.#createResolver();
    this.local = this.#createLocalBlocks();
    this.remote = new RemoteBlocks({ master, transfer, random, logger, localId });
    this.#peers = new PeerList({ master, clock, logger, localId, ttlMs: conf.peersTtlMs });
    const { replicationPolicy: policy } = conf;
    const peers = this.#peers;
    this.replicator = new Replicator({ peers, policy, transfer, random, logger, localId });
    this.cache = new RddCache(whole, master, conf.tracksVisibility);
    this.orders = this.#createOrders();
    this.endpoint = BlockManagerSlaveEndpoint.setup(env, { owner: this.orders, mapOutputTracker });
    this.link = this.#createLink();
    this.served = this.#createServed();
    this.shuffle = this.#createShuffleManager();
    this.departure = this.#createDeparture();
  }

  readonly #localId = (): BlockManagerId => this.link.id;

  #createResolver(): IndexShuffleBlockResolver {
    const { options, disk } = this.#basis;
    const { platform, logger } = options.env;
    const { files, random } = platform;
    const { localDirs, subDirsPerLocalDir } = disk;
    return new IndexShuffleBlockResolver({ files, random, localDirs, subDirsPerLocalDir, logger });
  }

  #createLocalBlocks(): LocalBlocks {
    const { env, memoryBytesMax = MEMORY_BYTES_DEFAULT } = this.#basis.options;
    return new LocalBlocks({
      diskStore: new DiskStore(env.platform.files, this.#basis.disk),
      memoryBytesMax,
      report: (id, status) => this.link.report(id, status),
      logger: env.logger,
    });
  }

  #createLink(): MasterLink {
    const { executorId, env, master, heartbeatIntervalMs, onRefused } = this.#basis.options;
    const { hostName, port } = this.#basis.transfer;
    return new MasterLink({
      master,
      clock: env.platform.clock,
      logger: env.logger,
      registration: {
        blockManagerId: BlockManagerId.of(executorId, hostName, port),
        localDirs: this.#basis.disk.localDirs,
        maxOnHeapMemSize: this.local.memoryStore.bytesMax,
        maxOffHeapMemSize: 0,
        slaveEndpoint: { address: this.endpoint.address, name: this.endpoint.name },
      },
      heartbeatIntervalMs: heartbeatIntervalMs ?? HEARTBEAT_INTERVAL_MS_DEFAULT,
      blocks: () => this.#reportableBlocks(),
      onRefused: onRefused ?? ((error) => env.logger.error(error.message)),
    });
  }

  #createShuffleManager(): ShuffleManager {
    const { env, tracker, conf } = this.#basis.options;
    return new ShuffleManager({
      localId: this.#localId,
      platform: env.platform,
      resolver: this.#resolver,
      tracker,
      blockManager: this.served,
      client: this.#basis.transfer,
      ...readShuffleConf(conf),
    });
  }

  #createOrders(): MasterOrders {
    return new MasterOrders({
      local: this.local,
      disk: this.#basis.disk,
      cache: this.cache,
      replicator: this.replicator,
      failuresMax: this.#basis.conf.replicationFailuresMax,
      shuffle: () => this.shuffle,
      decommission: () => this.#whole.decommission(),
    });
  }

  #createServed(): ServedBlocks {
    const { files } = this.#basis.options.env.platform;
    const migratedFiles = new MigratedShuffleFiles({
      files,
      disk: this.#basis.disk,
      resolver: this.#resolver,
      bytesMax: this.#basis.conf.decommission.shuffleBytesMax,
      onArrived: (shuffleId, mapId) => this.shuffle.adopt(shuffleId, mapId),
      report: (id, status) => this.link.report(id, status),
    });
    return new ServedBlocks({
      local: this.local,
      resolver: this.#resolver,
      migratedFiles,
      disk: this.#basis.disk,
      files,
      link: this.link,
      checkPut: (id, level) => this.#whole.checkPut(id, level),
      put: (id, data, level) => this.#whole.put(id, data, level),
    });
  }

  #createDeparture(): Departure {
    const { options, conf, disk, transfer } = this.#basis;
    const { platform, logger } = options.env;
    return new Departure({
      conf: conf.decommission,
      localId: this.#localId,
      disk,
      orders: this.orders,
      master: options.master,
      peers: this.#peers,
      platform,
      logger,
      resolver: this.#resolver,
      transfer,
    });
  }

  async #reportableBlocks(): Promise<{ id: BlockId; status: BlockStatus }[]> {
    const ids = this.local.infos.infos.filter((info) => info.tellsMaster).map(({ id }) => id);
    return Promise.all(ids.map(async (id) => ({ id, status: await this.local.status(id) })));
  }
}

/** The server of one block manager, and its way to others. */
export function createTransfer(options: BlockManagerOptions): NettyBlockTransferService {
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
