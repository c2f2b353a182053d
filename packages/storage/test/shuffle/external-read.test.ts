import { readdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type Aggregator,
  type BlockManager,
  countField,
  hashPartitioner,
  type ShuffleHandle,
  type ShuffleReader,
  stringField,
  sumAggregator,
} from "../../src/index.ts";
import { Cluster } from "../block-manager/cluster.ts";

const SPILL = "spark.shuffle.spill.maxSizeInBytesForSpillThreshold";
const RECORDS = 12_000;
const MAPS = 3;

type Handle = ShuffleHandle<string, number, number>;

function handleOf(aggregator: Aggregator<number, number> | null): Handle {
  return {
    shuffleId: 1,
    numMaps: MAPS,
    partitioner: hashPartitioner(2),
    serializer: { key: stringField, value: countField },
    aggregator,
  };
}

/** Keys of one map; most of them occur in all maps, and each twice in each. */
function recordsOf(mapIndex: number): [string, number][] {
  return Array.from({ length: RECORDS }, (_, index) => [
    `key ${((index * 7919) % 6000) + mapIndex}`,
    index % 100,
  ]);
}

const bytewise = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);

/** A writer's executor with all the memory it wants, and a reader's with as much as is said. */
async function shuffled(
  cluster: Cluster,
  handle: Handle,
  readerMemory: string,
  conf: Readonly<Record<string, string>> = {},
): Promise<{ manager: BlockManager; reader: ShuffleReader<string, number, number> }> {
  const writing = await cluster.addExecutor("writing", { conf });
  const manager = await cluster.addExecutor("reading", {
    conf: { ...conf, [SPILL]: readerMemory },
  });
  cluster.tracker.registerShuffle(handle.shuffleId, MAPS);
  for (let mapIndex = 0; mapIndex < MAPS; mapIndex += 1) {
    const writer = writing.shuffle.getWriter(handle, BigInt(mapIndex));
    await writer.write(recordsOf(mapIndex));
    cluster.tracker.registerMapOutput(handle.shuffleId, mapIndex, await writer.commit());
  }
  return { manager, reader: manager.shuffle.getReader(handle, 0, 2) };
}

function expectedSums(): Map<string, number> {
  const sums = new Map<string, number>();
  for (let mapIndex = 0; mapIndex < MAPS; mapIndex += 1) {
    for (const [key, value] of recordsOf(mapIndex)) sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return sums;
}

// The least makes more runs than may be merged at once.
for (const memory of ["64m", "500k", "12k"]) {
  const [runsLeast, runsMost] =
    { "64m": [0, 0], "500k": [1, 60], "12k": [65, 10_000] }[memory] ?? [];

  describe(`a shuffle reader with ${memory} of memory`, () => {
    it("combines every key once", async () => {
      await using cluster = await Cluster.start();
      const { manager, reader } = await shuffled(cluster, handleOf(sumAggregator), memory);
      const found = new Map<string, number>();
      let records = 0;
      for await (const batch of reader.readCombinedBatches()) {
        records += batch.length;
        for (const [key, sum] of batch) found.set(key, sum);
      }
      expect(records).toBe(found.size);
      expect(found).toEqual(expectedSums());
      expect(reader.metrics.spillCount).toBeGreaterThanOrEqual(runsLeast ?? 0);
      expect(reader.metrics.spillCount).toBeLessThanOrEqual(runsMost ?? 0);
      expect(await manager.disk.listFiles()).toEqual([]);
    });

    it("sorts every record", async () => {
      await using cluster = await Cluster.start();
      const { manager, reader } = await shuffled(cluster, handleOf(null), memory);
      const descending = (one: string, other: string): number => bytewise(other, one);
      const found: string[] = [];
      for await (const batch of reader.readSortedBatches(descending)) {
        for (const [key, value] of batch) found.push(`${key}=${value}`);
      }
      const keys = found.map((text) => text.slice(0, text.indexOf("=")));
      expect(keys).toEqual(keys.toSorted(descending));
      const all = Array.from({ length: MAPS }, (_, index) => recordsOf(index)).flat();
      const expected = all.map(([key, value]) => `${key}=${value}`);
      expect(found.toSorted(bytewise)).toEqual(expected.toSorted(bytewise));
      expect(await manager.disk.listFiles()).toEqual([]);
    });
  });
}

describe("a shuffle reader that spilled", () => {
  it("combines and sorts, also where the order takes different keys for equal", async () => {
    await using cluster = await Cluster.start();
    const { reader } = await shuffled(cluster, handleOf(sumAggregator), "100k");
    const sorted = await reader.readSorted((one, other) => one.length - other.length);
    expect(new Map(sorted)).toEqual(expectedSums());
    expect(sorted).toHaveLength(expectedSums().size);
    const lengths = sorted.map(([key]) => key.length);
    expect(lengths).toEqual(lengths.toSorted((one, other) => one - other));
  });

  it("spills by what combined values grow to, where the aggregator tells", async () => {
    await using cluster = await Cluster.start();
    const handle: ShuffleHandle<string, number, string> = {
      ...handleOf(null),
      serializer: { key: stringField, value: stringField },
      aggregator: {
        create: (value) => `${value}`,
        add: (text, value) => `${text},${value}`,
        merge: (one, other) => `${one},${other}`,
      },
    };
    const one = await cluster.addExecutor("one", { conf: { [SPILL]: "200k" } });
    cluster.tracker.registerShuffle(handle.shuffleId, 1);
    const writer = one.shuffle.getWriter({ ...handle, numMaps: 1 }, 0n);
    // Few keys, whose values grow to megabytes.
    await writer.write(Array.from({ length: 100_000 }, (_, index) => [`key ${index % 5}`, index]));
    cluster.tracker.registerMapOutput(handle.shuffleId, 0, await writer.commit());
    const reader = one.shuffle.getReader(handle, 0, 2);
    const lists = await reader.readCombined();
    expect(reader.metrics.spillCount).toBeGreaterThan(1);
    expect([...lists.keys()].toSorted()).toEqual([0, 1, 2, 3, 4].map((key) => `key ${key}`));
    for (const list of lists.values()) expect(new Set(list.split(",")).size).toBe(20_000);
  });

  it("removes its files when it is left early", async () => {
    await using cluster = await Cluster.start();
    const { manager, reader } = await shuffled(cluster, handleOf(null), "100k");
    for await (const batch of reader.readSortedBatches(bytewise)) {
      expect(batch.length).toBeGreaterThan(0);
      expect((await manager.disk.listFiles()).length).toBeGreaterThan(1);
      break;
    }
    expect(await manager.disk.listFiles()).toEqual([]);
  });

  it("says so when a file of its has become shorter, and removes the others", async () => {
    await using cluster = await Cluster.start();
    const { manager, reader } = await shuffled(cluster, handleOf(null), "2m", {
      "spark.shuffle.compress": "false",
    });
    const read = async (): Promise<void> => {
      for await (const batch of reader.readSortedBatches(bytewise)) {
        expect(batch.length).toBeGreaterThan(0);
        for (const path of await filesBelow(manager.disk.localDirs)) await truncate(path, 10);
      }
    };
    await expect(read()).rejects.toMatchObject({ code: "BLOCK_DAMAGED" });
    expect(await manager.disk.listFiles()).toEqual([]);
  });
});

async function filesBelow(directories: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    directories.map((directory) => readdir(directory, { recursive: true, withFileTypes: true })),
  );
  const files = found.flat().filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => join(parentPath, name));
}
