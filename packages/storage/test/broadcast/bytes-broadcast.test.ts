import { BlockManagerId, broadcastBlockId } from "@bm/block";
import { BlockManagerMaster, MapOutputTracker, MapStatus } from "@bm/master";
import { describe, expect, it } from "vitest";
import { type BlockManager, BytesBroadcast } from "../../src/index.ts";
import { Cluster } from "../block-manager/cluster.ts";

const PIECE_BYTES = 1000;
const BYTES = Uint8Array.from({ length: 4321 }, (_, index) => index * 7);

function broadcastOf(cluster: Cluster, blocks: BlockManager): BytesBroadcast {
  return new BytesBroadcast({ blocks, master: cluster.master, pieceBytes: PIECE_BYTES });
}

/** Places of every piece, as executors. */
async function holders(cluster: Cluster, handle: Uint8Array): Promise<string[][]> {
  const id = Buffer.from(handle).readBigInt64BE();
  const pieces = [0, 1, 2, 3, 4].map((index) => broadcastBlockId(id, `piece${index}`));
  const lists = await cluster.master.getLocationsMultipleBlockIds(pieces);
  return lists.map((list) => list.map(({ executorId }) => executorId).toSorted());
}

describe("bytes that are broadcast", () => {
  it("are read by every executor, which then serves them to the others", async () => {
    await using cluster = await Cluster.start();
    const driver = broadcastOf(cluster, await cluster.addExecutor("driver"));
    const one = broadcastOf(cluster, await cluster.addExecutor("1"));
    const two = broadcastOf(cluster, await cluster.addExecutor("2"));
    const handle = await driver.write(BYTES);
    expect(handle.length).toBeLessThan(100);
    expect(Uint8Array.from(await one.read(handle))).toEqual(BYTES);
    expect(await holders(cluster, handle)).toEqual(
      Array.from({ length: 5 }, () => ["1", "driver"]),
    );
    await cluster.master
      .removeBroadcast(Buffer.from(handle).readBigInt64BE(), false)
      .catch(() => {});
    expect(Uint8Array.from(await two.read(handle))).toEqual(BYTES);
    expect(Uint8Array.from(await two.read(handle))).toEqual(BYTES);
  });

  it("are gone everywhere once they are destroyed", async () => {
    await using cluster = await Cluster.start();
    const driver = broadcastOf(cluster, await cluster.addExecutor("driver"));
    const one = broadcastOf(cluster, await cluster.addExecutor("1"));
    const handle = await driver.write(BYTES);
    await one.read(handle);
    driver.destroy(handle);
    while ((await holders(cluster, handle)).flat().length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await expect(one.read(handle)).rejects.toMatchObject({ code: "BLOCK_NOT_FOUND" });
  });

  it("are refused when there is no room, or what came is not what was sent", async () => {
    await using cluster = await Cluster.start();
    const driver = broadcastOf(cluster, await cluster.addExecutor("driver"));
    const one = broadcastOf(cluster, await cluster.addExecutor("1"));
    const handle = Buffer.from(await driver.write(BYTES));
    handle.writeUInt32BE(1, handle.length - 4);
    await expect(one.read(handle)).rejects.toMatchObject({ code: "BLOCK_DAMAGED" });
    for (const wrong of [handle.subarray(0, 10), handle.subarray(0, handle.length - 4)]) {
      await expect(one.read(wrong)).rejects.toMatchObject({ code: "BLOCK_DAMAGED" });
    }
  });

  it("carry the statuses of a large shuffle, and are made anew when these change", async () => {
    await using cluster = await Cluster.start();
    const { tracker } = cluster;
    tracker.useBroadcast(broadcastOf(cluster, await cluster.addExecutor("driver")));
    const executor = MapOutputTracker.at(cluster.driverEnv, null);
    executor.useBroadcast(broadcastOf(cluster, await cluster.addExecutor("1")));
    const location = BlockManagerId.of("1", "h1", 1001);
    // Sizes that do not compress: far above the 512 KiB from which statuses are broadcast.
    const numMaps = 600;
    tracker.registerShuffle(1, numMaps);
    let state = 1;
    for (let mapIndex = 0; mapIndex < numMaps; mapIndex++) {
      const sizes = Array.from({ length: 1500 }, () => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        return 2 ** (state >>> 27) + (state % 1000);
      });
      tracker.registerMapOutput(1, mapIndex, MapStatus.ofSizes(location, BigInt(mapIndex), sizes));
    }
    const answer = await tracker.serializedStatuses(1);
    expect([answer[0], answer.length < 10_000]).toEqual([1, true]);
    const here = await tracker.getMapSizesByExecutorId(1, 5, 6);
    expect(await executor.getMapSizesByExecutorId(1, 5, 6)).toEqual(here);

    tracker.unregisterMapOutput(1, 3, location);
    tracker.registerMapOutput(1, 3, MapStatus.ofSizes(location, 5000n, [0, 0, 0, 0, 0, 12]));
    const master = BlockManagerMaster.at(cluster.driverEnv, null);
    const former = Buffer.from(answer).readBigInt64BE(1);
    while ((await master.getLocations(broadcastBlockId(former, "piece0"))).length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    executor.updateEpoch(tracker.epoch);
    const blocks = (await executor.getMapSizesByExecutorId(1, 5, 6)).flatMap((at) => at.blocks);
    expect(blocks.find(({ mapIndex }) => mapIndex === 3)?.blockId.mapId).toBe(5000n);
  });
});
