import { describe, expect, it } from "vitest";
import { nodeRandom } from "../../src/platform/node-random.ts";
import type { Random } from "../../src/platform/platform.ts";
import { createSeededRandom } from "../../src/testing/seeded-random.ts";

const sources: readonly (readonly [string, Random])[] = [
  ["node random", nodeRandom],
  ["seeded random", createSeededRandom(42)],
];

describe.each(sources)("%s", (_, random) => {
  it("spreads evenly over [0, 1)", () => {
    const buckets = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 20_000; i += 1) {
      const value = random.next();
      if (value < 0) throw new Error(`${value} is below 0`);
      const bucket = Math.floor(value * 10);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    expect(buckets).toHaveLength(10);
    for (const count of buckets) expect(Math.abs(count - 2000)).toBeLessThan(300);
  });

  it("draws integers below a bound, up to 2^48", () => {
    expect(random.below(1)).toBe(0);
    const dice = new Set(Array.from({ length: 1000 }, () => random.below(6)));
    expect([...dice].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
    const large = Array.from({ length: 1000 }, () => random.below(2 ** 48));
    expect(large.every((value) => Number.isSafeInteger(value) && value < 2 ** 48)).toBe(true);
    expect(large.some((value) => value > 2 ** 47)).toBe(true);
    expect(large.some((value) => value % 2 === 1)).toBe(true);
    for (const bound of [0, -1, 1.5, 2 ** 48 + 1]) {
      expect(() => random.below(bound)).toThrow("bound in 1..2^48");
    }
  });

  it("makes version 4 UUIDs", () => {
    const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    const made = Array.from({ length: 100 }, () => random.uuid());
    for (const uuid of made) expect(uuid).toMatch(shape);
    expect(new Set(made).size).toBe(100);
  });
});

describe("createSeededRandom", () => {
  const draw = (seed: number): number[] => {
    const random = createSeededRandom(seed);
    return Array.from({ length: 5 }, () => random.below(1000));
  };

  it("repeats for the same seed, on every machine", () => {
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).toMatchInlineSnapshot(`
      [
        454,
        153,
        623,
        245,
        665,
      ]
    `);
  });

  it("differs for different seeds, near and far", () => {
    const seeds = [0, 1, 2, -1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER];
    expect(new Set(seeds.map((seed) => draw(seed).join())).size).toBe(seeds.length);
  });
});
