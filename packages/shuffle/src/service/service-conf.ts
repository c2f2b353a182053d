/** What a shuffle service is told, by the keys of service-keys.ts and of its transport. */
import { CONF_KEYS, parseByteSize, parseDurationMs, TransportConf } from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";
import type { OrphanPolicy } from "./cleanup/clean-orphans.ts";
import type { LookupLimits } from "./lookup-queue.ts";
import { SERVICE_KEYS, type ServiceKey } from "./service-keys.ts";

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

/** What becomes of a configuration when another one is read. */
export interface ReloadedConf {
  readonly conf: ServiceConf;
  /** Keys that have another value from now on. */
  readonly applied: readonly string[];
  /** Keys that have another value when the service starts again. */
  readonly postponed: readonly string[];
}

/** Reads the keys of {@link SERVICE_KEYS}, and through `transport` those of the transport. */
export class ServiceConf {
  readonly transport: TransportConf;
  /** What is set, by name. */
  readonly values: Readonly<Record<string, string>>;

  /** @throws ShuffleError OPTION_INVALID for an unknown key of ours. */
  constructor(values: Readonly<Record<string, string>> = {}) {
    this.values = { ...values };
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

  /**
   * This configuration with the reloadable keys of another.
   * @throws ShuffleError, TransportError OPTION_INVALID for the first bad value of the other.
   */
  reloaded(values: Readonly<Record<string, string>>): ReloadedConf {
    const next = new ServiceConf(values);
    next.check();
    const changed = this.#differences(next);
    const applied = changed.filter((name) => KEYS_BY_NAME.get(name)?.isReloadable === true);
    const kept = Object.entries(this.values).filter(([name]) => !applied.includes(name));
    const taken = Object.entries(values).filter(([name]) => applied.includes(name));
    const conf = new ServiceConf(Object.fromEntries([...kept, ...taken]));
    return { conf, applied, postponed: changed.filter((name) => !applied.includes(name)) };
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
    return this.values[name] ?? KEYS_BY_NAME.get(name)?.default ?? "";
  }

  #differences(other: ServiceConf): string[] {
    const ours = SERVICE_KEYS.map(({ name }) => name);
    const theirs = [...Object.keys(this.values), ...Object.keys(other.values)].filter(isTransport);
    return [...new Set([...ours, ...theirs])].filter(
      (name) => this.text(name) !== other.text(name),
    );
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

/** Other keys of Spark, of its executors for one, are nothing to a service. */
function isTransport(name: string): boolean {
  return /^spark\.(?:shuffle|network|authenticate|ssl\.rpc|io\.mode)\b/.test(name);
}

/** Unknown keys of Spark belong to Spark; an unknown one of ours is a slip of the pen. */
function checkName(name: string): void {
  const known = [...SERVICE_KEYS, ...CONF_KEYS].map((entry) =>
    entry.name.replace("<m>", "shuffle"),
  );
  if (!name.startsWith("bm.") || known.includes(name)) return;
  const ours = known.filter((entry) => entry.startsWith("bm."));
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
