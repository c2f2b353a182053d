import { readFileSync } from "node:fs";
import { BlockManagerId } from "@bm/block";
import { HighlyCompressedSizes, MapStatus, MasterError } from "@bm/master";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const MIB = 1024 * 1024;
const location = BlockManagerId.of("1", "host-a", 7001);

interface Recorded {
  readonly name: string;
  readonly values: readonly { readonly start: number; readonly step: number; count: number }[];
  readonly optimizedHex: string | null;
}

const file = new URL("../vectors/roaring.json", import.meta.url);
const bitmaps = (JSON.parse(readFileSync(file, "utf8")) as Recorded[]).filter(
  ({ name, optimizedHex, values }) =>
    // Made of a range, it stays a run that takes as much as an array. Map statuses add one by one.
    name !== "run-0-2" &&
    typeof optimizedHex === "string" &&
    // Sizes of so many partitions fit into a test.
    values.every(({ start, step, count }) => start + step * count <= 300_000),
);

/** Sizes whose empty partitions are the values of a recorded bitmap. */
function sizesWithEmpty(values: Recorded["values"]): number[] {
  const empty = new Set(
    values.flatMap(({ start, step, count }) =>
      Array.from({ length: count }, (_, index) => start + index * step),
    ),
  );
  const last = Math.max(-1, ...[...empty].slice(-1)) + 1;
  return Array.from({ length: last + 1 }, (_, partition) => (empty.has(partition) ? 0 : 3));
}

describe("the empty partitions of highly compressed sizes", () => {
  for (const { name, values, optimizedHex } of bitmaps) {
    it(`are a bitmap as that of Spark: ${name}`, () => {
      const sizes = sizesWithEmpty(values);
      const bytes = HighlyCompressedSizes.of(sizes).toBytes();
      // Behind the bitmap: average, and the number of huge partitions.
      expect(Buffer.from(bytes.subarray(0, -12)).toString("hex")).toBe(optimizedHex);
      const read = HighlyCompressedSizes.read(bytes);
      expect(read.end).toBe(bytes.length);
      expect(Buffer.from(read.sizes.toBytes()).equals(bytes)).toBe(true);
      const wrong = sizes.findIndex((size, partition) => read.sizes.sizeOf(partition) !== size);
      expect(wrong).toBe(-1);
    });
  }

  it("cover arrays, bits and runs", () => {
    expect(bitmaps.length).toBeGreaterThan(10);
  });
});

describe("highly compressed sizes", () => {
  it("tell empty from not empty, huge ones to 10 %, and the others by their average", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 1, maxLength: 300 }), (sizes) => {
        const accurateBytes = 700;
        const read = HighlyCompressedSizes.read(
          HighlyCompressedSizes.of(sizes, { accurateBytes }).toBytes(),
        ).sizes;
        const small = sizes.filter((size) => size > 0 && size < accurateBytes);
        const average = Math.floor(small.reduce((sum, size) => sum + size, 0) / small.length);
        for (const [partition, size] of sizes.entries()) {
          const found = read.sizeOf(partition);
          if (size === 0) expect(found).toBe(0);
          else if (size < accurateBytes) expect(found).toBe(average);
          else {
            expect(found).toBeGreaterThanOrEqual(size - 1);
            expect(found).toBeLessThanOrEqual(size * 1.1 + 1);
          }
        }
      }),
    );
  });

  it("count as huge what is far above the median, if that is wanted", () => {
    // The median of 1, 1, 1, 1, 40, 100 is 1; twice that is less than the second largest.
    const sizes = [1, 1, 100, 1, 40, 1];
    const limits = { skewedFactor: 2, skewedMax: 2 };
    const skewed = HighlyCompressedSizes.of(sizes, limits);
    expect(skewed.sizeOf(2)).toBeGreaterThan(90);
    expect(skewed.sizeOf(4)).toBeGreaterThan(36);
    expect(skewed.sizeOf(0)).toBe(1);
    const one = HighlyCompressedSizes.of(sizes, { ...limits, skewedMax: 1 });
    expect(one.sizeOf(4)).toBe((40 + 4) / 5 - 0.8);
    const plain = HighlyCompressedSizes.of(sizes);
    expect(plain.sizeOf(2)).toBe(24);
  });

  it("are what a status of more than 2,000 partitions has, or of as many as are given", () => {
    const status = (count: number, everySizeMax?: number): MapStatus =>
      MapStatus.ofSizes(
        location,
        1n,
        Array.from({ length: count }, () => MIB),
        0n,
        { everySizeMax },
      );
    expect(status(2000).numPartitions).toBe(2000);
    expect(status(2001).numPartitions).toBeNull();
    expect(status(2001).sizeOf(0)).toBe(MIB);
    expect(status(5, 4).sizes.form).toBe("highly compressed");
    expect(() => status(2001).sizeOf(-1)).toThrow(
      expect.objectContaining({ code: "PARTITION_INVALID" }),
    );
  });

  it("are refused when they are cut or damaged, without a crash", () => {
    const sizes = Array.from({ length: 9000 }, (_, index) => (index % 3) * (index % 70));
    const whole = MapStatus.ofSizes(location, 42n, sizes, 7n).toBytes();
    const refused = (bytes: Uint8Array): boolean => {
      try {
        MapStatus.fromBytes(bytes, "highly compressed");
        return false;
      } catch (error) {
        expect(error).toBeInstanceOf(MasterError);
        return true;
      }
    };
    expect(refused(whole)).toBe(false);
    for (let length = 0; length < whole.length; length += 1 + (length >> 6)) {
      expect(refused(whole.subarray(0, length)), `${length} bytes`).toBe(true);
    }
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const damaged = Uint8Array.from(whole);
        damaged[at] = byte;
        refused(damaged);
      }),
      { numRuns: 500 },
    );
  });
});
