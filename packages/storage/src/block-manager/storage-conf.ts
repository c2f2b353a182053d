import { parseByteSize, parseDurationMs } from "@bm/transport";
import { StorageError } from "../storage-error.ts";
import {
  basicReplicationPolicy,
  type ReplicationPolicy,
  randomReplicationPolicy,
} from "./replication/replication-policy.ts";

/** What Spark's keys say of replication, decommissioning and cached partitions. */
export interface StorageConf {
  /** `spark.storage.replication.policy`: the random (default) or the basic one, by class name. */
  readonly replicationPolicy: ReplicationPolicy;
  /** `spark.storage.maxReplicationFailures`: peers that may fail before a put gives up. Default: 1. */
  readonly replicationFailuresMax: number;
  /** `spark.storage.cachedPeersTtl`: how long a list of peers counts. Default: 60 s. */
  readonly peersTtlMs: number;
  /** `spark.rdd.cache.visibilityTracking.enabled`. Default: false. */
  readonly tracksVisibility: boolean;
  readonly decommission: DecommissionConf;
}

/** How a block manager empties itself. */
export interface DecommissionConf {
  /** `spark.storage.decommission.rddBlocks.enabled`. Default: true. */
  readonly movesRddBlocks: boolean;
  /** `spark.storage.decommission.shuffleBlocks.enabled`. Default: true. */
  readonly movesShuffles: boolean;
  /** `spark.storage.decommission.shuffleBlocks.maxThreads`: peers written to at once. Default: 8. */
  readonly shufflePeersMax: number;
  /** `spark.storage.decommission.shuffleBlocks.maxDiskSize`: bytes taken in. Default: no limit. */
  readonly shuffleBytesMax: number;
  /** `spark.storage.decommission.maxReplicationFailuresPerBlock`. Default: 3. */
  readonly failuresMax: number;
  /** `spark.storage.decommission.replicationReattemptInterval`: between two rounds. Default: 30 s. */
  readonly roundIntervalMs: number;
}

type Texts = Readonly<Record<string, string>>;

const POLICIES: Readonly<Record<string, ReplicationPolicy>> = {
  RandomBlockReplicationPolicy: randomReplicationPolicy,
  BasicBlockReplicationPolicy: basicReplicationPolicy,
};
const SPARK_PACKAGE = "org.apache.spark.storage.";

/** Reads the keys. @throws StorageError OPTION_INVALID; TransportError OPTION_INVALID for a unit. */
export function readStorageConf(conf: Texts = {}): StorageConf {
  return {
    replicationPolicy: policy(conf),
    replicationFailuresMax: count(conf, "spark.storage.maxReplicationFailures", 1, 0),
    peersTtlMs: count(conf, "spark.storage.cachedPeersTtl", 60_000, 0),
    tracksVisibility: flag(conf, "spark.rdd.cache.visibilityTracking.enabled", false),
    decommission: readDecommissionConf(conf),
  };
}

function readDecommissionConf(conf: Texts): DecommissionConf {
  const prefix = "spark.storage.decommission";
  const diskSize = conf[`${prefix}.shuffleBlocks.maxDiskSize`];
  return {
    movesRddBlocks: flag(conf, `${prefix}.rddBlocks.enabled`, true),
    movesShuffles: flag(conf, `${prefix}.shuffleBlocks.enabled`, true),
    shufflePeersMax: count(conf, `${prefix}.shuffleBlocks.maxThreads`, 8, 1),
    shuffleBytesMax: diskSize === undefined ? Infinity : parseByteSize(diskSize, "B"),
    failuresMax: count(conf, `${prefix}.maxReplicationFailuresPerBlock`, 3, 1),
    roundIntervalMs: parseDurationMs(conf[`${prefix}.replicationReattemptInterval`] ?? "30s", "ms"),
  };
}

function policy(conf: Texts): ReplicationPolicy {
  const key = "spark.storage.replication.policy";
  const name = (conf[key] ?? "RandomBlockReplicationPolicy").replace(SPARK_PACKAGE, "");
  const found = POLICIES[name];
  if (found !== undefined) return found;
  const known = Object.keys(POLICIES).join(", ");
  throw new StorageError("OPTION_INVALID", `${key} is ${name}, must be one of ${known}`);
}

/** A boolean of a key. @throws StorageError OPTION_INVALID */
export function flag(conf: Texts, key: string, byDefault: boolean): boolean {
  const text = conf[key]?.trim().toLowerCase();
  if (text === undefined) return byDefault;
  if (text === "true" || text === "false") return text === "true";
  throw new StorageError("OPTION_INVALID", `${key} is ${text}, must be true or false`);
}

function count(conf: Texts, key: string, byDefault: number, least: number): number {
  const text = conf[key];
  const value = text === undefined ? byDefault : Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new StorageError("OPTION_INVALID", `${key} is ${text}, must be an integer from ${least}`);
}
