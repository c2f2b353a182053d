import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { roaringBitmapBytes } from "../../src/index.ts";
import { MapIndexBitmap } from "../../src/service/merge/map-index-bitmap.ts";
import { readVectors } from "../read-vectors.ts";

interface Recorded {
  readonly name: string;
  readonly cardinality: number;
  readonly values: readonly { start: number; step: number; count: number }[];
  readonly hasRunContainerAfterOptimize: boolean;
  readonly optimizedHex: string;
  readonly plainHex: string | null;
}

/** Where a run is as large as an array the library keeps what it was built from: here never a run. */
const recorded = (readVectors("roaring.json") as Recorded[]).filter(
  ({ name }) => name !== "run-0-2",
);

describe("MapIndexBitmap", () => {
  it.each(recorded.map((entry) => [entry.name, entry] as const))(
    "is written as the Roaring library writes it: %s",
    (_, entry) => {
      const bitmap = new MapIndexBitmap();
      for (const { count, start, step } of entry.values) {
        for (let index = 0; index < count; index += 1) bitmap.add(start + index * step);
      }
      expect(bitmap.size).toBe(entry.cardinality);
      expect(bitmap.toOptimizedBytes().toString("hex")).toBe(entry.optimizedHex);
      // Those that were built from ranges were never written without runs.
      const isKnown = entry.plainHex !== null || !entry.hasRunContainerAfterOptimize;
      const plainHex = isKnown ? (entry.plainHex ?? entry.optimizedHex) : expect.any(String);
      expect(bitmap.toBytes().toString("hex")).toEqual(plainHex);
    },
  );

  it("holds what was added, in any order and more than once", () => {
    const values = fc.array(fc.oneof(fc.nat(200), fc.nat(200_000), fc.nat()), { maxLength: 300 });
    fc.assert(
      fc.property(values, fc.nat(300), (added, other) => {
        const bitmap = new MapIndexBitmap();
        for (const value of added) bitmap.add(value);
        expect(bitmap.size).toBe(new Set(added).size);
        expect(added.every((value) => bitmap.has(value))).toBe(true);
        expect(bitmap.has(other)).toBe(added.includes(other));
        for (const bytes of [bitmap.toBytes(), bitmap.toOptimizedBytes()]) {
          expect(roaringBitmapBytes(bytes)).toBe(bytes.length);
        }
        bitmap.clear();
        expect(bitmap.size).toBe(0);
      }),
    );
  });
});
