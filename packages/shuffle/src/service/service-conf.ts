/** The keys that a shuffle service reads beside those of its transport. */
import { parseByteSize, parseDurationMs, TransportConf } from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";
import type { OrphanPolicy } from "./cleanup/clean-orphans.ts";
import type { LookupLimits } from "./lookup-queue.ts";

/** One key with its default. */
export interface ServiceKey {
  readonly name: string;
  readonly type: "boolean" | "bytes" | "count" | "duration" | "text";
  readonly default: string;
  readonly doc: string;
}

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
  key("bm.service.threads", "count", "1", "Event loops that serve peers, 1 to 64."),
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

/** A shorter age could meet executors that merely pause. */
const CLEANUP_AGE_MS_MIN = 3_600_000;

/** More than the cores of any machine that has one port. */
const THREADS_MAX = 64;

const MERGE_PACKAGE = "org.apache.spark.network.shuffle.";
const MERGING_CLASS = `${MERGE_PACKAGE}RemoteBlockPushResolver`;
const REFUSING_CLASSES: ReadonlySet<string> = new Set([
  `${MERGE_PACKAGE}NoOpMergedShuffleFileManager`,
  `${MERGE_PACKAGE}ExternalBlockHandler$NoOpMergedShuffleFileManager`,
]);

const KEYS_BY_NAME: ReadonlyMap<string, ServiceKey> = new Map(
  SERVICE_KEYS.map((entry) => [entry.name, entry]),
);

/** Reads the keys of {@link SERVICE_KEYS}, and through `transport` those of the transport. */
export class ServiceConf {
  readonly transport: TransportConf;
  readonly #values: Readonly<Record<string, string>>;

  /** @throws ShuffleError OPTION_INVALID for an unknown key of ours. */
  constructor(values: Readonly<Record<string, string>> = {}) {
    this.#values = { ...values };
    this.transport = new TransportConf("shuffle", values);
    for (const name of Object.keys(values)) checkName(name);
  }

  /** @throws ShuffleError OPTION_INVALID, TransportError OPTION_INVALID for the first bad value. */
  check(): void {
    this.transport.check();
    void this.mergesPushedBlocks;
    void this.threads;
    for (const { name, type } of SERVICE_KEYS) {
      if (type === "bytes") this.bytes(name);
      if (type === "count") this.count(name);
      if (type === "duration") this.durationMs(name);
    }
    this.#checkCleanup();
  }

  /**
   * True when pushed blocks are to be merged, as
   * `spark.shuffle.push.server.mergedShuffleFileManagerImpl` says by the name of a class.
   * @throws ShuffleError OPTION_INVALID for a class that has no counterpart here.
   */
  get mergesPushedBlocks(): boolean {
    const name = this.transport.mergedShuffleFileManagerImpl;
    if (name === MERGING_CLASS) return true;
    if (REFUSING_CLASSES.has(name)) return false;
    const text = `spark.shuffle.push.server.mergedShuffleFileManagerImpl=${name}: ${MERGING_CLASS} or the default`;
    throw new ShuffleError("OPTION_INVALID", text);
  }

  /** One event loop's share of lookups. @throws ShuffleError OPTION_INVALID. */
  lookupLimits(loops: number): LookupLimits {
    const runningMax = Math.max(1, Math.ceil(this.count("bm.service.lookups.max") / loops));
    const ofOne = Math.ceil(this.count("bm.service.application.lookups.max") / loops);
    const half = Math.max(1, Math.floor(runningMax / 2));
    return { runningMax, runningMaxPerApplication: ofOne === 0 ? half : ofOne };
  }

  /** What the keys of `bm.service.cleanup` say. @throws ShuffleError OPTION_INVALID. */
  get orphanPolicy(): OrphanPolicy {
    return {
      ageMs: this.durationMs("bm.service.cleanup.age"),
      keepBytes: this.bytes("bm.service.cleanup.keep.size"),
      isDeleting: this.boolean("bm.service.cleanup.delete"),
    };
  }

  /** Event loops that serve. @throws ShuffleError OPTION_INVALID. */
  get threads(): number {
    const threads = this.count("bm.service.threads");
    if (threads >= 1 && threads <= THREADS_MAX) return threads;
    throw new ShuffleError("OPTION_INVALID", `bm.service.threads=${threads}: 1 to ${THREADS_MAX}`);
  }

  /** False for everything but `true`. */
  boolean(name: string): boolean {
    return this.text(name).trim().toLowerCase() === "true";
  }

  /** @throws ShuffleError OPTION_INVALID. */
  bytes(name: string): number {
    return this.#parse(name, parseByteSize);
  }

  /** Milliseconds; a number without unit is seconds. @throws ShuffleError OPTION_INVALID. */
  durationMs(name: string): number {
    return this.#parse(name, (text) => {
      const ms = parseDurationMs(text, "s");
      if (ms >= 0) return ms;
      throw new Error("a time cannot be negative");
    });
  }

  /** @throws ShuffleError OPTION_INVALID. */
  count(name: string): number {
    return this.#parse(name, (text) => {
      if (/^[0-9]{1,15}$/.test(text)) return Number(text);
      throw new Error("a whole number is needed");
    });
  }

  /** As written, or the default. */
  text(name: string): string {
    return this.#values[name] ?? KEYS_BY_NAME.get(name)?.default ?? "";
  }

  #checkCleanup(): void {
    const isDeleting = this.boolean("bm.service.cleanup.delete");
    if (!isDeleting || this.durationMs("bm.service.cleanup.age") >= CLEANUP_AGE_MS_MIN) return;
    const age = this.text("bm.service.cleanup.age");
    throw new ShuffleError(
      "OPTION_INVALID",
      `bm.service.cleanup.age=${age}: at least 1h to delete`,
    );
  }

  #parse(name: string, parse: (text: string) => number): number {
    const text = this.text(name);
    try {
      return parse(text);
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      throw new ShuffleError("OPTION_INVALID", `${name}=${text}: ${detail}`, { cause });
    }
  }
}

function key(
  name: string,
  type: ServiceKey["type"],
  defaultValue: string,
  doc: string,
): ServiceKey {
  return { name, type, default: defaultValue, doc };
}

/** Unknown keys of Spark belong to Spark; an unknown one of ours is a slip of the pen. */
function checkName(name: string): void {
  if (!name.startsWith("bm.") || KEYS_BY_NAME.has(name)) return;
  const ours = SERVICE_KEYS.filter((entry) => entry.name.startsWith("bm.")).map(
    (entry) => entry.name,
  );
  const nearest = ours.toSorted((a, b) => sharedLetters(b, name) - sharedLetters(a, name))[0];
  throw new ShuffleError("OPTION_INVALID", `unknown key ${name}; is ${nearest} meant?`);
}

function sharedLetters(a: string, b: string): number {
  let front = 0;
  while (front < a.length && a[front] === b[front]) front += 1;
  let back = 0;
  while (back < a.length - front && a[a.length - 1 - back] === b[b.length - 1 - back]) back += 1;
  return front + back;
}
