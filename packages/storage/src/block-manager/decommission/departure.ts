import type { BlockId, BlockManagerId, ShuffleIndexBlockId } from "@bm/block";
import type { BlockManagerMaster } from "@bm/master";
import type { IndexShuffleBlockResolver, NettyBlockTransferService } from "@bm/shuffle";
import type { Logger, Platform } from "@bm/transport";
import type { DiskBlockManager } from "../../disk/disk-block-manager.ts";
import type { MasterOrders } from "../master-orders.ts";
import type { PeerList } from "../replication/peer-list.ts";
import type { DecommissionConf } from "../storage-conf.ts";
import { Decommissioner } from "./decommissioner.ts";
import type { MigrationProgress } from "./migration-progress.ts";
import { RddMigration } from "./rdd-migration.ts";
import { ShuffleMigration } from "./shuffle-migration.ts";

/** What {@link Departure} takes. */
export interface DepartureOptions {
  readonly conf: DecommissionConf;
  readonly localId: () => BlockManagerId;
  readonly disk: DiskBlockManager;
  readonly orders: MasterOrders;
  readonly master: BlockManagerMaster;
  readonly peers: PeerList;
  readonly platform: Platform;
  readonly logger: Logger;
  readonly resolver: IndexShuffleBlockResolver;
  readonly transfer: NettyBlockTransferService;
}

/** Whether a block manager is about to go, and what moves its data away then. */
export class Departure {
  readonly #options: DepartureOptions;
  #decommissioner: Decommissioner | null = null;

  constructor(options: DepartureOptions) {
    this.#options = options;
  }

  get hasBegun(): boolean {
    return this.#decommissioner !== null;
  }

  get progress(): MigrationProgress | null {
    return this.#decommissioner?.progress ?? null;
  }

  /** Safe to call twice. */
  begin(): void {
    const { conf, platform, logger } = this.#options;
    const { movesRddBlocks, movesShuffles, roundIntervalMs } = conf;
    if (this.#decommissioner !== null) return;
    logger.info("decommissioned: moving blocks to peers");
    this.#decommissioner = new Decommissioner({
      rddBlocks: movesRddBlocks ? this.#rddMigration() : null,
      shuffles: movesShuffles ? this.#shuffleMigration() : null,
      roundIntervalMs,
      clock: platform.clock,
      logger,
    });
  }

  async close(): Promise<void> {
    await this.#decommissioner?.close();
  }

  #rddMigration(): RddMigration {
    const { conf, localId, orders, master, peers } = this.#options;
    return new RddMigration({
      master,
      peers,
      localId,
      replicate: (order) => orders.replicateBlock(order, conf.failuresMax),
      remove: (id) => orders.removeBlock(id),
    });
  }

  #shuffleMigration(): ShuffleMigration {
    const { conf, disk, peers, platform, logger, resolver, transfer } = this.#options;
    const outputs = async (): Promise<ShuffleIndexBlockId[]> =>
      (await disk.listBlockIds()).filter(isIndex);
    return new ShuffleMigration({
      outputs,
      resolver,
      transfer,
      peers,
      files: platform.files,
      random: platform.random,
      logger,
      peersMax: conf.shufflePeersMax,
      failuresMax: conf.failuresMax,
    });
  }
}

function isIndex(id: BlockId): id is ShuffleIndexBlockId {
  return id.kind === "shuffleIndex";
}
