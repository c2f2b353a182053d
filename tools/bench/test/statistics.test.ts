import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FILE_REGION_BYTES, regionBytes } from "@bm/interop";
import { describe, expect, it } from "vitest";
import { prepareRegionFile } from "../src/halves/region-file.ts";
import { Latencies } from "../src/load/latencies.ts";
import { checkAll, checkSamples, regionByte } from "../src/load/region-check.ts";
import { figure, spreadText } from "../src/report/figures.ts";
import { median, ratioOf, spreadOf } from "../src/report/statistics.ts";

describe("statistics", () => {
  it("takes the middle value, or the mean of the middle two", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([7])).toBe(7);
    expect(median([])).toBeNaN();
  });

  it("gives the least and the most beside the median", () => {
    expect(spreadOf([5, 1, 9])).toEqual({ median: 5, least: 1, most: 9 });
  });

  it("forms ratios round by round, not of medians", () => {
    expect(ratioOf([10, 40, 90], [10, 20, 30])).toEqual({ median: 2, least: 1, most: 3 });
  });

  it("leaves out rounds that have no ratio", () => {
    expect(ratioOf([10, 10, 10], [0, -5, 5])).toEqual({ median: 2, least: 2, most: 2 });
    expect(ratioOf([10], [-5]).median).toBeNaN();
  });
});

describe("latencies", () => {
  it("gives percentiles in microseconds, whatever the order", () => {
    const latencies = new Latencies();
    for (let value = 100; value >= 1; value -= 1) latencies.add(value);
    expect(latencies.percentiles({ p50: 0.5, p99: 0.99 })).toEqual({ p50: 51_000, p99: 100_000 });
  });

  it("gives zero when nothing was recorded", () => {
    expect(new Latencies().percentiles({ p50: 0.5 })).toEqual({ p50: 0 });
  });

  it("keeps the latest when there are more than it holds", () => {
    const latencies = new Latencies();
    for (let at = 0; at < 2 ** 20; at += 1) latencies.add(1);
    for (let at = 0; at < 2 ** 20; at += 1) latencies.add(2);
    expect(latencies.percentiles({ least: 0, most: 1 })).toEqual({ least: 2000, most: 2000 });
  });
});

describe("the check of an answer", () => {
  const good = Buffer.from(Array.from({ length: 5000 }, (_, at) => regionByte(70_000 + at)));

  it("accepts the right slice of the region", () => {
    expect(() => checkSamples(good, 70_000, 5000)).not.toThrow();
    expect(() => checkAll(good, 70_000, 5000)).not.toThrow();
    expect(() => checkSamples(Buffer.alloc(0), 0, 0)).not.toThrow();
  });

  it("refuses a wrong length, a slice of another place and a wrong last byte", () => {
    expect(() => checkSamples(good, 70_000, 4999)).toThrow("got 5000 bytes");
    expect(() => checkSamples(good, 70_001, 5000)).toThrow("wrong byte");
    const bad = Buffer.from(good);
    bad[4999] = regionByte(74_999) ^ 1;
    expect(() => checkSamples(bad, 70_000, 5000)).toThrow("position 74999");
  });

  it("sees one wrong byte anywhere when it looks at all", () => {
    const bad = Buffer.from(good);
    bad[1] = regionByte(70_001) ^ 1;
    expect(() => checkAll(bad, 70_000, 5000)).toThrow("position 70001");
  });
});

describe("the file of the region", () => {
  it("holds the region, and is written once", () => {
    const directory = mkdtempSync(join(tmpdir(), "bm-bench-"));
    const file = prepareRegionFile(directory);
    const { mtimeMs } = statSync(file);
    expect(regionBytes(FILE_REGION_BYTES).equals(readFileSync(file))).toBe(true);
    expect(statSync(prepareRegionFile(directory)).mtimeMs).toBe(mtimeMs);
    rmSync(directory, { recursive: true });
  });
});

describe("figures", () => {
  it("have three digits that matter", () => {
    expect([12_345, 1234, 123.4, 12.34, 1.234, 0.1234, 0].map((value) => figure(value))).toEqual([
      "12,300",
      "1,230",
      "123",
      "12.3",
      "1.23",
      "0.123",
      "0",
    ]);
    expect(figure(Number.NaN)).toBe("-");
  });

  it("show a ratio with its spread", () => {
    expect(spreadText({ median: 1.5, least: 1.25, most: 123 })).toBe("1.50 [1.25-123]");
  });
});
