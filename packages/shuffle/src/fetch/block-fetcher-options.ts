import type { BlockManagerId, ShuffleBlockChunkId } from "@bm/block";
import type { ManagedBuffer, Random } from "@bm/transport";
import type { DownloadFiles } from "../download/download-files.ts";
import type { FetchHedging } from "../hedging/fetch-hedging.ts";
import type { PushMergedOptions } from "../merged/push-merged-options.ts";
import type { BlockDataManager } from "../server/block-data-manager.ts";
import type { BlockFetchClient } from "./block-fetch-client.ts";
import type { FetchMemory } from "./fetch-memory.ts";
import type { BlocksByLocation, BlockToFetch } from "./fetch-requests.ts";
import type { HostLocalBlocks } from "./host-local-blocks.ts";

/** Options of {@link BlockFetcherIterator}. */
export interface BlockFetcherIteratorOptions {
  /** This block manager: blocks of its executor are read through `blockManager`. */
  readonly localId: BlockManagerId;
  readonly blockManager: Pick<BlockDataManager, "getLocalBlockData">;
  readonly client: BlockFetchClient;
  /** Without empty blocks, and no block twice. */
  readonly blocks: Iterable<BlocksByLocation>;
  readonly random: Random;
  /** `spark.reducer.maxSizeInFlight`. Default: 48 MiB. */
  readonly maxBytesInFlight?: number | undefined;
  /** `spark.reducer.maxReqsInFlight`. Default: no limit. */
  readonly maxReqsInFlight?: number | undefined;
  /** `spark.reducer.maxBlocksInFlightPerAddress`. Default: no limit. */
  readonly maxBlocksInFlightPerAddress?: number | undefined;
  /** Shared by the readers of a process: requests are put off while others hold it. Default: none. */
  readonly memory?: FetchMemory | undefined;
  /**
   * Asks for neighbouring partitions of one map as one block, whose id is then that of the run. The
   * blocks of a map must stand together and ascend, and what lies between them must be empty. Not for
   * peers that do not know runs, nor for data whose streams cannot be read one behind the other.
   * Default: false.
   */
  readonly mergeRuns?: boolean | undefined;
  /**
   * `spark.network.maxRemoteBlockSizeFetchToMem`: larger requests go into files of `downloads`.
   * Default: 200 MiB.
   */
  readonly maxBytesInMemory?: number | undefined;
  /** Where large requests go. Default: into memory all the same. */
  readonly downloads?: DownloadFiles | undefined;
  /** Reads blocks of other executors on this host from their files. Default: over the network. */
  readonly hostLocal?: Pick<HostLocalBlocks, "read"> | undefined;
  /**
   * Looks at each block before the reader gets it; the buffer is borrowed. A throw or rejection says
   * that the block is corrupt: it is fetched once more if it came over the network, and diagnosed the
   * second time. Default: every block is good.
   */
  readonly verify?: ((block: FetchedBlock) => void | Promise<void>) | undefined;
  /** Repeats slow fetches at a second place, see `FetchHedging`. Default: never. */
  readonly hedging?: FetchHedging | undefined;
  /**
   * Partitions that a shuffle service has merged. They come chunk by chunk; what cannot be had, or is
   * corrupt, comes as the original blocks instead. The client must have `getMergedBlockMeta`, and
   * `mergeRuns` does nothing then: a run could span a merged partition. Default: none.
   */
  readonly pushMerged?: PushMergedOptions | undefined;
  /** Of the writers' checksum files, for the diagnosis. Default: `ADLER32`. */
  readonly checksumAlgorithm?: string | undefined;
  /** Ends the reading: the iteration throws FETCH_ABORTED. */
  readonly signal?: AbortSignal | undefined;
}

/** A block that arrived. */
export interface FetchedBlock {
  /** That of a chunk when it was merged. */
  readonly blockId: BlockToFetch["blockId"] | ShuffleBlockChunkId;
  /** -1 for a chunk, which is of many maps. */
  readonly mapIndex: number;
  readonly location: BlockManagerId;
  /** Handed over: the reader releases it. Never empty. */
  readonly buffer: ManagedBuffer;
}
