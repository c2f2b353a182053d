import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BlockManagerId, localFilePath } from "@bm/block";
import { createCompressionCodec } from "@bm/codec";
import { MapOutputTrackerMaster } from "@bm/master";
import { IndexShuffleBlockResolver } from "@bm/shuffle";
import { nodePlatform } from "@bm/transport";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { countField, type Field, stringField } from "../../src/serializer/serializer.ts";
import {
  type Aggregator,
  hashPartitioner,
  type ShuffleHandle,
  sumAggregator,
} from "../../src/shuffle/shuffle-handle.ts";
import { ShuffleManager } from "../../src/shuffle/shuffle-manager.ts";

const LOCATION = BlockManagerId.of("executor-1", "127.0.0.1", 7000);

describe("a sort shuffle", () => {
  let directory = "";
  let tracker: MapOutputTrackerMaster;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "bm-shuffle-"));
    tracker = new MapOutputTrackerMaster();
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  for (const codec of ["lz4", null] as const) {
    for (const memoryBytesMax of [64 * 1024 * 1024, 100_000]) {
      const how = `${codec ?? "uncompressed"}, ${memoryBytesMax} bytes of memory`;
      it(`carries every record to its partition: ${how}`, async () => {
        const manager = shuffleManager({ codec, memoryBytesMax });
        const handle = handleOf(null, 3, 5);
        await manager.registerShuffle(handle);
        const expected: string[] = [];
        for (let mapIndex = 0; mapIndex < 3; mapIndex += 1) {
          const records = recordsOf(mapIndex, 40_000);
          expected.push(...records.map(([key, value]) => `${key}=${value}`));
          const writer = manager.getWriter(handle, BigInt(mapIndex));
          await writer.write(records);
          tracker.registerMapOutput(0, mapIndex, await writer.commit());
          expect(writer.metrics.recordsWritten).toBe(40_000);
          expect(writer.metrics.spillCount > 0).toBe(memoryBytesMax < 1_000_000);
        }
        const found: string[] = [];
        for (let partition = 0; partition < 5; partition += 1) {
          for await (const [key, value] of manager
            .getReader(handle, partition, partition + 1)
            .read()) {
            expect(handle.partitioner.partitionOf(key)).toBe(partition);
            found.push(`${key}=${value}`);
          }
        }
        expect(found.toSorted()).toEqual(expected.toSorted());
      });
    }
  }

  it("combines on both sides, with spills too", async () => {
    const manager = shuffleManager({ codec: "lz4", memoryBytesMax: 50_000 });
    const handle = handleOf(sumAggregator, 2, 3);
    await manager.registerShuffle(handle);
    const expected = new Map<string, number>();
    for (let mapIndex = 0; mapIndex < 2; mapIndex += 1) {
      const writer = manager.getWriter(handle, BigInt(mapIndex));
      const records = recordsOf(mapIndex, 100_000);
      for (const [key, value] of records) expected.set(key, (expected.get(key) ?? 0) + value);
      await writer.write(records);
      tracker.registerMapOutput(0, mapIndex, await writer.commit());
      expect(writer.metrics.spillCount).toBeGreaterThan(0);
    }
    const combined = await manager.getReader(handle, 0, 3).readCombined();
    expect(combined).toEqual(expected);
  });

  it("leaves no temporary file behind, whether it commits or gives up", async () => {
    const manager = shuffleManager({ codec: "lz4", memoryBytesMax: 1000 });
    const handle = handleOf(null, 2, 4);
    const committed = manager.getWriter(handle, 0n);
    await committed.write(recordsOf(0, 50_000));
    await committed.commit();
    const given = manager.getWriter(handle, 1n);
    await given.write(recordsOf(1, 50_000));
    await given.abort();
    await given.abort();
    expect((await filesBelow(directory)).toSorted()).toEqual([
      "shuffle_0_0_0.checksum.ADLER32",
      "shuffle_0_0_0.data",
      "shuffle_0_0_0.index",
    ]);
    await expect(given.commit()).rejects.toMatchObject({ code: "WRITER_STATE" });
    expect(await manager.unregisterShuffle(0)).toBe(true);
    expect(await filesBelow(directory)).toEqual([]);
  });

  it("writes a map output without records", async () => {
    const manager = shuffleManager({ codec: "lz4", memoryBytesMax: 1000 });
    const handle = handleOf(null, 1, 3);
    await manager.registerShuffle(handle);
    const writer = manager.getWriter(handle, 0n);
    await writer.write([]);
    const status = await writer.commit();
    tracker.registerMapOutput(0, 0, status);
    expect([0, 1, 2].map((partition) => status.sizeOf(partition))).toEqual([0, 0, 0]);
    for await (const record of manager.getReader(handle, 0, 3).read())
      expect(record).toBeUndefined();
  });

  it("leaves an index file alone for a map output without a byte, as Spark does", async () => {
    const manager = shuffleManager({ codec: "lz4", memoryBytesMax: 1000 });
    await manager.getWriter(handleOf(null, 1, 3), 0n).commit();
    expect(await filesBelow(directory)).toEqual(["shuffle_0_0_0.index"]);
  });

  it("gives an empty partition the initial checksum, as Spark does", async () => {
    const manager = shuffleManager({ codec: "lz4", memoryBytesMax: 1000 });
    const partitioner = { numPartitions: 3, partitionOf: () => 1 };
    const writer = manager.getWriter({ ...handleOf(null, 1, 3), partitioner }, 0n);
    await writer.write([["a", 1]]);
    await writer.commit();
    const { path } = localFilePath([directory], 64, "shuffle_0_0_0.checksum.ADLER32");
    const checksums = await readFile(path);
    expect([0, 16].map((offset) => checksums.readBigInt64BE(offset))).toEqual([1n, 1n]);
  });

  it("takes records that come later, too", async () => {
    const manager = shuffleManager({ codec: "lz4", memoryBytesMax: 1000 });
    const handle = handleOf(null, 1, 1);
    await manager.registerShuffle(handle);
    const writer = manager.getWriter(handle, 0n);
    await writer.write(later(recordsOf(0, 500)));
    tracker.registerMapOutput(0, 0, await writer.commit());
    expect(writer.metrics.spillCount).toBeGreaterThan(0);
    expect(await recordsIn(manager, handle)).toEqual(recordsOf(0, 500));
  });

  it("brings records back that are longer than what is read at a time", async () => {
    const manager = shuffleManager({ codec: null, memoryBytesMax: 100_000_000 });
    const handle = handleOf(null, 1, 1);
    await manager.registerShuffle(handle);
    const records = [600_000, 3_000_000, 1_700_000].map((length, index): [string, number] => [
      randomBytes(length / 2).toString("hex"),
      index,
    ]);
    const writer = manager.getWriter(handle, 0n);
    await writer.write(records);
    tracker.registerMapOutput(0, 0, await writer.commit());
    const found = await recordsIn(manager, handle);
    expect(found.map(([text]) => text.length)).toEqual(records.map(([text]) => text.length));
    expect(found.every(([text], index) => text === records[index]?.[0])).toBe(true);
  });

  it("spills by bytes: few large records as well as many small ones, combined or not", async () => {
    const manager = shuffleManager({ codec: null, memoryBytesMax: 1_000_000 });
    const large = Array.from({ length: 50 }, (_, index): [string, number] => [
      String(index).padStart(100_000, "-"),
      1,
    ]);
    for (const aggregator of [null, sumAggregator]) {
      const writer = manager.getWriter(handleOf(aggregator, 1, 1), 0n);
      await writer.write(large);
      expect(writer.metrics.spillCount).toBeGreaterThan(4);
      await writer.abort();
    }
  });

  it("spills by what the aggregator says of values that grow", async () => {
    const manager = shuffleManager({ codec: null, memoryBytesMax: 100_000 });
    const lists: Aggregator<number, number[]> = {
      create: (value) => [value],
      add: (list, value) => {
        list.push(value);
        return list;
      },
      merge: (one, other) => [...one, ...other],
      bytesOf: (list) => 16 * list.length,
    };
    const lengths: Field<number[]> = {
      write: (to, list) => to.writeVarint(list.length),
      read: (from) => Array.from({ length: from.readVarint() }, () => 0),
    };
    const handle: ShuffleHandle<string, number, number[]> = {
      ...handleOf(null, 1, 1),
      serializer: { key: stringField, value: lengths },
      aggregator: lists,
    };
    const writer = manager.getWriter(handle, 0n);
    await writer.write(Array.from({ length: 30_000 }, (_, index) => [`${index % 3}`, index]));
    expect(writer.metrics.spillCount).toBeGreaterThan(1);
    await writer.abort();
  });

  it("has failed for good after a failure, and leaves nothing on disk", async () => {
    const manager = shuffleManager({ codec: "lz4", memoryBytesMax: 1000 });
    const writer = manager.getWriter(handleOf(null, 1, 1), 0n);
    await writer.write(recordsOf(0, 1000));
    expect(await filesBelow(directory)).not.toEqual([]);
    await expect(writer.write([["negative", -1]])).rejects.toMatchObject({ code: "VALUE_INVALID" });
    expect(await filesBelow(directory)).toEqual([]);
    await expect(writer.commit()).rejects.toMatchObject({ code: "WRITER_STATE" });
  });

  it("publishes nothing after a commit that failed", async () => {
    const manager = shuffleManager({ codec: "lz4", memoryBytesMax: 1_000_000 });
    const writer = manager.getWriter(handleOf(null, 1, 1), 0n);
    await writer.write(recordsOf(0, 100));
    // A directory in the place of the data file: nothing can be renamed to it.
    const { path } = localFilePath([directory], 64, "shuffle_0_0_0.data");
    await mkdir(path, { recursive: true });
    await expect(writer.commit()).rejects.toMatchObject({ code: "FILE_FAILED" });
    await rm(path, { recursive: true });
    await expect(writer.commit()).rejects.toMatchObject({ code: "WRITER_STATE" });
    expect(await filesBelow(directory)).toEqual([]);
  });

  for (const aggregator of [null, sumAggregator]) {
    it(`sorts by key, ${aggregator === null ? "as the records are" : "combined"}`, async () => {
      const manager = shuffleManager({ codec: "lz4", memoryBytesMax: 1_000_000 });
      const handle = handleOf(aggregator, 1, 1);
      await manager.registerShuffle(handle);
      const writer = manager.getWriter(handle, 0n);
      await writer.write([
        ["b", 1],
        ["c", 2],
        ["a", 3],
        ["b", 4],
      ]);
      tracker.registerMapOutput(0, 0, await writer.commit());
      const reader = manager.getReader(handle, 0, 1);
      const sorted = await reader.readSorted((one, other) =>
        one < other ? -1 : Number(one > other),
      );
      const sums: Record<string, number> = {};
      for (const [key, value] of sorted) sums[key] = (sums[key] ?? 0) + value;
      expect(sums).toEqual({ a: 3, b: 5, c: 2 });
      expect(sorted.map(([key]) => key).join("")).toBe(aggregator === null ? "abbc" : "abc");
      expect(reader.metrics.fetchWaitMs).toBeGreaterThanOrEqual(0);
    });
  }

  it("names the culprit when a map output is gone", async () => {
    const manager = shuffleManager({ codec: "lz4", memoryBytesMax: 1_000_000 });
    const handle = handleOf(null, 1, 1);
    await manager.registerShuffle(handle);
    const writer = manager.getWriter(handle, 7n);
    await writer.write(recordsOf(0, 10));
    tracker.registerMapOutput(0, 0, await writer.commit());
    await rm(directory, { recursive: true });
    await expect(readAll(manager, handle)).rejects.toMatchObject({
      code: "FETCH_FAILED",
      culprit: { location: LOCATION, shuffleId: 0, mapId: 7n, mapIndex: 0, reduceId: 0 },
    });
    tracker.removeOutputsOnExecutor("executor-1");
    await expect(readAll(manager, handle)).rejects.toMatchObject({
      code: "FETCH_FAILED",
      culprit: null,
    });
  });

  it("refuses a partitioner that goes beyond its partitions", async () => {
    const manager = shuffleManager({ codec: null, memoryBytesMax: 1000 });
    const partitioner = { numPartitions: 2, partitionOf: () => 2 };
    const writer = manager.getWriter({ ...handleOf(null, 1, 2), partitioner }, 0n);
    await expect(writer.write([["a", 1]])).rejects.toMatchObject({ code: "PARTITION_INVALID" });
    await writer.abort();
  });

  function shuffleManager(options: {
    readonly codec: "lz4" | null;
    readonly memoryBytesMax: number;
  }): ShuffleManager {
    const platform = nodePlatform();
    const { files, random } = platform;
    const resolver = new IndexShuffleBlockResolver({ files, random, localDirs: [directory] });
    return new ShuffleManager({
      localId: () => LOCATION,
      platform,
      resolver,
      tracker,
      blockManager: {
        getLocalBlockData: (id) => {
          if (id.kind !== "shuffle") throw new Error(`not a shuffle block: ${id.name}`);
          return resolver.getBlockData(id);
        },
      },
      client: {
        fetchBlocks: () => {
          throw new Error("every block is local here");
        },
      },
      codec: options.codec === null ? null : createCompressionCodec(options.codec),
      memoryBytesMax: options.memoryBytesMax,
    });
  }
});

function handleOf(
  aggregator: Aggregator<number, number> | null,
  numMaps: number,
  numPartitions: number,
): ShuffleHandle<string, number> {
  return {
    shuffleId: 0,
    numMaps,
    partitioner: hashPartitioner(numPartitions),
    serializer: { key: stringField, value: countField },
    aggregator,
  };
}

function recordsOf(seed: number, count: number): [string, number][] {
  return Array.from({ length: count }, (_, index) => [
    `key-${(index * 7919 + seed) % 20_011}`,
    index % 1000,
  ]);
}

async function recordsIn(
  manager: ShuffleManager,
  handle: ShuffleHandle<string, number>,
): Promise<(readonly [string, number])[]> {
  const records: (readonly [string, number])[] = [];
  for await (const batch of manager.getReader(handle, 0, 1).readBatches()) records.push(...batch);
  return records;
}

async function* later<Element>(elements: readonly Element[]): AsyncGenerator<Element> {
  for (const element of elements) yield await Promise.resolve(element);
}

async function readAll(
  manager: ShuffleManager,
  handle: ShuffleHandle<string, number>,
): Promise<void> {
  for await (const batch of manager.getReader(handle, 0, 1).readBatches()) {
    expect(batch.length).toBeGreaterThan(0);
  }
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
