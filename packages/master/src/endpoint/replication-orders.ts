import { type BlockManagerId, isRdd, javaStringHash } from "@bm/block";
import type { ReplicationOrder } from "../protocol/replicate-block.ts";
import type { BlockManagerInfo } from "./block-manager-info.ts";
import type { MasterState, ReducedBlock } from "./master-state.ts";

/** An order and the block manager that gets it. */
export interface AddressedOrder {
  readonly info: BlockManagerInfo;
  readonly order: ReplicationOrder;
}

/**
 * Orders that bring blocks back to the number of copies they had before one holder went. Only for
 * cached partitions: broadcasts are read again, map output computed again.
 */
export function ordersAfterLoss(
  state: MasterState,
  reduced: readonly ReducedBlock[],
): AddressedOrder[] {
  return reduced.flatMap(({ blockId, survivors }) => {
    const replicates = isRdd(blockId) || blockId.kind === "test";
    const index = Math.abs(javaStringHash(blockId.name)) % survivors.length;
    const chosen = survivors[index];
    const info = chosen === undefined ? null : state.infoOf(chosen);
    if (!replicates || chosen === undefined || info === null) return [];
    const replicas = survivors.filter((id) => !id.equals(chosen));
    return [{ info, order: { blockId, replicas, maxReplicas: survivors.length + 1 } }];
  });
}

/** Orders that make a copy elsewhere of every cached partition of a block manager that will go. */
export function ordersBeforeDeparture(state: MasterState, id: BlockManagerId): ReplicationOrder[] {
  const blocks = state.infoOf(id)?.blocks() ?? [];
  return blocks
    .filter(({ blockId }) => isRdd(blockId))
    .map(({ blockId }) => {
      const holders = state.locations.of(blockId);
      const replicas = holders.filter((holder) => !holder.equals(id));
      return { blockId, replicas, maxReplicas: holders.length + 1 };
    });
}
