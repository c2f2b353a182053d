import type { Logger, Platform, TransportClient, TransportConf } from "@bm/transport";
import type { DownloadFiles } from "../download/download-files.ts";
import type { BlockFetchingListener } from "./block-fetching-listener.ts";
import { OneForOneBlockFetcher } from "./one-for-one-block-fetcher.ts";
import {
  RetryingBlockFetcher,
  type RetryingBlockFetcherOptions,
} from "./retrying-block-fetcher.ts";

/** How a fetch ends early, and where its blocks go. */
export interface FetchOptions {
  /** Gives the fetch up: every block not told yet fails with FETCH_ABORTED. */
  readonly signal?: AbortSignal | undefined;
  /** Fetch into files made here, for blocks too large for memory. Default: into memory. */
  readonly downloads?: DownloadFiles | undefined;
}

/** What {@link BlockFetches} needs. */
export interface BlockFetchesOptions {
  readonly conf: TransportConf;
  readonly appId: string;
  readonly platform: Platform;
  readonly logger: Logger;
}

/** Which blocks to fetch, and over which connection. */
export interface BlocksFrom {
  /** A live connection to the peer. */
  readonly connect: (signal: AbortSignal) => Promise<TransportClient>;
  readonly execId: string;
  readonly blockIds: readonly string[];
  readonly listener: BlockFetchingListener;
}

/** The transfers of one client that are in progress, so that closing it ends them. */
export class BlockFetches {
  readonly #options: BlockFetchesOptions;
  readonly #inProgress = new Map<RetryingBlockFetcher, Promise<void>>();

  constructor(options: BlockFetchesOptions) {
    this.#options = options;
  }

  /**
   * Fetches blocks, with retries; resolves once the listener was told of all.
   * @throws ShuffleError BLOCK_IDS_INVALID for no ids (rejects); the listener hears nothing then.
   */
  async fetch(from: BlocksFrom, { downloads, signal }: FetchOptions = {}): Promise<void> {
    const { connect, execId, blockIds, listener } = from;
    const { appId, conf } = this.#options;
    const { useOldFetchProtocol } = conf;
    await this.transfer({
      blockIds,
      listener,
      signal,
      start: async (ids, attempt, attemptSignal) => {
        const client = await connect(attemptSignal);
        const wanted = { appId, execId, blockIds: ids, useOldFetchProtocol };
        const how = { downloads, signal: attemptSignal };
        new OneForOneBlockFetcher({ ...wanted, ...how, client, listener: attempt }).start();
      },
    });
  }

  /** Any transfer of blocks with retries. As `fetch`. */
  async transfer(
    blocks: Pick<
      RetryingBlockFetcherOptions,
      "blockIds" | "listener" | "start" | "signal" | "mayRetry"
    >,
  ): Promise<void> {
    const { conf, logger, platform } = this.#options;
    const fetcher = new RetryingBlockFetcher({
      ...blocks,
      maxRetries: conf.maxRetries,
      retryWaitMs: conf.retryWaitMs,
      retryAuthentication: conf.saslRetriesEnabled,
      clock: platform.clock,
      random: platform.random,
      logger,
    });
    const run = fetcher.run();
    this.#inProgress.set(fetcher, run);
    await run;
    this.#inProgress.delete(fetcher);
  }

  /** Gives up everything in progress: what is outstanding fails with FETCH_ABORTED. */
  abort(reason: Error): void {
    for (const fetcher of this.#inProgress.keys()) fetcher.abort(reason);
  }

  /** Resolves when nothing is in progress any more. */
  async ended(): Promise<void> {
    await Promise.all(this.#inProgress.values());
  }
}
