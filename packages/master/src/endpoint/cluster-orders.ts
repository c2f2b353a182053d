/** What the master does by asking block managers: removals, and looking at what is there now. */
import { type BlockId, type BlockManagerId, isRdd } from "@bm/block";
import type {
  BlockStatusQuery,
  BroadcastRemoval,
  MatchingBlockIdsQuery,
} from "../protocol/queries.ts";
import {
  MarkRDDBlockAsVisible,
  ReplicateBlock,
  SlaveGetBlockStatus,
  SlaveGetMatchingBlockIds,
  SlaveRemoveBlock,
  SlaveRemoveBroadcast,
  SlaveRemoveRdd,
  SlaveRemoveShuffle,
} from "../protocol/slave-messages.ts";
import type { BlockStatusAt } from "../protocol/status-messages.ts";
import { matchesFilter } from "../protocol/values.ts";
import type { CacheVisibility } from "./cache-visibility.ts";
import type { MasterState, ReducedBlock } from "./master-state.ts";
import { ordersAfterLoss } from "./replication-orders.ts";
import type { SlaveOrders } from "./slave-orders.ts";

/** What {@link ClusterOrders} works with. */
export interface ClusterOrdersOptions {
  readonly state: MasterState;
  readonly orders: SlaveOrders;
  readonly replicatesLost: boolean;
  readonly visibility: CacheVisibility | null;
}

/** See the file comment. */
export class ClusterOrders {
  readonly #state: MasterState;
  readonly #orders: SlaveOrders;
  readonly #replicatesLost: boolean;
  readonly #visibility: CacheVisibility | null;

  constructor(options: ClusterOrdersOptions) {
    this.#state = options.state;
    this.#orders = options.orders;
    this.#replicatesLost = options.replicatesLost;
    this.#visibility = options.visibility;
  }

  /**
   * Forgets the blocks first, then has every block manager drop them, owners or not: they do not
   * report it, so nothing is known of a block that is gone.
   */
  removeRdd(rddId: number): Promise<number[]> {
    this.#state.removeRdd(rddId);
    const order = { message: SlaveRemoveRdd, request: rddId, answerOfTheDead: 0 };
    return this.#orders.giveAll(this.#state.infos(), order);
  }

  /** Nothing of a shuffle is known here: the map output tracker does. */
  removeShuffle(shuffleId: number): Promise<boolean[]> {
    const order = { message: SlaveRemoveShuffle, request: shuffleId, answerOfTheDead: false };
    return this.#orders.giveAll(this.#state.infos(), order);
  }

  /** Block managers report each piece that they drop; until then it stays known. */
  removeBroadcast(removal: BroadcastRemoval): Promise<number[]> {
    const infos = this.#state.infos().filter(({ id }) => removal.removeFromDriver || !id.isDriver);
    const order = { message: SlaveRemoveBroadcast, request: removal, answerOfTheDead: 0 };
    return this.#orders.giveAll(infos, order);
  }

  /** The holders report it when they have dropped the block. */
  removeBlock(id: BlockId): void {
    for (const holder of this.#state.locations.of(id)) {
      const info = this.#state.infoOf(holder);
      if (info !== null) this.#orders.giveInPassing(info, SlaveRemoveBlock, id);
    }
  }

  removeExecutor(executorId: string): void {
    this.makeUpFor(this.#state.removeExecutor(executorId));
  }

  /**
   * Lets partitions be read that were hidden: tells all who hold them, or whoever else gets hold of
   * one later (see {@link tellIfVisible}).
   */
  markVisible(ids: readonly BlockId[]): void {
    for (const id of ids) {
      for (const holder of this.#state.locations.of(id)) this.tellIfVisible(holder, id);
    }
  }

  /** Tells a holder that what it has may be read. */
  tellIfVisible(holder: BlockManagerId, id: BlockId): void {
    const info = this.#state.infoOf(holder);
    if (info === null || !isRdd(id) || !this.#visibility?.isVisible(id)) return;
    if (info.statusOf(id) !== null) this.#orders.giveInPassing(info, MarkRDDBlockAsVisible, id);
  }

  /** Has others make up for the copies that a block manager took with it. */
  makeUpFor(reduced: readonly ReducedBlock[]): void {
    if (!this.#replicatesLost) return;
    for (const { info, order } of ordersAfterLoss(this.#state, reduced)) {
      this.#orders.giveInPassing(info, ReplicateBlock, order);
    }
  }

  async blockStatus(query: BlockStatusQuery): Promise<BlockStatusAt[]> {
    const infos = this.#state.infos();
    const statuses = query.askStorageEndpoints
      ? await this.#orders.giveAll(infos, {
          message: SlaveGetBlockStatus,
          request: query,
          answerOfTheDead: null,
        })
      : infos.map((info) => info.statusOf(query.blockId));
    return infos.map(({ id }, index) => ({ blockManagerId: id, status: statuses[index] ?? null }));
  }

  async matchingBlockIds(query: MatchingBlockIdsQuery): Promise<BlockId[]> {
    const infos = this.#state.infos();
    if (query.askStorageEndpoints) {
      const order = { message: SlaveGetMatchingBlockIds, request: query, answerOfTheDead: [] };
      return (await this.#orders.giveAll(infos, order)).flat();
    }
    const known = infos.flatMap((info) => info.blocks().map(({ blockId }) => blockId));
    return known.filter((id) => matchesFilter(query.filter, id));
  }
}
