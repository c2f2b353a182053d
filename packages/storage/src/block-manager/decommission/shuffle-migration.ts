/**
 * Moves map output: data first, then the index, because the report of an index is what makes the driver
 * send readers to its new place. Each peer takes one map output at a time, several peers beside each
 * other.
 */
import {
  type BlockManagerId,
  type ShuffleIndexBlockId,
  StorageLevel,
  shuffleDataBlockId,
} from "@bm/block";
import type { IndexShuffleBlockResolver, NettyBlockTransferService } from "@bm/shuffle";
import { FileSegmentManagedBuffer, type Files, type Logger, type Random } from "@bm/transport";
import type { PeerList } from "../replication/peer-list.ts";
import { shuffled } from "../replication/replication-policy.ts";
import type { Migration, RoundOutcome } from "./migration-progress.ts";

/** What {@link ShuffleMigration} takes. */
export interface ShuffleMigrationOptions {
  /** The map outputs that lie here. */
  readonly outputs: () => Promise<readonly ShuffleIndexBlockId[]>;
  readonly resolver: IndexShuffleBlockResolver;
  readonly transfer: NettyBlockTransferService;
  readonly peers: PeerList;
  readonly files: Files;
  readonly random: Random;
  readonly logger: Logger;
  readonly peersMax: number;
  /** Failures after which a map output is given up. */
  readonly failuresMax: number;
}

/** See the file comment. */
export class ShuffleMigration implements Migration {
  readonly #options: ShuffleMigrationOptions;
  readonly #moved = new Set<string>();
  readonly #failures = new Map<string, number>();

  constructor(options: ShuffleMigrationOptions) {
    this.#options = options;
  }

  get moved(): number {
    return this.#moved.size;
  }

  async round(signal: AbortSignal): Promise<RoundOutcome> {
    const { outputs, peers, random, peersMax } = this.#options;
    const queue = (await outputs()).filter((id) => this.#isLeft(id));
    const targets = shuffled(await peers.peers(true), random).slice(0, peersMax);
    await Promise.all(targets.map((peer) => this.#fill(peer, queue, signal)));
    const left = (await outputs()).filter(({ name }) => !this.#moved.has(name));
    const failed = left.map(({ name }) => name);
    return { isDone: targets.length === 0 || !left.some((id) => this.#isLeft(id)), failed };
  }

  #isLeft({ name }: ShuffleIndexBlockId): boolean {
    const failures = this.#failures.get(name) ?? 0;
    return !this.#moved.has(name) && failures < this.#options.failuresMax;
  }

  /** Brings map outputs of the queue to one peer until it fails; what failed is for others. */
  async #fill(
    peer: BlockManagerId,
    queue: ShuffleIndexBlockId[],
    signal: AbortSignal,
  ): Promise<void> {
    for (;;) {
      const id = signal.aborted ? undefined : queue.shift();
      if (id === undefined) return;
      try {
        await this.#move(id, peer, signal);
        this.#moved.add(id.name);
      } catch (error) {
        const isGone = await this.#isGone(id);
        if (isGone) continue;
        this.#options.logger.warn(
          `${id.name} does not get to ${peer.toString()}: ${String(error)}`,
        );
        this.#failures.set(id.name, (this.#failures.get(id.name) ?? 0) + 1);
        queue.push(id);
        return;
      }
    }
  }

  async #move(id: ShuffleIndexBlockId, peer: BlockManagerId, signal: AbortSignal): Promise<void> {
    const { shuffleId, mapId } = id;
    const { resolver } = this.#options;
    const dataId = shuffleDataBlockId(shuffleId, mapId);
    await this.#upload(peer, dataId.name, resolver.getDataFile(shuffleId, mapId), signal);
    await this.#upload(peer, id.name, resolver.getIndexFile(shuffleId, mapId), signal);
  }

  /** A map output without any record has no data file. */
  async #upload(
    { host, port, executorId }: BlockManagerId,
    name: string,
    path: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { files, transfer } = this.#options;
    const file = await files.stat(path);
    if (file === null) return;
    const body = new FileSegmentManagedBuffer({ files, path, offset: 0, length: file.bytes });
    await transfer.uploadBlock(host, port, executorId, name, body, StorageLevel.DISK_ONLY, {
      signal,
    });
  }

  async #isGone({ shuffleId, mapId }: ShuffleIndexBlockId): Promise<boolean> {
    const { files, resolver } = this.#options;
    return (await files.stat(resolver.getIndexFile(shuffleId, mapId))) === null;
  }
}
