/** What an application is told: where the cluster is, and which shuffle service to use. */
import { SMALL_JVM_FLAGS } from "./java-child.ts";

/** Spark's keys and values. */
export type Conf = Readonly<Record<string, string>>;

/** For every application, in local mode too. */
const QUIET_DRIVER: Conf = {
  "spark.ui.enabled": "false",
  "spark.driver.host": "127.0.0.1",
  "spark.driver.bindAddress": "127.0.0.1",
};

/** One task at a time in the driver's own process, and no service: the results to compare with. */
export const LOCAL_MODE: Conf = { ...QUIET_DRIVER, "spark.master": "local[1]" };

/** Two executors for the whole application; every block of another executor through the service. */
export function clusterConf(masterUrl: string, servicePort: number, localDirectory: string): Conf {
  return {
    ...QUIET_DRIVER,
    "spark.master": masterUrl,
    "spark.cores.max": "2",
    "spark.executor.cores": "1",
    "spark.executor.memory": "512m",
    "spark.executor.extraJavaOptions": SMALL_JVM_FLAGS.join(" "),
    // Both executors from the first task on, or the first one would read everything from its disk.
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    "spark.scheduler.maxRegisteredResourcesWaitingTime": "60s",
    "spark.shuffle.service.enabled": "true",
    "spark.shuffle.service.port": String(servicePort),
    "spark.shuffle.readHostLocalDisk": "false",
    "spark.shuffle.service.fetch.rdd.enabled": "true",
    "spark.shuffle.service.removeShuffle": "true",
    // Read by the job programs, not by Spark.
    "spark.bm.localDirectory": localDirectory,
  };
}

/** OpenBlocks instead of FetchShuffleBlocks. */
export const OLD_FETCH_PROTOCOL: Conf = { "spark.shuffle.useOldFetchProtocol": "true" };

/** Every block as a stream of its own instead of a chunk. */
export const BLOCKS_AS_STREAMS: Conf = { "spark.network.maxRemoteBlockSizeFetchToMem": "1" };

/** GetLocalDirsForExecutors, and files of executors of the same host read past the service. */
export const HOST_LOCAL_READS: Conf = { "spark.shuffle.readHostLocalDisk": "true" };

/** Executors go away after a second without work, whatever files they wrote. */
export const DYNAMIC_ALLOCATION: Conf = {
  "spark.dynamicAllocation.enabled": "true",
  "spark.dynamicAllocation.shuffleTracking.enabled": "false",
  "spark.dynamicAllocation.initialExecutors": "2",
  "spark.dynamicAllocation.minExecutors": "0",
  "spark.dynamicAllocation.maxExecutors": "2",
  "spark.dynamicAllocation.executorIdleTimeout": "1s",
  "spark.dynamicAllocation.cachedExecutorIdleTimeout": "1s",
};

/** Reduce tasks of `slowReduce` that take this long each. */
export function slowly(reduceMillis: number): Conf {
  return { "spark.bm.reduceMillis": String(reduceMillis) };
}
