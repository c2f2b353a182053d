import type { BlockId, BlockStatus } from "@bm/block";
import {
  type BlockIdFilter,
  type BlockOwner,
  matchesFilter,
  type ReplicationOrder,
} from "@bm/master";
import type { DiskBlockManager } from "../disk/disk-block-manager.ts";
import type { ShuffleManager } from "../shuffle/shuffle-manager.ts";
import type { LocalBlocks } from "./local-blocks.ts";
import type { RddCache } from "./rdd-cache.ts";
import type { Replicator } from "./replication/replicator.ts";

/** What {@link MasterOrders} takes. */
export interface MasterOrdersOptions {
  readonly local: LocalBlocks;
  readonly disk: DiskBlockManager;
  readonly cache: RddCache;
  readonly replicator: Replicator;
  /** Peers that may fail before a block is given up. */
  readonly failuresMax: number;
  readonly shuffle: () => ShuffleManager;
  readonly decommission: () => void;
}

/** Carries out what the master orders. */
export class MasterOrders implements BlockOwner {
  readonly #options: MasterOrdersOptions;

  constructor(options: MasterOrdersOptions) {
    this.#options = options;
  }

  async removeBlock(id: BlockId): Promise<void> {
    this.#options.cache.forget(({ name }) => name === id.name);
    await this.#options.local.remove(id, true);
  }

  /** The master has forgotten them already, so it is not told. */
  removeRdd(rddId: number): Promise<number> {
    return this.#removeAll((id) => id.kind === "rdd" && id.rddId === rddId, false);
  }

  removeBroadcast(broadcastId: bigint): Promise<number> {
    return this.#removeAll((id) => id.kind === "broadcast" && id.broadcastId === broadcastId, true);
  }

  async removeShuffle(shuffleId: number): Promise<boolean> {
    await this.#options.shuffle().unregisterShuffle(shuffleId);
    return true;
  }

  async blockStatus(id: BlockId): Promise<BlockStatus | null> {
    const { local } = this.#options;
    return local.infos.get(id) === null ? null : local.status(id);
  }

  async matchingBlockIds(filter: BlockIdFilter): Promise<readonly BlockId[]> {
    const { local, disk } = this.#options;
    const known = local.infos.infos.map(({ id }) => id);
    const onDisk = await disk.listBlockIds();
    const byName = new Map([...known, ...onDisk].map((id) => [id.name, id]));
    return [...byName.values()].filter((id) => matchesFilter(filter, id));
  }

  /** Makes the copies of a block that are missing; a block that is gone needs none. */
  async replicateBlock(
    { blockId, replicas, maxReplicas }: ReplicationOrder,
    failuresMax: number = this.#options.failuresMax,
  ): Promise<boolean> {
    const { local, replicator } = this.#options;
    const info = local.infos.get(blockId);
    if (info === null) return true;
    return replicator.replicate({
      id: blockId,
      level: info.level.withReplication(maxReplicas),
      holders: replicas,
      failuresMax,
      // The order comes because somebody went.
      needsFreshPeers: true,
      read: () => local.get(blockId),
    });
  }

  /** The task that made the partition has succeeded. */
  markRddBlockAsVisible(id: BlockId): void {
    this.#options.cache.markVisible(id);
  }

  decommission(): void {
    this.#options.decommission();
  }

  async #removeAll(isWanted: (id: BlockId) => boolean, tellMaster: boolean): Promise<number> {
    const { local, cache } = this.#options;
    cache.forget(isWanted);
    const ids = local.infos.infos.map(({ id }) => id).filter(isWanted);
    const removed = await Promise.all(ids.map((id) => local.remove(id, tellMaster)));
    return removed.filter(Boolean).length;
  }
}
