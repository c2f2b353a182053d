/** Which peers get the copies of a block. */
import type { BlockManagerId } from "@bm/block";
import type { Random } from "@bm/transport";

/** What a policy decides on. */
export interface PeerChoice {
  readonly self: BlockManagerId;
  /** Who may get a copy: none of them has one. */
  readonly peers: readonly BlockManagerId[];
  /** Who has one besides `self`. */
  readonly holders: readonly BlockManagerId[];
  /** Copies still to be made. */
  readonly missing: number;
  readonly random: Random;
}

/** Gives the peers in the order in which to try them, all of them. */
export type ReplicationPolicy = (choice: PeerChoice) => BlockManagerId[];

/** In random order (Spark's RandomBlockReplicationPolicy). */
export const randomReplicationPolicy: ReplicationPolicy = ({ peers, random }) =>
  shuffled(peers, random);

/**
 * One copy on another host of our rack and one in another rack, as HDFS does; the rest at random
 * (Spark's BasicBlockReplicationPolicy). Where our rack is not known everything is random. So one copy
 * survives the loss of a rack, and another one is near.
 */
export const basicReplicationPolicy: ReplicationPolicy = (choice) => {
  const { self, holders, missing, random } = choice;
  const peers = shuffled(choice.peers, random);
  if (self.topologyInfo === null || missing === 0) return peers;
  const isNear = (id: BlockManagerId): boolean => isInRackOf(self, id) && id.host !== self.host;
  const isFar = (id: BlockManagerId): boolean => !isInRackOf(self, id);
  const picked = [isNear, isFar].flatMap((isMeant) => {
    const found = holders.some(isMeant) ? undefined : peers.find(isMeant);
    return found === undefined ? [] : [found];
  });
  return [...picked, ...peers.filter((peer) => !picked.includes(peer))];
};

/** The same elements in random order. */
export function shuffled<Element>(elements: readonly Element[], random: Random): Element[] {
  return elements
    .map((element) => ({ element, order: random.next() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ element }) => element);
}

/** Whether both are known to be in the same rack. */
export function isInRackOf(a: BlockManagerId, b: BlockManagerId): boolean {
  return a.topologyInfo !== null && a.topologyInfo === b.topologyInfo;
}
