import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BlockError, StorageLevel } from "../src/index.ts";
import recorded from "./vectors/storage-levels.json" with { type: "json" };

interface LevelVector {
  readonly name: string;
  readonly useDisk: boolean;
  readonly useMemory: boolean;
  readonly useOffHeap: boolean;
  readonly deserialized: boolean;
  readonly replication: number;
  readonly int: number;
  readonly isValid: boolean;
  readonly externalHex: string;
  readonly toString: string;
  readonly description: string;
}

interface LevelVectors {
  readonly named: readonly LevelVector[];
  readonly custom: readonly LevelVector[];
  readonly errors: readonly {
    readonly name?: string;
    readonly flags?: number;
    readonly replication?: number;
    readonly message: string;
  }[];
}

/** Recorded from Spark 4.1.2. */
const VECTORS: LevelVectors = recorded;

describe("StorageLevel agrees with Spark", () => {
  for (const vector of VECTORS.named) {
    it(`on ${vector.name}`, () => {
      const level = StorageLevel.fromName(vector.name);
      expect(described(level)).toEqual(expected(vector));
      expect(level.levelName).toBe(vector.name);
    });
  }

  for (const vector of VECTORS.custom) {
    it(`on ${vector.name}`, () => {
      const flags = Number(/flags=(\d+)/.exec(vector.name)?.[1]);
      const level = StorageLevel.fromFlags(flags, vector.replication);
      expect(described(level)).toEqual(expected(vector));
    });
  }

  for (const vector of [...VECTORS.named, ...VECTORS.custom]) {
    it(`on the bytes and the properties of ${vector.name}, giving the same instance`, () => {
      const level = StorageLevel.fromBytes(Buffer.from(vector.externalHex, "hex"));
      expect(level).toBe(StorageLevel.fromFlags(vector.int, vector.replication));
      expect(level).toBe(StorageLevel.of(vector));
    });
  }

  for (const { name = "", message } of VECTORS.errors.filter((error) => error.name !== undefined)) {
    it(`on refusing the name "${name}"`, () => {
      const error = new BlockError("STORAGE_LEVEL_UNKNOWN", message);
      expect(() => StorageLevel.fromName(name)).toThrow(error);
    });
  }

  for (const { flags, replication } of VECTORS.errors) {
    if (flags === undefined || replication === undefined) continue;
    it(`on refusing the replication ${replication}`, () => {
      expect(() => StorageLevel.fromFlags(flags, replication)).toThrow(
        expect.objectContaining({ code: "REPLICATION_INVALID" }),
      );
    });
  }
});

describe("StorageLevel", () => {
  it("reads any two bytes, as a peer on the JVM does", () => {
    const twoBytes = fc.tuple(fc.nat(255), fc.integer({ min: -128, max: 127 }));
    fc.assert(
      fc.property(twoBytes, ([flags, replication]) => {
        const level = StorageLevel.fromBytes(Uint8Array.of(flags, replication));
        return level.flags === (flags & 15) && level.replication === replication;
      }),
    );
    expect(StorageLevel.fromBytes(Uint8Array.of(8, 127)).replication).toBe(127);
  });

  for (const length of [0, 1, 3]) {
    it(`refuses ${length} bytes`, () => {
      expect(() => StorageLevel.fromBytes(new Uint8Array(length))).toThrow(
        expect.objectContaining({ code: "BYTES_MALFORMED" }),
      );
    });
  }

  for (const replication of [40, -129, 1.5, Number.NaN]) {
    it(`cannot be made with replication ${replication}`, () => {
      expect(() => StorageLevel.MEMORY_ONLY.withReplication(replication)).toThrow(
        expect.objectContaining({ code: "REPLICATION_INVALID" }),
      );
    });
  }

  it("has another level for another number of copies", () => {
    expect(StorageLevel.DISK_ONLY.withReplication(3)).toBe(StorageLevel.DISK_ONLY_3);
    expect(StorageLevel.DISK_ONLY.withReplication(7).levelName).toBeNull();
  });

  it("has one copy unless told otherwise", () => {
    const level = StorageLevel.of({
      useDisk: true,
      useMemory: false,
      useOffHeap: false,
      deserialized: false,
    });
    expect(level).toBe(StorageLevel.DISK_ONLY);
  });

  it("says which memory it draws on", () => {
    expect(StorageLevel.OFF_HEAP.memoryMode).toBe("OFF_HEAP");
    expect(StorageLevel.MEMORY_ONLY.memoryMode).toBe("ON_HEAP");
  });
});

function described(level: StorageLevel): unknown {
  const { useDisk, useMemory, useOffHeap, deserialized, replication, isValid, description } = level;
  return {
    useDisk,
    useMemory,
    useOffHeap,
    deserialized,
    replication,
    isValid,
    description,
    int: level.flags,
    text: String(level),
    externalHex: Buffer.from(level.toBytes()).toString("hex"),
  };
}

function expected(vector: LevelVector): unknown {
  const { useDisk, useMemory, useOffHeap, deserialized, replication, isValid, description } =
    vector;
  return {
    useDisk,
    useMemory,
    useOffHeap,
    deserialized,
    replication,
    isValid,
    description,
    int: vector.int,
    text: vector.toString,
    externalHex: vector.externalHex,
  };
}
