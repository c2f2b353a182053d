import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodePlatform, TransportError } from "@bm/transport";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readShuffleSegment, ShuffleError, ShuffleIndexFile } from "../../src/index.ts";

const { files } = nodePlatform();
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "index-"));
});
afterAll(() => rm(folder, { recursive: true }));

const lengthsOfPartitions = fc.array(fc.nat({ max: 2 ** 40 }), { maxLength: 50 });

describe("ShuffleIndexFile", () => {
  it("reads what it wrote", () => {
    fc.assert(
      fc.property(lengthsOfPartitions, (lengths) => {
        const index = ShuffleIndexFile.fromBytes(ShuffleIndexFile.fromLengths(lengths).toBytes());
        expect(index.lengths).toEqual(lengths);
        expect(index.partitionCount).toBe(lengths.length);
        expect(index.dataBytes).toBe(lengths.reduce((sum, length) => sum + length, 0));
      }),
    );
  });

  it("gives an index or a typed error for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          const { offsets } = ShuffleIndexFile.fromBytes(bytes);
          expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
        } catch (error) {
          expect(error).toBeInstanceOf(ShuffleError);
        }
      }),
    );
  });

  it.each([
    ["no offset at all", []],
    ["a first offset that is not 0", [1n, 2n]],
    ["offsets that descend", [0n, 5n, 4n]],
    ["a negative offset", [0n, -1n]],
    ["an offset above 2^53", [0n, 2n ** 60n]],
  ])("refuses %s", (_, offsets) => {
    expect(() => ShuffleIndexFile.fromBytes(column(offsets))).toThrow(
      expect.objectContaining({ code: "INDEX_INVALID" }),
    );
  });

  it("refuses bytes that are no whole number of offsets", () => {
    expect(() => ShuffleIndexFile.fromBytes(Buffer.alloc(12))).toThrow(ShuffleError);
  });

  it.each([[-1], [1.5], [Number.NaN], [2 ** 53]])("refuses a partition of %s bytes", (length) => {
    expect(() => ShuffleIndexFile.fromLengths([1, length])).toThrow(ShuffleError);
  });

  it("refuses partitions that are not there", () => {
    const index = ShuffleIndexFile.fromLengths([3, 0, 4]);
    expect(index.segment(1, 3)).toEqual({ offset: 3, length: 4 });
    for (const [start, end] of [
      [-1, 0],
      [2, 1],
      [0, 4],
      [3, 4],
    ] as const) {
      expect(() => index.segment(start, end)).toThrow(
        expect.objectContaining({ code: "BLOCK_NOT_FOUND" }),
      );
    }
  });
});

describe("readShuffleSegment", () => {
  it("finds the same segments as the whole index", async () => {
    const path = join(folder, "whole.index");
    const index = ShuffleIndexFile.fromLengths([3, 0, 4, 5]);
    await files.writeFile(path, index.toBytes());
    for (const [start, end] of [
      [0, 1],
      [1, 2],
      [0, 4],
      [2, 2],
      [3, 4],
    ] as const) {
      expect(await readShuffleSegment(files, path, start, end)).toEqual(index.segment(start, end));
    }
  });

  it("refuses partitions behind the end without reading for them", async () => {
    const path = join(folder, "short.index");
    await files.writeFile(path, ShuffleIndexFile.fromLengths([3]).toBytes());
    await expect(readShuffleSegment(files, path, 1, 2)).rejects.toThrow(/short\.index/);
    await expect(readShuffleSegment(files, path, 0, 2 ** 31 - 1)).rejects.toMatchObject({
      code: "BLOCK_NOT_FOUND",
    });
  });

  it("refuses offsets that descend", async () => {
    const path = join(folder, "descending.index");
    await files.writeFile(path, column([0n, 9n, 4n]));
    await expect(readShuffleSegment(files, path, 1, 2)).rejects.toMatchObject({
      code: "INDEX_INVALID",
    });
  });

  it("leaves failures of the disk as they are", async () => {
    const path = join(folder, "nowhere", "x.index");
    await expect(readShuffleSegment(files, path, 0, 1)).rejects.toBeInstanceOf(TransportError);
  });
});

function column(values: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(values.length * 8);
  for (const [index, value] of values.entries()) bytes.writeBigInt64BE(value, index * 8);
  return bytes;
}
