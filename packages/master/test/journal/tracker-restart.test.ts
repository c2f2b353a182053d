import { BlockManagerId } from "@bm/block";
import { MapOutputTracker, MapStatus, MergeStatus } from "@bm/master";
import { describe, expect, it } from "vitest";
import { RestartingDriver } from "./restarting-driver.ts";

const [HERE, THERE] = [
  BlockManagerId.of("1", "h1", 1001),
  BlockManagerId.of("2", "h2", 1002, "/r"),
];
const MERGER = BlockManagerId.of("shuffle-push-merger", "h1", 7337);
const SIZES = [0, 10, 20];
const MANY_SIZES = Array.from({ length: 3000 }, (_, partition) => partition % 3);

async function blocksOf(driver: RestartingDriver, shuffleId: number, end: number): Promise<string> {
  return JSON.stringify(
    await driver.tracker.getMapSizesByExecutorId(shuffleId, 0, end),
    (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value),
  );
}

describe("the map output tracker of a driver that was killed", () => {
  it("knows outputs in both forms as before", async () => {
    await using driver = await RestartingDriver.start();
    driver.tracker.registerShuffle(1, 2);
    driver.tracker.registerMapOutput(1, 0, MapStatus.ofSizes(HERE, 2n ** 60n, SIZES, -5n));
    driver.tracker.registerMapOutput(1, 1, MapStatus.ofSizes(THERE, 8n, SIZES));
    driver.tracker.registerShuffle(2, 1);
    driver.tracker.registerMapOutput(2, 0, MapStatus.ofSizes(HERE, 9n, MANY_SIZES));
    const before = [await blocksOf(driver, 1, 3), await blocksOf(driver, 2, 3000)];
    await driver.journal.flush();
    await driver.restart();
    expect([await blocksOf(driver, 1, 3), await blocksOf(driver, 2, 3000)]).toEqual(before);
    expect(driver.errors).toEqual([]);
    const { epoch, shuffles, journal } = await driver.cluster.master.getSnapshot();
    expect(epoch).toBe(driver.tracker.epoch);
    expect(shuffles).toEqual([
      { shuffleId: 1, numMaps: 2, availableMaps: 2, mergedPartitions: 0 },
      { shuffleId: 2, numMaps: 1, availableMaps: 1, mergedPartitions: 0 },
    ]);
    expect(journal).toMatchObject({ failedWrites: 0, isGivenUp: false });
    // A repeated map that made something else is noticed.
    expect(driver.tracker.registerMapOutput(1, 0, MapStatus.ofSizes(HERE, 10n, SIZES, 1n))).toBe(
      true,
    );
  });

  it("knows what is lost, and follows it when it turns up", async () => {
    await using driver = await RestartingDriver.start();
    driver.tracker.registerShuffle(1, 2);
    driver.tracker.registerMapOutput(1, 0, MapStatus.ofSizes(HERE, 7n, SIZES));
    driver.tracker.registerMapOutput(1, 1, MapStatus.ofSizes(THERE, 8n, SIZES));
    driver.tracker.removeOutputsOnExecutor("1");
    await driver.journal.flush();
    await driver.restart();
    expect([...driver.tracker.outputLocations(1)]).toEqual([[1, THERE]]);
    driver.tracker.updateMapOutput(1, 7n, THERE);
    expect(driver.tracker.numAvailableOutputs(1)).toBe(2);
  });

  it("knows merge results and mergers", async () => {
    await using driver = await RestartingDriver.start();
    driver.tracker.registerShuffle(1, 2);
    driver.tracker.setShufflePushMergerLocations(1, [MERGER]);
    const merge = { location: MERGER, shuffleMergeId: 0, mapIndexes: [0, 1], totalSize: 30 };
    driver.tracker.registerMergeResult(1, 0, MergeStatus.of(merge));
    driver.tracker.registerMergeResult(1, 1, MergeStatus.of(merge));
    driver.tracker.unregisterMergeResult(1, 1, MERGER);
    await driver.journal.flush();
    await driver.restart();
    expect(driver.tracker.getShufflePushMergerLocations(1)).toEqual([MERGER]);
    const merges = driver.tracker.mergeResults(1);
    expect([...merges.keys()]).toEqual([0]);
    expect(merges.get(0)).toMatchObject({ location: MERGER, totalSize: 30, numMaps: 2 });
  });

  it("does not know a shuffle that was forgotten", async () => {
    await using driver = await RestartingDriver.start();
    driver.tracker.registerShuffle(1, 1);
    driver.tracker.registerMapOutput(1, 0, MapStatus.ofSizes(HERE, 7n, SIZES));
    await driver.journal.flush();
    driver.tracker.unregisterShuffle(1);
    await driver.journal.flush();
    await driver.restart();
    expect(driver.tracker.hasShuffle(1)).toBe(false);
    driver.tracker.registerShuffle(1, 1);
    expect(driver.tracker.numAvailableOutputs(1)).toBe(0);
  });

  it("has an epoch above all that executors can have seen", async () => {
    await using driver = await RestartingDriver.start();
    driver.tracker.registerShuffle(1, 1);
    const tracker = MapOutputTracker.at(driver.cluster.driver, null);
    for (let losses = 0; losses < 3; losses++) driver.tracker.removeOutputsOnHost("h1");
    tracker.updateEpoch(driver.tracker.epoch);
    await driver.restart();
    expect(driver.tracker.epoch).toBeGreaterThan(tracker.epoch);
    expect(Number.isSafeInteger(driver.tracker.epoch)).toBe(true);
  });
});
