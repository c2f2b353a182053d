/** The keys that a shuffle service reads beside those of its transport. */

/** One key with its default. */
export interface ServiceKey {
  readonly name: string;
  readonly type: "boolean" | "bytes" | "count" | "duration" | "text";
  readonly default: string;
  readonly doc: string;
  /** True when a service that runs can take another value. */
  readonly isReloadable: boolean;
}

const RELOADABLE =
  /^bm\.service\.(?:application|cleanup|expiry|drain|lookups|openReferences|log)\./;

/** Spark's own keys and, beginning with `bm.`, ours. */
export const SERVICE_KEYS: readonly ServiceKey[] = [
  key("spark.shuffle.service.port", "count", "7337", "Port to listen on; 0 takes a free one."),
  key("spark.shuffle.service.db.enabled", "boolean", "true", "Keep registrations in a database."),
  key(
    "spark.shuffle.service.fetch.rdd.enabled",
    "boolean",
    "false",
    "Accepted: persisted blocks of RDDs are served in any case, and nothing here cleans them.",
  ),
  key(
    "spark.shuffle.service.index.cache.size",
    "bytes",
    "100m",
    "Memory for the indexes of map outputs.",
  ),
  key(
    "spark.shuffle.service.verifyBlockPathsAtRead",
    "boolean",
    "true",
    "Follow no symbolic link out of the directories of an executor.",
  ),
  key(
    "bm.service.verifyMergedChunks",
    "boolean",
    "false",
    "Compare merged chunks with their checksums before they are served.",
  ),
  key("spark.local.dir", "text", "", "Directories, separated by commas, if none are given."),
  key("spark.authenticate", "boolean", "false", "Refused: authentication is not built yet."),
  key(
    "bm.service.threads",
    "count",
    "1",
    "Event loops that serve peers, 1 to 64. `bm serve` takes one for two cores, at most 4, by itself.",
  ),
  key(
    "bm.service.registeredExecutors.max",
    "count",
    "1000000",
    "Executors that may be registered at once.",
  ),
  key(
    "bm.service.openReferences.size",
    "bytes",
    "256m",
    "Memory for blocks that were opened and not fetched yet.",
  ),
  key("bm.service.lookups.max", "count", "64", "Lookups on disk at once."),
  key(
    "bm.service.application.lookups.max",
    "count",
    "0",
    "Of these for one application; 0: half of all.",
  ),
  key(
    "bm.service.application.sending.size",
    "bytes",
    "0",
    "Bytes of chunks that are being sent for one application; the rest waits. 0: no quota.",
  ),
  key(
    "bm.service.application.openStreams.max",
    "count",
    "0",
    "Streams that one application may have open; further ones wait. 0: no quota.",
  ),
  key(
    "bm.service.drain.timeout",
    "duration",
    "10s",
    "How long a stop waits for what runs; the transport ends it after 10 s at the latest.",
  ),
  key("bm.service.log.level", "text", "info", "What is logged: debug, info, warn or error."),
  key("bm.service.expiry.interval", "duration", "300s", "Between two searches for the expired."),
  key(
    "bm.service.expiry.grace",
    "duration",
    "600s",
    "How long the directories of an executor must be gone before it is forgotten.",
  ),
  key(
    "bm.service.cleanup.delete",
    "boolean",
    "false",
    "Delete orphans: files of Spark under the directories that nobody owns. False only reports them.",
  ),
  key(
    "bm.service.cleanup.age",
    "duration",
    "7d",
    "Nothing in an orphan was touched for this long; an hour at least where they are deleted.",
  ),
  key(
    "bm.service.cleanup.keep.size",
    "bytes",
    "0",
    "The most recently touched orphans stay, up to this size together.",
  ),
  key(
    "bm.service.cleanup.interval",
    "duration",
    "1h",
    "Between two searches for orphans; 0 switches them off.",
  ),
];

function key(
  name: string,
  type: ServiceKey["type"],
  defaultValue: string,
  doc: string,
): ServiceKey {
  const isReloadable = RELOADABLE.test(name);
  return { name, type, default: defaultValue, doc, isReloadable };
}
