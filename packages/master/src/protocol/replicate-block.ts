import type { BlockId, BlockManagerId } from "@bm/block";
import type { bm } from "../gen/master.js";
import { blockIdFromWire, idFromWire, idToWire } from "./values.ts";

/** Orders a holder of a block to make more copies of it. */
export interface ReplicationOrder {
  readonly blockId: BlockId;
  /** Who has the block besides the one that gets the order. */
  readonly replicas: readonly BlockManagerId[];
  /** Copies there should be in the end, the holder's own included. */
  readonly maxReplicas: number;
}

/** Fields of an order. */
export function orderToWire(order: ReplicationOrder): bm.master.ReplicateBlock.$Properties {
  const { blockId, replicas, maxReplicas } = order;
  return { blockId: blockId.name, replicas: replicas.map(idToWire), maxReplicas };
}

/** An order. */
export function orderFromWire(wire: bm.master.ReplicateBlock.$Properties): ReplicationOrder {
  return {
    blockId: blockIdFromWire(wire.blockId),
    replicas: (wire.replicas ?? []).map(idFromWire),
    maxReplicas: wire.maxReplicas ?? 0,
  };
}
