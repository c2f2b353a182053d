import { describe, expect, it } from "vitest";
import { readShuffleConf } from "../../src/index.ts";

describe("readShuffleConf", () => {
  it("compresses with LZ4 and leaves the limits to who uses them, unless told otherwise", () => {
    const conf = readShuffleConf();
    expect(conf.codec?.name).toBe("lz4");
    expect(conf).toMatchObject({ memoryBytesMax: undefined, maxBytesInFlight: undefined });
  });

  it("reads Spark's keys with their units", () => {
    const conf = readShuffleConf({
      "spark.shuffle.compress": "False",
      "spark.reducer.maxSizeInFlight": "24",
      "spark.shuffle.spill.maxSizeInBytesForSpillThreshold": "1k",
    });
    expect(conf).toEqual({
      codec: null,
      maxBytesInFlight: 24 * 1024 * 1024,
      memoryBytesMax: 1024,
    });
  });

  for (const [key, text] of [
    ["spark.shuffle.compress", "yes"],
    ["spark.reducer.maxSizeInFlight", "0"],
    ["spark.reducer.maxSizeInFlight", "much"],
  ] as const) {
    it(`refuses ${key}=${text}`, () => {
      expect(() => readShuffleConf({ [key]: text })).toThrow(
        expect.objectContaining({ code: "OPTION_INVALID" }),
      );
    });
  }

  it("refuses a codec that does not exist here", () => {
    expect(() => readShuffleConf({ "spark.io.compression.codec": "brotli" })).toThrow(/brotli/);
  });
});
