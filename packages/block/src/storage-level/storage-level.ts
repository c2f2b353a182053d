/**
 * Where and how often a block is kept. Byte form, as it travels in upload metadata:
 *
 *     0       1             2
 *     +-------+-------------+
 *     | flags | replication |    flags: disk 8, memory 4, off-heap 2, deserialized 1
 *     +-------+-------------+    replication: signed
 */
import { BlockError } from "../block-error.ts";

/** Bytes of a storage level's byte form. */
export const STORAGE_LEVEL_BYTES = 2;

const FLAG_DISK = 8;
const FLAG_MEMORY = 4;
const FLAG_OFF_HEAP = 2;
const FLAG_DESERIALIZED = 1;
const FLAGS_MASK = 15;

/** The byte form has one signed byte for it. */
const REPLICATION_MIN = -128;
/** A JVM peer asserts that replication stays below 40. */
const REPLICATION_MAX = 39;

/** The five properties that make up a level. */
export interface StorageLevelProperties {
  readonly useDisk: boolean;
  readonly useMemory: boolean;
  readonly useOffHeap: boolean;
  /** Kept as objects (true) or as serialised bytes (false). */
  readonly deserialized: boolean;
  /** Number of copies over all block managers. Default: 1. */
  readonly replication?: number;
}

/** Names of the levels that users choose from. */
export type StorageLevelName = (typeof NAMES)[number];

const NAMES = [
  "NONE",
  "DISK_ONLY",
  "DISK_ONLY_2",
  "DISK_ONLY_3",
  "MEMORY_ONLY",
  "MEMORY_ONLY_2",
  "MEMORY_ONLY_SER",
  "MEMORY_ONLY_SER_2",
  "MEMORY_AND_DISK",
  "MEMORY_AND_DISK_2",
  "MEMORY_AND_DISK_SER",
  "MEMORY_AND_DISK_SER_2",
  "OFF_HEAP",
] as const;

/**
 * A storage level. There is one instance per combination (at most 4,096 in a process), so levels may
 * be compared with `===`.
 */
export class StorageLevel implements StorageLevelProperties {
  static readonly #instances = new Map<number, StorageLevel>();

  static readonly NONE: StorageLevel = StorageLevel.#intern(0, 1);
  static readonly DISK_ONLY: StorageLevel = StorageLevel.#intern(8, 1);
  static readonly DISK_ONLY_2: StorageLevel = StorageLevel.#intern(8, 2);
  static readonly DISK_ONLY_3: StorageLevel = StorageLevel.#intern(8, 3);
  static readonly MEMORY_ONLY: StorageLevel = StorageLevel.#intern(5, 1);
  static readonly MEMORY_ONLY_2: StorageLevel = StorageLevel.#intern(5, 2);
  static readonly MEMORY_ONLY_SER: StorageLevel = StorageLevel.#intern(4, 1);
  static readonly MEMORY_ONLY_SER_2: StorageLevel = StorageLevel.#intern(4, 2);
  static readonly MEMORY_AND_DISK: StorageLevel = StorageLevel.#intern(13, 1);
  static readonly MEMORY_AND_DISK_2: StorageLevel = StorageLevel.#intern(13, 2);
  static readonly MEMORY_AND_DISK_SER: StorageLevel = StorageLevel.#intern(12, 1);
  static readonly MEMORY_AND_DISK_SER_2: StorageLevel = StorageLevel.#intern(12, 2);
  static readonly OFF_HEAP: StorageLevel = StorageLevel.#intern(14, 1);

  /** disk 8 + memory 4 + off-heap 2 + deserialized 1. */
  readonly flags: number;
  readonly useDisk: boolean;
  readonly useMemory: boolean;
  readonly useOffHeap: boolean;
  readonly deserialized: boolean;
  readonly replication: number;

  private constructor(flags: number, replication: number) {
    this.flags = flags;
    this.useDisk = (flags & FLAG_DISK) !== 0;
    this.useMemory = (flags & FLAG_MEMORY) !== 0;
    this.useOffHeap = (flags & FLAG_OFF_HEAP) !== 0;
    this.deserialized = (flags & FLAG_DESERIALIZED) !== 0;
    this.replication = replication;
  }

  /** @throws BlockError REPLICATION_INVALID - replication is no integer from -128 to 39. */
  static of(properties: StorageLevelProperties): StorageLevel {
    const { useDisk, useMemory, useOffHeap, deserialized, replication = 1 } = properties;
    const flags =
      (useDisk ? FLAG_DISK : 0) |
      (useMemory ? FLAG_MEMORY : 0) |
      (useOffHeap ? FLAG_OFF_HEAP : 0) |
      (deserialized ? FLAG_DESERIALIZED : 0);
    return StorageLevel.fromFlags(flags, replication);
  }

  /**
   * The level with these flags; bits above the lower four are ignored.
   *
   * @throws BlockError REPLICATION_INVALID - replication is no integer from -128 to 39.
   */
  static fromFlags(flags: number, replication: number): StorageLevel {
    const isInRange = replication >= REPLICATION_MIN && replication <= REPLICATION_MAX;
    if (!Number.isInteger(replication) || !isInRange) {
      const detail = `replication ${replication}, must be from ${REPLICATION_MIN} to ${REPLICATION_MAX}`;
      throw new BlockError("REPLICATION_INVALID", detail);
    }
    return StorageLevel.#intern(flags & FLAGS_MASK, replication);
  }

  /** The level of that exact, upper-case name. @throws BlockError STORAGE_LEVEL_UNKNOWN */
  static fromName(name: string): StorageLevel {
    const known = NAMES.find((candidate) => candidate === name);
    if (known === undefined) {
      throw new BlockError("STORAGE_LEVEL_UNKNOWN", `Invalid StorageLevel: ${name}`);
    }
    return StorageLevel[known];
  }

  /**
   * Reads the two bytes that {@link toBytes} made. Any two bytes are a level, as for a JVM peer: ask
   * {@link isValid} before use.
   *
   * @throws BlockError BYTES_MALFORMED - not exactly two bytes.
   */
  static fromBytes(bytes: Uint8Array): StorageLevel {
    const [flags, replication] = bytes;
    if (bytes.length !== STORAGE_LEVEL_BYTES || flags === undefined || replication === undefined) {
      throw new BlockError("BYTES_MALFORMED", `storage level of ${bytes.length} bytes`);
    }
    return StorageLevel.#intern(flags & FLAGS_MASK, (replication << 24) >> 24);
  }

  static #intern(flags: number, replication: number): StorageLevel {
    const key = replication * (FLAGS_MASK + 1) + flags;
    let level = StorageLevel.#instances.get(key);
    if (level === undefined) {
      level = new StorageLevel(flags, replication);
      StorageLevel.#instances.set(key, level);
    }
    return level;
  }

  /** Whether a block of this level is kept anywhere at all. */
  get isValid(): boolean {
    return (this.useMemory || this.useDisk) && this.replication > 0;
  }

  /** Which memory pool the level draws on when it uses memory. */
  get memoryMode(): "ON_HEAP" | "OFF_HEAP" {
    return this.useOffHeap ? "OFF_HEAP" : "ON_HEAP";
  }

  /** Name among the predefined levels, or null. */
  get levelName(): StorageLevelName | null {
    return NAMES.find((name) => StorageLevel[name] === this) ?? null;
  }

  /** Words for a status page: `Disk Memory Serialized 2x Replicated`. */
  get description(): string {
    const memory = this.useOffHeap ? "Memory (off heap) " : "Memory ";
    const form = this.deserialized ? "Deserialized " : "Serialized ";
    const places = (this.useDisk ? "Disk " : "") + (this.useMemory ? memory : "");
    return `${places}${form}${this.replication}x Replicated`;
  }

  /** The same level with another number of copies. @throws BlockError REPLICATION_INVALID */
  withReplication(replication: number): StorageLevel {
    return StorageLevel.fromFlags(this.flags, replication);
  }

  /** The two bytes of the byte form, in a new array. */
  toBytes(): Uint8Array {
    return Uint8Array.of(this.flags, this.replication & 0xff);
  }

  /** As Spark prints it: `StorageLevel(disk, memory, 1 replicas)`. */
  toString(): string {
    const words = [
      ...(this.useDisk ? ["disk"] : []),
      ...(this.useMemory ? ["memory"] : []),
      ...(this.useOffHeap ? ["offheap"] : []),
      ...(this.deserialized ? ["deserialized"] : []),
      `${this.replication} replicas`,
    ];
    return `StorageLevel(${words.join(", ")})`;
  }
}
