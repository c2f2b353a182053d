import type { BlockManagerId } from "@bm/block";
import type { BlockManagerMaster } from "@bm/master";
import type { Clock, Logger } from "@bm/transport";

/** What {@link PeerList} takes. */
export interface PeerListOptions {
  readonly master: BlockManagerMaster;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly localId: () => BlockManagerId;
  /** How long an answer of the master counts. */
  readonly ttlMs: number;
}

/** Whom we may replicate to, as the master said a while ago at most. */
export class PeerList {
  readonly #options: PeerListOptions;
  #peers: readonly BlockManagerId[] = [];
  #askedMs = -Infinity;

  constructor(options: PeerListOptions) {
    this.#options = options;
  }

  /** Never rejects: when the master cannot be asked, the former answer counts on. */
  async peers(isFresh = false): Promise<readonly BlockManagerId[]> {
    const { master, clock, logger, localId, ttlMs } = this.#options;
    const nowMs = clock.nowMs();
    if (!isFresh && nowMs - this.#askedMs < ttlMs) return this.#peers;
    try {
      this.#peers = await master.getPeers(localId());
      this.#askedMs = nowMs;
    } catch (error) {
      logger.warn(`asking for peers: ${String(error)}`);
    }
    return this.#peers;
  }
}
