import { readFileSync } from "node:fs";
import { BlockManagerId } from "@bm/block";
import { decodeSize, encodeSize, MapStatus, MasterError } from "@bm/master";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

function vector(name: string): unknown {
  const file = new URL(`../vectors/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8"));
}

interface Sizes {
  readonly sizes: readonly { readonly size: string; readonly byte: number; decoded: string }[];
  readonly decodeTable: { readonly joined: string };
}

interface Examples {
  readonly statuses: readonly {
    readonly name: string;
    readonly class: string;
    readonly mapId: string;
    readonly checksum: string;
    readonly numPartitions: number;
    readonly first40Decoded: string;
    readonly externalHex?: string;
  }[];
}

const recordedSizes = vector("map-status-sizes") as Sizes;

describe("the size code", () => {
  it("is that of Spark", () => {
    for (const { size, byte, decoded } of recordedSizes.sizes) {
      expect(encodeSize(Number(size)), size).toBe(byte);
      expect(decodeSize(byte), size).toBe(Number(decoded));
    }
  });

  it("stands for the sizes that Spark reads", () => {
    const table = recordedSizes.decodeTable.joined.split(" ").map(Number);
    expect(Array.from({ length: 256 }, (_, code) => decodeSize(code))).toEqual(table);
  });

  it("is never too small, at most 10 % too large, and tells what is empty", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 35_000_000_000 }), (size) => {
        const decoded = decodeSize(encodeSize(size));
        expect(decoded === 0).toBe(size === 0);
        // A size between two whole numbers is cut, hence the one.
        expect(decoded).toBeGreaterThanOrEqual(size - 1);
        expect(decoded).toBeLessThanOrEqual(size * 1.1 + 1);
      }),
    );
  });

  it("refuses what is no size", () => {
    for (const size of [-1, 0.5, Number.NaN, Infinity]) {
      expect(() => encodeSize(size)).toThrow(expect.objectContaining({ code: "SIZE_INVALID" }));
    }
  });
});

describe("a map status", () => {
  const examples = (vector("map-status-examples") as Examples).statuses;
  const isHigh = (example: Examples["statuses"][number]): boolean =>
    example.class === "HighlyCompressedMapStatus";

  for (const example of examples) {
    it(`has Spark's byte form: ${example.name}`, () => {
      const hex = example.externalHex ?? "";
      const form = isHigh(example) ? "highly compressed" : "compressed";
      const status = MapStatus.fromBytes(Buffer.from(hex, "hex"), form);
      expect(status.mapId).toBe(BigInt(example.mapId));
      expect(status.checksum).toBe(BigInt(example.checksum));
      expect(status.numPartitions).toBe(isHigh(example) ? null : example.numPartitions);
      const sizes = example.first40Decoded.split(" ").filter(Boolean).map(Number);
      expect(sizes.map((_, partition) => status.sizeOf(partition))).toEqual(sizes);
      expect(Buffer.from(status.toBytes()).toString("hex")).toBe(hex);
    });
  }

  it("covers recorded examples of both forms", () => {
    expect(examples.filter(isHigh).length).toBeGreaterThanOrEqual(2);
    expect(examples.length).toBeGreaterThanOrEqual(5);
    expect(examples.every(({ externalHex }) => externalHex !== undefined)).toBe(true);
  });

  it("is made of the same sizes as Spark's highly compressed ones", () => {
    const mib = 1024 * 1024;
    const sizes = Array.from({ length: 2001 }, (_, i) => (i % 5 === 0 ? 0 : (i * 37) % 5000));
    [sizes[7], sizes[1999], sizes[8]] = [200 * mib, 100 * mib, 100 * mib - 1];
    const location = BlockManagerId.of("1", "host-a", 7001);
    for (const [status, name] of [
      [MapStatus.ofSizes(location, 7n, sizes, 99n), "high-2001-i"],
      [
        MapStatus.ofSizes(
          location,
          1n,
          Array.from({ length: 2001 }, () => 0),
        ),
        "high-2001-all-zero",
      ],
    ] as const) {
      const recorded = examples.find((example) => example.name.startsWith(name));
      expect(Buffer.from(status.toBytes()).toString("hex")).toBe(recorded?.externalHex);
    }
  });

  it("is refused in any other form, without a crash", () => {
    const location = BlockManagerId.of("1", "host-a", 7001);
    const whole = MapStatus.ofSizes(location, 42n, [0, 1, 1000]).toBytes();
    for (let length = 0; length < whole.length; length++) {
      expect(() => MapStatus.fromBytes(whole.subarray(0, length)), `${length} bytes`).toThrow(
        expect.objectContaining({ code: "STATUSES_MALFORMED" }),
      );
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          MapStatus.fromBytes(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(MasterError);
        }
      }),
    );
  });

  it("has no sizes of partitions that do not exist", () => {
    const status = MapStatus.ofSizes(BlockManagerId.of("1", "h", 1), 1n, [5]);
    for (const partition of [-1, 1, 0.5]) {
      expect(() => status.sizeOf(partition)).toThrow(
        expect.objectContaining({ code: "PARTITION_INVALID" }),
      );
    }
  });
});
