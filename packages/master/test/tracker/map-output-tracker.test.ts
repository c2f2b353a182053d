import { BlockManagerId } from "@bm/block";
import {
  type BlocksAtLocation,
  MAP_OUTPUT_TRACKER_ENDPOINT_NAME,
  MapOutputTracker,
  MapOutputTrackerMaster,
  MapOutputTrackerMasterEndpoint,
  MapStatus,
} from "@bm/master";
import { RpcEnv } from "@bm/rpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const hostA = BlockManagerId.of("1", "a", 7001);
const hostB = BlockManagerId.of("2", "b", 7002, "/rack");

/** `exec: name(size)@mapIndex ...` per place. */
function summary(blocks: readonly BlocksAtLocation[]): string[] {
  return blocks.map(({ location, blocks: ofLocation }) => {
    const names = ofLocation.map(
      ({ blockId, size, mapIndex }) => `${blockId.name}(${size})@${mapIndex}`,
    );
    return `${location.executorId}: ${names.join(" ")}`;
  });
}

function trackerOfThreeMaps(): MapOutputTrackerMaster {
  const master = new MapOutputTrackerMaster();
  master.registerShuffle(5, 3);
  master.registerMapOutput(5, 0, MapStatus.ofSizes(hostA, 100n, [1, 0, 3]));
  master.registerMapOutput(5, 1, MapStatus.ofSizes(hostB, 2n ** 62n, [0, 0, 2]));
  master.registerMapOutput(5, 2, MapStatus.ofSizes(hostA, 102n, [1, 1, 0]));
  return master;
}

describe("the tracker of the driver", () => {
  it("tells where the blocks of a range of partitions are, leaving out empty ones", async () => {
    const master = trackerOfThreeMaps();
    expect(summary(await master.getMapSizesByExecutorId(5, 0, 3))).toEqual([
      "1: shuffle_5_100_0(1)@0 shuffle_5_100_2(3)@0 shuffle_5_102_0(1)@2 shuffle_5_102_1(1)@2",
      `2: shuffle_5_${2n ** 62n}_2(2)@1`,
    ]);
    expect(summary(await master.getMapSizesByExecutorId(5, 1, 2))).toEqual([
      "1: shuffle_5_102_1(1)@2",
    ]);
    expect(await master.getMapSizesByExecutorId(5, 1, 1)).toEqual([]);
    const maps = { startMapIndex: 1, endMapIndex: 2 };
    expect(summary(await master.getMapSizesByExecutorId(5, 0, 3, maps))).toEqual([
      `2: shuffle_5_${2n ** 62n}_2(2)@1`,
    ]);
  });

  it("names the shuffle and partition when an output is missing", async () => {
    const master = trackerOfThreeMaps();
    master.unregisterMapOutput(5, 1, hostB);
    await expect(master.getMapSizesByExecutorId(5, 2, 3)).rejects.toMatchObject({
      name: "MasterError",
      code: "METADATA_FETCH_FAILED",
      shuffleId: 5,
      partition: 2,
    });
    // A range that does not need the missing map is readable.
    const maps = { startMapIndex: 2 };
    await expect(master.getMapSizesByExecutorId(5, 0, 1, maps)).resolves.toHaveLength(1);
  });

  it("refuses what it does not know", async () => {
    const master = trackerOfThreeMaps();
    const status = MapStatus.ofSizes(hostA, 1n, [1]);
    expect(() => master.registerShuffle(5, 1)).toThrow("Shuffle ID 5 registered twice");
    expect(() => master.registerMapOutput(6, 0, status)).toThrow(
      expect.objectContaining({ code: "SHUFFLE_UNKNOWN" }),
    );
    for (const mapIndex of [-1, 3, 0.5]) {
      expect(() => master.registerMapOutput(5, mapIndex, status)).toThrow(
        expect.objectContaining({ code: "MAP_INDEX_INVALID" }),
      );
    }
    for (const [start, end] of [
      [0, 4],
      [-1, 1],
      [2, 1],
    ] as const) {
      await expect(master.getMapSizesByExecutorId(5, start, end)).rejects.toMatchObject({
        code: "PARTITION_INVALID",
      });
    }
    await expect(master.getMapSizesByExecutorId(6, 0, 1)).rejects.toMatchObject({
      code: "SHUFFLE_UNKNOWN",
    });
  });

  it("raises the epoch with every loss, also with one that it had noticed before", () => {
    const master = trackerOfThreeMaps();
    expect(master.epoch).toBe(0);
    master.unregisterMapOutput(5, 0, hostB);
    expect([master.epoch, master.numAvailableOutputs(5)]).toEqual([1, 3]);
    master.unregisterMapOutput(5, 0, hostA);
    expect([master.epoch, master.numAvailableOutputs(5)]).toEqual([2, 2]);
    master.removeOutputsOnExecutor("1");
    expect([master.epoch, master.numAvailableOutputs(5)]).toEqual([3, 1]);
    master.removeOutputsOnHost("b");
    expect([master.epoch, master.numAvailableOutputs(5)]).toEqual([4, 0]);
    master.unregisterAllMapOutput(5);
    expect(master.epoch).toBe(5);
  });

  it("follows output that was moved, and brings back what was lost meanwhile", async () => {
    const master = trackerOfThreeMaps();
    master.updateMapOutput(5, 100n, hostB);
    master.removeOutputsOnExecutor("1");
    expect(master.numAvailableOutputs(5)).toBe(2);
    master.updateMapOutput(5, 102n, hostB);
    master.updateMapOutput(5, 999n, hostA);
    master.updateMapOutput(9, 100n, hostA);
    expect(summary(await master.getMapSizesByExecutorId(5, 0, 1))).toEqual([
      "2: shuffle_5_100_0(1)@0 shuffle_5_102_0(1)@2",
    ]);
    expect(master.epoch).toBe(1);
  });

  it("does not bring back the output of a task that was repeated", async () => {
    const master = trackerOfThreeMaps();
    master.registerMapOutput(5, 0, MapStatus.ofSizes(hostB, 200n, [7, 7, 7]));
    master.updateMapOutput(5, 100n, hostA);
    const maps = { endMapIndex: 1 };
    expect(summary(await master.getMapSizesByExecutorId(5, 0, 1, maps))).toEqual([
      "2: shuffle_5_200_0(7)@0",
    ]);
  });

  it("tells when a repeated map produced something else", () => {
    const master = new MapOutputTrackerMaster();
    master.registerShuffle(1, 1);
    const status = (checksum: bigint): MapStatus => MapStatus.ofSizes(hostA, 1n, [1], checksum);
    expect(master.registerMapOutput(1, 0, status(7n))).toBe(false);
    expect(master.registerMapOutput(1, 0, status(7n))).toBe(false);
    expect(master.registerMapOutput(1, 0, status(8n))).toBe(true);
  });

  it("forgets a shuffle", async () => {
    const master = trackerOfThreeMaps();
    expect(master.hasShuffle(5)).toBe(true);
    master.unregisterShuffle(5);
    expect(master.hasShuffle(5)).toBe(false);
    master.registerShuffle(5, 0);
    await expect(master.getMapSizesByExecutorId(5, 0, 9)).resolves.toEqual([]);
  });
});

describe("the tracker of an executor", () => {
  let driver: RpcEnv;
  let executor: RpcEnv;
  let master: MapOutputTrackerMaster;
  let tracker: MapOutputTracker;

  beforeEach(async () => {
    driver = await RpcEnv.create({ name: "driver" });
    executor = await RpcEnv.create({ name: "executor", isClientOnly: true });
    master = trackerOfThreeMaps();
    MapOutputTrackerMasterEndpoint.setup(driver, master);
    tracker = MapOutputTracker.at(executor, driver.address);
  });

  afterEach(async () => {
    await Promise.all([driver.close(), executor.close()]);
  });

  it("tells the same as that of the driver", async () => {
    const expected = summary(await master.getMapSizesByExecutorId(5, 0, 3));
    expect(summary(await tracker.getMapSizesByExecutorId(5, 0, 3))).toEqual(expected);
  });

  it("asks once, and again when the epoch has risen", async () => {
    await tracker.getMapSizesByExecutorId(5, 0, 1);
    await driver.stop({ address: null, name: MAP_OUTPUT_TRACKER_ENDPOINT_NAME });
    await expect(tracker.getMapSizesByExecutorId(5, 1, 2)).resolves.toHaveLength(1);
    tracker.updateEpoch(0);
    await expect(tracker.getMapSizesByExecutorId(5, 1, 2)).resolves.toHaveLength(1);

    tracker.updateEpoch(1);
    await expect(tracker.getMapSizesByExecutorId(5, 1, 2)).rejects.toMatchObject({
      code: "ENDPOINT_NOT_FOUND",
    });
    expect(tracker.epoch).toBe(1);
  });

  it("asks once for those who ask at the same time", async () => {
    const [first, second] = await Promise.all([
      tracker.getMapSizesByExecutorId(5, 0, 1),
      tracker.getMapSizesByExecutorId(5, 0, 1),
    ]);
    expect(summary(first)).toEqual(summary(second));
    // Places that came in one answer are the same objects.
    expect(first[0]?.location).toBe(second[0]?.location);
  });

  it("learns the epoch from an answer", async () => {
    master.removeOutputsOnHost("nowhere");
    await tracker.getMapSizesByExecutorId(5, 0, 1);
    expect(tracker.epoch).toBe(1);
  });

  it("sees an output that replaced another", async () => {
    await tracker.getMapSizesByExecutorId(5, 0, 1);
    master.registerMapOutput(5, 0, MapStatus.ofSizes(hostB, 200n, [9, 9, 9]));
    tracker.updateEpoch(1);
    const maps = { endMapIndex: 1 };
    expect(summary(await tracker.getMapSizesByExecutorId(5, 0, 1, maps))).toEqual([
      "2: shuffle_5_200_0(9)@0",
    ]);
  });

  it("forgets what it knew when an output is missing, so that a retry sees the new one", async () => {
    master.unregisterMapOutput(5, 0, hostA);
    await expect(tracker.getMapSizesByExecutorId(5, 0, 1)).rejects.toMatchObject({
      code: "METADATA_FETCH_FAILED",
      shuffleId: 5,
      partition: 0,
    });
    master.registerMapOutput(5, 0, MapStatus.ofSizes(hostB, 200n, [9, 9, 9]));
    await expect(tracker.getMapSizesByExecutorId(5, 0, 1)).resolves.toHaveLength(2);
  });

  it("sees a loss after the epoch has risen", async () => {
    await tracker.getMapSizesByExecutorId(5, 0, 1);
    master.removeOutputsOnExecutor("2");
    tracker.updateEpoch(master.epoch);
    await expect(tracker.getMapSizesByExecutorId(5, 0, 1)).rejects.toMatchObject({
      code: "METADATA_FETCH_FAILED",
      message: expect.stringContaining("map 1 of shuffle 5") as string,
    });
  });

  it("fails at once for a shuffle that nobody registered", async () => {
    await expect(tracker.getMapSizesByExecutorId(6, 0, 1)).rejects.toMatchObject({
      name: "MasterError",
      code: "SHUFFLE_UNKNOWN",
    });
  });

  it("registers shuffles and outputs with the driver", async () => {
    await tracker.registerShuffle(6, 2);
    await expect(tracker.registerShuffle(6, 2)).rejects.toMatchObject({
      code: "SHUFFLE_REGISTERED_TWICE",
    });
    const mapId = 2n ** 63n - 1n;
    await tracker.registerMapOutput(6, 0, MapStatus.ofSizes(hostA, mapId, [4], -5n));
    await tracker.registerMapOutput(6, 1, MapStatus.ofSizes(hostB, 1n, [0]));
    expect(summary(await master.getMapSizesByExecutorId(6, 0, 1))).toEqual([
      `1: shuffle_6_${mapId}_0(4)@0`,
    ]);
    await expect(
      tracker.registerMapOutput(6, 2, MapStatus.ofSizes(hostA, 1n, [4])),
    ).rejects.toMatchObject({ code: "MAP_INDEX_INVALID" });

    await tracker.unregisterMapOutput(6, 0, hostA);
    await expect(tracker.getMapSizesByExecutorId(6, 0, 1)).rejects.toMatchObject({
      code: "METADATA_FETCH_FAILED",
    });
    expect(tracker.epoch).toBe(1);
  });

  it("learns highly compressed sizes", async () => {
    const sizes = Array.from({ length: 3000 }, (_, partition) => partition % 2);
    sizes[1] = 2 ** 31;
    await tracker.registerShuffle(6, 1);
    await tracker.registerMapOutput(6, 0, MapStatus.ofSizes(hostA, 7n, sizes));
    const [found] = await tracker.getMapSizesByExecutorId(6, 0, 5);
    expect(found?.blocks.map(({ blockId, size }) => [blockId.name, size])).toEqual([
      ["shuffle_6_7_1", expect.closeTo(2 ** 31, -9)],
      ["shuffle_6_7_3", 1],
    ]);
  });

  it("keeps only so many shuffles", async () => {
    const small = new MapOutputTracker({
      tracker: executor.endpointRef(driver.address, MAP_OUTPUT_TRACKER_ENDPOINT_NAME),
      cachedShufflesMax: 2,
    });
    for (const shuffleId of [11, 12, 13]) {
      master.registerShuffle(shuffleId, 1);
      master.registerMapOutput(shuffleId, 0, MapStatus.ofSizes(hostA, 1n, [1]));
    }
    await small.getMapSizesByExecutorId(11, 0, 1);
    await small.getMapSizesByExecutorId(12, 0, 1);
    await small.getMapSizesByExecutorId(11, 0, 1);
    await small.getMapSizesByExecutorId(13, 0, 1);
    await driver.stop({ address: null, name: MAP_OUTPUT_TRACKER_ENDPOINT_NAME });
    await expect(small.getMapSizesByExecutorId(11, 0, 1)).resolves.toHaveLength(1);
    await expect(small.getMapSizesByExecutorId(13, 0, 1)).resolves.toHaveLength(1);
    await expect(small.getMapSizesByExecutorId(12, 0, 1)).rejects.toMatchObject({
      code: "ENDPOINT_NOT_FOUND",
    });
  });

  it("drops what is on its way of a shuffle that is forgotten meanwhile", async () => {
    const pending = tracker.getMapSizesByExecutorId(5, 0, 1);
    tracker.unregisterShuffle(5);
    await pending;
    await driver.stop({ address: null, name: MAP_OUTPUT_TRACKER_ENDPOINT_NAME });
    await expect(tracker.getMapSizesByExecutorId(5, 0, 1)).rejects.toMatchObject({
      code: "ENDPOINT_NOT_FOUND",
    });
  });

  it("stops waiting when it is aborted, and others go on", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const given = tracker.getMapSizesByExecutorId(5, 0, 1, { signal });
    const kept = tracker.getMapSizesByExecutorId(5, 0, 1);
    controller.abort();
    await expect(given).rejects.toMatchObject({ code: "ABORTED" });
    await expect(kept).resolves.toHaveLength(1);
  });
});
