import type { BlockManagerMaster, MapOutputRegistry } from "@bm/master";
import type { RpcEnv } from "@bm/rpc";

/** What {@link BlockManager.start} takes. */
export interface BlockManagerOptions {
  readonly appId: string;
  /** `driver` for the driver's own. */
  readonly executorId: string;
  /** Where the slave endpoint lives; gives clock, files, network and log too. */
  readonly env: RpcEnv;
  readonly master: BlockManagerMaster;
  readonly tracker: MapOutputRegistry;
  /** `spark.local.dir`: where to make directories for blocks. */
  readonly localRoots: readonly string[];
  /** Bytes of blocks to hold in memory. Default: 256 MiB. */
  readonly memoryBytesMax?: number | undefined;
  /** Name or address under which others reach this process. Default: 127.0.0.1. */
  readonly host?: string | undefined;
  /** `spark.blockManager.port`. Default: 0, the system chooses. */
  readonly port?: number | undefined;
  /**
   * Texts by Spark's keys: those of the transport's module `shuffle`, of {@link ShuffleConf} and of
   * {@link StorageConf}.
   */
  readonly conf?: Readonly<Record<string, string>> | undefined;
  /** Pause between signs of life. Default: 10 s; 0 for none. */
  readonly heartbeatIntervalMs?: number | undefined;
  /** The master counts this executor as dead: end the process. Default: logged. */
  readonly onRefused?: ((error: Error) => void) | undefined;
}

/** What to do besides storing. */
export interface PutOptions {
  /** Report the block, so that others can find it. Default: true. */
  readonly tellMaster?: boolean | undefined;
}

/** Figures since the start. */
export interface BlockManagerMetrics {
  readonly memoryUsedBytes: number;
  readonly memoryMaxBytes: number;
  readonly evictionCount: number;
  /** Bytes of blocks that came from other processes, those of shuffles not counted. */
  readonly remoteBytesRead: number;
  readonly remoteBlocksFetched: number;
  /** Bytes of blocks of ours that were given to readers, here and elsewhere; no shuffles. */
  readonly localBytesRead: number;
}
