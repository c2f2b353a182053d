import type { BlockId, BlockManagerId } from "@bm/block";
import type { BlockManagerMaster, ReplicationOrder } from "@bm/master";
import type { PeerList } from "../replication/peer-list.ts";
import type { Migration, RoundOutcome } from "./migration-progress.ts";

/** What {@link RddMigration} takes. */
export interface RddMigrationOptions {
  readonly master: BlockManagerMaster;
  readonly peers: PeerList;
  readonly localId: () => BlockManagerId;
  /** Makes the copy that an order asks for; true when it is there. */
  readonly replicate: (order: ReplicationOrder) => Promise<boolean>;
  /** Drops our own copy, and tells the master. */
  readonly remove: (id: BlockId) => Promise<void>;
}

/** Moves cached partitions: a copy elsewhere first, then ours goes. */
export class RddMigration implements Migration {
  readonly #options: RddMigrationOptions;
  #moved = 0;

  constructor(options: RddMigrationOptions) {
    this.#options = options;
  }

  get moved(): number {
    return this.#moved;
  }

  async round(signal: AbortSignal): Promise<RoundOutcome> {
    const { master, peers, localId, replicate, remove } = this.#options;
    const orders = await master.getReplicateInfoForRddBlocks(localId());
    const failed: string[] = [];
    if ((await peers.peers(true)).length === 0) {
      return { isDone: true, failed: orders.map(({ blockId }) => blockId.name) };
    }
    for (const order of orders) {
      if (signal.aborted) break;
      if (await replicate(order)) {
        await remove(order.blockId);
        this.#moved += 1;
      } else failed.push(order.blockId.name);
    }
    return { isDone: failed.length === 0, failed };
  }
}
