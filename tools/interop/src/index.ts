/** The JVM peer and our side of its contract, for interop tests and benchmarks. */
export { freePort } from "./cluster/free-port.ts";
export { buildSparkHome, type SparkHome } from "./cluster/spark-home.ts";
export { buildJvmPeer, missingTools, sparkVersion } from "./jvm-build.ts";
export { PeerHandler } from "./peer-handler.ts";
export {
  chunkOffset,
  FILE_REGION_BYTES,
  MEMORY_REGION_BYTES,
  RegionKind,
  regionBytes,
  splitStreamId,
  streamIdOf,
} from "./region.ts";
