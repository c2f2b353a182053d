/** Brings copies of blocks to peers. */
import type { BlockId, BlockManagerId, StorageLevel } from "@bm/block";
import type { NettyBlockTransferService } from "@bm/shuffle";
import type { Logger, ManagedBuffer, Random } from "@bm/transport";
import { StorageError } from "../../storage-error.ts";
import type { PeerList } from "./peer-list.ts";
import type { ReplicationPolicy } from "./replication-policy.ts";

/** What {@link Replicator} takes. */
export interface ReplicatorOptions {
  readonly peers: PeerList;
  readonly policy: ReplicationPolicy;
  readonly transfer: NettyBlockTransferService;
  readonly random: Random;
  readonly logger: Logger;
  readonly localId: () => BlockManagerId;
}

/** A block of which there shall be as many copies as its level says, ours included. */
export interface Replication {
  readonly id: BlockId;
  readonly level: StorageLevel;
  /** Who has the block besides us. */
  readonly holders: readonly BlockManagerId[];
  /** Peers that may fail before it is given up. */
  readonly failuresMax: number;
  /** Ask for the peers anew: those known may be gone. */
  readonly needsFreshPeers: boolean;
  /** Gives the bytes anew for each peer; null when they are gone. */
  readonly read: () => Promise<ManagedBuffer | null>;
}

/** See the file comment. */
export class Replicator {
  readonly #options: ReplicatorOptions;

  constructor(options: ReplicatorOptions) {
    this.#options = options;
  }

  /**
   * Makes the copies that are missing. True when there are enough in the end; never rejects: a block
   * with too few copies is stored all the same. A peer that fails is not asked again.
   */
  async replicate(replication: Replication): Promise<boolean> {
    const { id, level, failuresMax } = replication;
    const holders = [...replication.holders];
    const failed: BlockManagerId[] = [];
    let needsFreshPeers = replication.needsFreshPeers;
    while (level.replication - 1 > holders.length && failed.length <= failuresMax) {
      const peer = await this.#nextPeer(level, holders, failed, needsFreshPeers);
      if (peer === undefined) break;
      const isCopied = await this.#copyTo(peer, replication);
      (isCopied ? holders : failed).push(peer);
      // Who failed may be gone, and others may have come.
      needsFreshPeers = !isCopied;
    }
    const missing = level.replication - 1 - holders.length;
    if (missing <= 0) return true;
    this.#options.logger.warn(`${id.name} has ${missing} copies less than ${level.toString()}`);
    return false;
  }

  async #nextPeer(
    level: StorageLevel,
    holders: readonly BlockManagerId[],
    failed: readonly BlockManagerId[],
    isFresh: boolean,
  ): Promise<BlockManagerId | undefined> {
    const { peers, policy, localId, random } = this.#options;
    const out = new Set([...holders, ...failed].map(({ executorId }) => executorId));
    const known = await peers.peers(isFresh);
    const candidates = known.filter(({ executorId }) => !out.has(executorId));
    // Those known are used up, but others may have come since they were asked for.
    if (candidates.length === 0 && !isFresh) return this.#nextPeer(level, holders, failed, true);
    const missing = level.replication - 1 - holders.length;
    const [first] = policy({ self: localId(), peers: candidates, holders, missing, random });
    return first;
  }

  async #copyTo(peer: BlockManagerId, { id, level, read }: Replication): Promise<boolean> {
    const { transfer, logger } = this.#options;
    const { host, port, executorId } = peer;
    try {
      const data = await read();
      if (data === null) throw new StorageError("BLOCK_NOT_FOUND", `${id.name} is gone`);
      const copyLevel = level.withReplication(1);
      await transfer.uploadBlock(host, port, executorId, id.name, data, copyLevel);
      return true;
    } catch (error) {
      logger.warn(`no copy of ${id.name} on ${executorId}: ${String(error)}`);
      return false;
    }
  }
}
