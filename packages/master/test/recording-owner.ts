import { type BlockId, type BlockStatus, StorageLevel } from "@bm/block";
import {
  type BlockIdFilter,
  type BlockOwner,
  matchesFilter,
  type ReplicationOrder,
} from "@bm/master";

/** Has no blocks but the given ones; writes down its orders, and answers 1 or true to each. */
export class RecordingOwner implements BlockOwner {
  readonly orders: string[] = [];
  readonly #blocks: readonly BlockId[];

  constructor(blocks: readonly BlockId[] = []) {
    this.#blocks = blocks;
  }

  removeBlock(id: BlockId): void {
    this.orders.push(`RemoveBlock(${id.name})`);
  }

  removeRdd(rddId: number): Promise<number> {
    return this.#did(`RemoveRdd(${rddId})`, 1);
  }

  removeBroadcast(broadcastId: bigint): Promise<number> {
    return this.#did(`RemoveBroadcast(${broadcastId})`, 1);
  }

  removeShuffle(shuffleId: number): Promise<boolean> {
    return this.#did(`RemoveShuffle(${shuffleId})`, true);
  }

  replicateBlock({ blockId, replicas, maxReplicas }: ReplicationOrder): Promise<boolean> {
    const holders = replicas.map(String).join(", ");
    return this.#did(`ReplicateBlock(${blockId.name},[${holders}],${maxReplicas})`, true);
  }

  markRddBlockAsVisible(id: BlockId): void {
    this.orders.push(`MarkRDDBlockAsVisible(${id.name})`);
  }

  decommission(): void {
    this.orders.push("DecommissionBlockManager");
  }

  blockStatus(id: BlockId): BlockStatus | null {
    const isHeld = this.#blocks.some(({ name }) => name === id.name);
    return isHeld ? { storageLevel: StorageLevel.DISK_ONLY, memSize: 0, diskSize: 77 } : null;
  }

  matchingBlockIds(filter: BlockIdFilter): BlockId[] {
    return this.#blocks.filter((id) => matchesFilter(filter, id));
  }

  #did<Answer>(order: string, answer: Answer): Promise<Answer> {
    this.orders.push(order);
    return Promise.resolve(answer);
  }
}
