import { BlockManagerId, SHUFFLE_MERGER_EXECUTOR_ID } from "@bm/block";
import {
  MAP_OUTPUT_TRACKER_ENDPOINT_NAME,
  MapOutputTracker,
  MapOutputTrackerMaster,
  MapOutputTrackerMasterEndpoint,
  MergeStatus,
  StopMapOutputTracker,
} from "@bm/master";
import { RpcEnv } from "@bm/rpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const mergerA = BlockManagerId.of(SHUFFLE_MERGER_EXECUTOR_ID, "host-a", 7337);
const mergerB = BlockManagerId.of(SHUFFLE_MERGER_EXECUTOR_ID, "host-b", 7337);

let driver: RpcEnv;
let executor: RpcEnv;
let master: MapOutputTrackerMaster;
let tracker: MapOutputTracker;

beforeEach(async () => {
  driver = await RpcEnv.create({ name: "driver" });
  executor = await RpcEnv.create({ name: "executor", isClientOnly: true });
  master = new MapOutputTrackerMaster();
  master.registerShuffle(5, 100);
  MapOutputTrackerMasterEndpoint.setup(driver, master);
  tracker = MapOutputTracker.at(executor, driver.address);
});

afterEach(async () => {
  await Promise.all([driver.close(), executor.close()]);
});

function merged(location: BlockManagerId, mapIndexes: readonly number[]): MergeStatus {
  return MergeStatus.of({ location, shuffleMergeId: 2, mapIndexes, totalSize: 2 ** 40 });
}

describe("what was merged of a shuffle", () => {
  it("reaches executors, with the maps that are in it", async () => {
    master.registerMergeResult(5, 1, merged(mergerA, [0, 1, 2, 50]));
    master.registerMergeResult(5, 0, merged(mergerB, []));
    const results = await tracker.getMergeResults(5);
    expect([...results.keys()]).toEqual([1, 0]);
    const status = results.get(1);
    expect(status).toMatchObject({ shuffleMergeId: 2, totalSize: 2 ** 40 });
    expect(status?.location.equals(mergerA)).toBe(true);
    expect([0, 3, 50, 70_000].map((mapIndex) => status?.hasMap(mapIndex))).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect([status?.numMaps, results.get(0)?.numMaps]).toEqual([4, 0]);
    master.registerMergeResult(5, 1, merged(mergerB, [7]));
    expect((await tracker.getMergeResults(5)).get(1)?.numMaps).toBe(1);
    await expect(tracker.getMergeResults(6)).rejects.toMatchObject({ code: "SHUFFLE_UNKNOWN" });
  });

  it("is forgotten only where it is, and only if the map is in it; then the epoch rises", () => {
    master.registerMergeResult(5, 1, merged(mergerA, [3]));
    master.unregisterMergeResult(5, 1, mergerB);
    master.unregisterMergeResult(5, 1, mergerA, 4);
    master.unregisterMergeResult(5, 2, mergerA);
    expect([master.mergeResults(5).size, master.epoch]).toEqual([1, 0]);
    master.unregisterMergeResult(5, 1, mergerA, 3);
    expect([master.mergeResults(5).size, master.epoch]).toEqual([0, 1]);
  });

  it("goes with its host and with all output, but not with an executor", () => {
    const fill = (): void => master.registerMergeResult(5, 1, merged(mergerA, [3]));
    fill();
    master.removeOutputsOnExecutor(SHUFFLE_MERGER_EXECUTOR_ID);
    master.removeOutputsOnHost("host-b");
    expect(master.mergeResults(5).size).toBe(1);
    master.removeOutputsOnHost("host-a");
    expect(master.mergeResults(5).size).toBe(0);
    fill();
    master.unregisterAllMapOutput(5);
    expect(master.mergeResults(5).size).toBe(0);
  });

  it("is refused when it makes no sense", () => {
    expect(() => master.registerMergeResult(5, -1, merged(mergerA, []))).toThrow(
      expect.objectContaining({ code: "PARTITION_INVALID" }),
    );
    for (const mapIndexes of [[1, 1], [-1], [0.5], [2, 1]]) {
      expect(() => merged(mergerA, mapIndexes)).toThrow(
        expect.objectContaining({ code: "MAP_INDEX_INVALID" }),
      );
    }
    const bytes = merged(mergerA, [1, 2, 3, 4]).toBytes();
    expect(MergeStatus.fromBytes(bytes).numMaps).toBe(4);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => MergeStatus.fromBytes(bytes.subarray(0, length))).toThrow(
        expect.objectContaining({ code: "STATUSES_MALFORMED" }),
      );
    }
  });
});

describe("the tracker", () => {
  it("tells which shuffle services merge a shuffle", async () => {
    await expect(tracker.getShufflePushMergerLocations(5)).resolves.toEqual([]);
    master.setShufflePushMergerLocations(5, [mergerA, mergerB]);
    const locations = await tracker.getShufflePushMergerLocations(5);
    expect(locations.map(({ key }) => key)).toEqual([mergerA.key, mergerB.key]);
    await expect(tracker.getShufflePushMergerLocations(6)).rejects.toMatchObject({
      code: "SHUFFLE_UNKNOWN",
    });
  });

  it("ends when it is told to", async () => {
    const ref = executor.endpointRef(driver.address, MAP_OUTPUT_TRACKER_ENDPOINT_NAME);
    await expect(ref.ask(StopMapOutputTracker, undefined)).resolves.toBe(true);
    await expect(tracker.getMergeResults(5)).rejects.toMatchObject({ code: "ENDPOINT_NOT_FOUND" });
  });
});
