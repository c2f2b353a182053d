import type { MergedBlockMeta, RequestOptions } from "@bm/transport";
import type { FetchOptions } from "./block-fetches.ts";
import type { BlockFetchingListener } from "./block-fetching-listener.ts";
import type { DiagnosisClient } from "./corrupt-blocks.ts";

/** A partition whose pushed blocks were merged. */
export interface MergedPartition {
  readonly shuffleId: number;
  readonly shuffleMergeId: number;
  readonly reduceId: number;
}

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

  /** See `ExternalShuffleClient.getMergedBlockMeta`. Absent where nothing is push-merged. */
  getMergedBlockMeta?(
    host: string,
    port: number,
    partition: MergedPartition,
    options?: RequestOptions,
  ): Promise<MergedBlockMeta>;
}
