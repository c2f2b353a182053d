import type { FetchOptions } from "./block-fetches.ts";
import type { BlockFetchingListener } from "./block-fetching-listener.ts";
import type { DiagnosisClient } from "./corrupt-blocks.ts";

/** The part of a transfer service or shuffle client that a reader needs. */
export interface BlockFetchClient extends DiagnosisClient {
  /** See `NettyBlockTransferService.fetchBlocks`. */
  fetchBlocks(
    host: string,
    port: number,
    executorId: string,
    blockIds: readonly string[],
    listener: BlockFetchingListener,
    options?: FetchOptions,
  ): Promise<void>;
}
