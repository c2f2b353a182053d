import { broadcastBlockId, rddBlockId, StorageLevel, testBlockId } from "@bm/block";
import { BytesManagedBuffer, type ManagedBuffer } from "@bm/transport";
import { describe, expect, it } from "vitest";
import {
  countField,
  hashPartitioner,
  type ShuffleHandle,
  stringField,
  sumAggregator,
} from "../../src/index.ts";
import { Cluster } from "./cluster.ts";

const KIB = 1024;

describe("BlockManager", () => {
  it("gives its blocks to others, wherever they lie", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    const two = await cluster.addExecutor("two");
    const levels = [StorageLevel.MEMORY_ONLY, StorageLevel.DISK_ONLY, StorageLevel.MEMORY_AND_DISK];
    for (const [index, level] of levels.entries()) {
      const id = rddBlockId(index, 0);
      const content = Buffer.alloc(300 * KIB, index + 1);
      expect(await one.put(id, content, level)).toBe(true);
      expect(await textOf(two.getLocal(id))).toBeNull();
      const found = await two.get(id);
      expect(content.equals((await found?.bytes()) ?? Buffer.alloc(0))).toBe(true);
      found?.release();
    }
    expect(two.metrics).toMatchObject({ remoteBlocksFetched: 3, remoteBytesRead: 900 * KIB });
  });

  it("does not know blocks that nobody has", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    expect(await one.get(rddBlockId(7, 7))).toBeNull();
  });

  it("moves blocks from memory to disk, or drops them, as their level says", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one", { memoryBytesMax: 100 * KIB });
    const two = await cluster.addExecutor("two");
    await one.put(rddBlockId(1, 0), Buffer.alloc(60 * KIB, 1), StorageLevel.MEMORY_AND_DISK);
    await one.put(rddBlockId(2, 0), Buffer.alloc(60 * KIB, 2), StorageLevel.MEMORY_ONLY);
    await one.put(rddBlockId(3, 0), Buffer.alloc(60 * KIB, 3), StorageLevel.MEMORY_ONLY);
    expect(one.metrics).toMatchObject({ memoryUsedBytes: 60 * KIB, evictionCount: 2 });
    expect((await two.get(rddBlockId(1, 0)))?.size).toBe(60 * KIB);
    expect(await two.get(rddBlockId(2, 0))).toBeNull();
    expect((await two.get(rddBlockId(3, 0)))?.size).toBe(60 * KIB);
    await expect
      .poll(async () => (await cluster.master.getBlockStatus(rddBlockId(1, 0), false))[0]?.status)
      .toMatchObject({ memSize: 0, diskSize: 60 * KIB });
  });

  it("writes what is larger than its memory to disk, or says that there is no room", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one", { memoryBytesMax: KIB });
    const large = (): Buffer => Buffer.alloc(2 * KIB);
    expect(await one.put(testBlockId("a"), large(), StorageLevel.MEMORY_AND_DISK)).toBe(true);
    expect(await one.put(testBlockId("b"), large(), StorageLevel.MEMORY_ONLY)).toBe(false);
    expect(await one.getLocal(testBlockId("b"))).toBeNull();
    await expect(one.put(testBlockId("c"), large(), StorageLevel.NONE)).rejects.toMatchObject({
      code: "LEVEL_INVALID",
    });
  });

  it("leaves a block that is there as it is", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    const id = testBlockId("once");
    await Promise.all(
      ["first", "second"].map((text) => one.put(id, Buffer.from(text), StorageLevel.MEMORY_ONLY)),
    );
    expect(await textOf(one.getLocal(id))).toBe("first");
  });

  it("brings copies to its peers", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    const others = await Promise.all(["two", "three"].map((id) => cluster.addExecutor(id)));
    const id = rddBlockId(1, 1);
    await one.put(id, Buffer.from("precious"), StorageLevel.MEMORY_ONLY_2);
    const copies = await Promise.all(others.map((other) => textOf(other.getLocal(id))));
    expect(copies.filter((copy) => copy === "precious")).toHaveLength(1);
    expect(await cluster.master.getLocations(id)).toHaveLength(2);
  });

  it("reads a copy when the first place is gone", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    const two = await cluster.addExecutor("two");
    const three = await cluster.addExecutor("three");
    const id = rddBlockId(1, 1);
    await one.put(id, Buffer.from("precious"), StorageLevel.DISK_ONLY_3);
    await three.removeBlock(id);
    await one.close();
    expect(await textOf(three.get(id))).toBe("precious");
    expect(await textOf(two.getLocal(id))).toBe("precious");
  });

  it("waits for readers before it removes a block", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    const id = testBlockId("read");
    await one.put(id, Buffer.from("content"), StorageLevel.DISK_ONLY);
    const buffer = await one.getLocal(id);
    let isRemoved = false;
    const removal = one.removeBlock(id).then(() => (isRemoved = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isRemoved).toBe(false);
    expect(Buffer.from((await buffer?.bytes()) ?? []).toString()).toBe("content");
    buffer?.release();
    await removal;
    expect(await one.getLocal(id)).toBeNull();
    expect(await cluster.master.getLocations(id)).toHaveLength(0);
  });

  it("obeys the master", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    const two = await cluster.addExecutor("two");
    for (const [index, manager] of [one, two].entries()) {
      await manager.put(rddBlockId(5, index), Buffer.from("r"), StorageLevel.MEMORY_ONLY);
      const piece = broadcastBlockId(9n, `piece${index}`);
      await manager.put(piece, Buffer.from("b"), StorageLevel.MEMORY_ONLY);
    }
    expect(await cluster.master.removeRdd(5)).toBe(2);
    expect(await cluster.master.removeBroadcast(9n)).toBe(2);
    expect(await one.getLocal(rddBlockId(5, 0))).toBeNull();
    expect(one.metrics.memoryUsedBytes + two.metrics.memoryUsedBytes).toBe(0);
  });

  it("registers again when the master forgot it, and reports what it has", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one", { heartbeatIntervalMs: 10 });
    const id = rddBlockId(1, 0);
    await one.put(id, Buffer.from("still here"), StorageLevel.MEMORY_ONLY);
    await cluster.master.removeExecutor("one");
    while ((await cluster.master.getLocations(id)).length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await cluster.master.isExecutorAlive("one")).toBe(true);
  });

  it("takes in a block as a stream", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    const id = testBlockId("streamed");
    const upload = one.served.putBlockDataAsStream(id, StorageLevel.MEMORY_AND_DISK);
    await upload.onData(upload.id, Buffer.from("in two "));
    await upload.onData(upload.id, Buffer.from("parts"));
    await upload.onComplete(upload.id);
    expect(await textOf(one.getLocal(id))).toBe("in two parts");
    const broken = one.served.putBlockDataAsStream(testBlockId("broken"), StorageLevel.DISK_ONLY);
    await broken.onData(broken.id, Buffer.from("part"));
    broken.onFailure(broken.id, new Error("sender gone"));
    await expect(Promise.resolve(broken.onComplete(broken.id))).rejects.toThrow("sender gone");
  });

  it("can be closed twice and is of no use then", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    await Promise.all([one.close(), one.close()]);
    await expect(
      one.put(testBlockId("late"), new BytesManagedBuffer(Buffer.alloc(1)), StorageLevel.DISK_ONLY),
    ).rejects.toMatchObject({ code: "CLOSED" });
  });
});

describe("a shuffle between block managers", () => {
  const handle: ShuffleHandle<string, number> = {
    shuffleId: 3,
    numMaps: 4,
    partitioner: hashPartitioner(3),
    serializer: { key: stringField, value: countField },
    aggregator: sumAggregator,
  };

  it("gives the sums that a direct computation gives", async () => {
    await using cluster = await Cluster.start();
    const managers = [await cluster.addExecutor("one"), await cluster.addExecutor("two")];
    cluster.tracker.registerShuffle(handle.shuffleId, handle.numMaps);
    const expected = new Map<string, number>();
    for (let mapIndex = 0; mapIndex < handle.numMaps; mapIndex += 1) {
      const records = Array.from({ length: 20_000 }, (_, index): [string, number] => [
        `key-${(index * 31 + mapIndex) % 5003}`,
        index % 7,
      ]);
      for (const [key, value] of records) expected.set(key, (expected.get(key) ?? 0) + value);
      const writer = managers[mapIndex % 2]!.shuffle.getWriter(handle, BigInt(mapIndex));
      await writer.write(records);
      cluster.tracker.registerMapOutput(handle.shuffleId, mapIndex, await writer.commit());
    }
    const result = new Map<string, number>();
    for (let partition = 0; partition < 3; partition += 1) {
      const reader = managers[partition % 2]!.shuffle.getReader(handle, partition, partition + 1);
      for (const [key, sum] of await reader.readCombined()) result.set(key, sum);
      expect(reader.metrics.remoteBlocksFetched).toBe(2);
      expect(reader.metrics.localBlocksFetched).toBe(2);
    }
    expect(result).toEqual(expected);
    expect(await cluster.master.removeShuffle(handle.shuffleId)).toBe(true);
    expect((await Promise.all(managers.map(({ disk }) => disk.listFiles()))).flat()).toEqual([]);
  });

  it("names the executor that is gone", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    const two = await cluster.addExecutor("two");
    cluster.tracker.registerShuffle(handle.shuffleId, 1);
    const writer = one.shuffle.getWriter({ ...handle, numMaps: 1 }, 0n);
    await writer.write([["a", 1]]);
    cluster.tracker.registerMapOutput(handle.shuffleId, 0, await writer.commit());
    await one.close();
    await cluster.master.removeExecutor("one");
    const reader = two.shuffle.getReader(handle, 0, 3);
    await expect(reader.readCombined()).rejects.toMatchObject({
      code: "FETCH_FAILED",
      culprit: { location: one.id, shuffleId: 3, mapIndex: 0 },
    });
  });
});

async function textOf(pending: Promise<ManagedBuffer | null>): Promise<string | null> {
  const buffer = await pending;
  if (buffer === null) return null;
  const text = Buffer.from(await buffer.bytes()).toString();
  buffer.release();
  return text;
}
