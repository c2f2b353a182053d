/** One test for each message to the master, over a connection: fields, reply, effect, corner cases. */
import {
  type BlockId,
  BlockManagerId,
  broadcastBlockId,
  rddBlockId,
  StorageLevel,
  shuffleBlockId,
  shuffleDataBlockId,
  testBlockId,
} from "@bm/block";
import { HEARTBEAT_RECEIVER_ENDPOINT_NAME, Heartbeat } from "@bm/master";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Cluster, type Executor } from "../cluster.ts";
import { RecordingOwner } from "../recording-owner.ts";

const block = rddBlockId(3, 4);
const bare = BlockManagerId.of("1", "h1", 1001);

let cluster: Cluster;
let one: Executor;
let two: Executor;
let ownerOfOne: RecordingOwner;
let ownerOfTwo: RecordingOwner;

beforeEach(async () => {
  const topologyMapper = { topologyOf: (host: string) => (host === "h1" ? "/r1" : null) };
  cluster = await Cluster.start("over sockets", { topologyMapper, tracksVisibility: true });
  ownerOfOne = new RecordingOwner([block]);
  ownerOfTwo = new RecordingOwner();
  one = await cluster.register({ executorId: "1", owner: ownerOfOne });
  two = await cluster.register({ executorId: "2", host: "h2", owner: ownerOfTwo });
});

afterEach(async () => {
  await cluster.close();
});

function report(
  id: BlockManagerId,
  blockId: BlockId,
  storageLevel: StorageLevel,
): Promise<boolean> {
  const sizes = { memSize: 30, diskSize: 7 };
  return cluster.master.updateBlockInfo({ blockManagerId: id, blockId, storageLevel, ...sizes });
}

async function remaining(id: BlockManagerId): Promise<number | undefined> {
  const statuses = await cluster.master.getMemoryStatus();
  return statuses.find(({ blockManagerId }) => blockManagerId.equals(id))?.remainingMem;
}

const keys = (ids: readonly BlockManagerId[]): string[] => ids.map(({ key }) => key);
const MEMORY = StorageLevel.MEMORY_ONLY;

describe("the driver's message", () => {
  it("RegisterBlockManager", async () => {
    expect(one.id.topologyInfo).toBe("/r1");
    expect(two.id.topologyInfo).toBeNull();
    // The same again changes nothing and tells nobody.
    await report(one.id, block, MEMORY);
    const again = await cluster.register({ executorId: "1" });
    expect(again.id.equals(one.id)).toBe(true);
    await expect(cluster.master.contains(block)).resolves.toBe(true);
    expect(cluster.events.filter(({ type }) => type === "BlockManagerAdded")).toHaveLength(2);
  });

  it("UpdateBlockInfo", async () => {
    await expect(report(one.id, block, StorageLevel.MEMORY_AND_DISK)).resolves.toBe(true);
    await expect(remaining(one.id)).resolves.toBe(970);
    // Only replication 0 says that a block is gone, whatever else stands there.
    const gone = StorageLevel.MEMORY_AND_DISK.withReplication(0);
    await expect(report(one.id, block, gone)).resolves.toBe(true);
    await expect(remaining(one.id)).resolves.toBe(1000);
    await expect(cluster.master.contains(block)).resolves.toBe(false);
    // Under the id from before the registration nobody is known; the driver may stay unregistered.
    await expect(report(bare, block, MEMORY)).resolves.toBe(false);
    await expect(report(BlockManagerId.of("driver", "h", 1), block, MEMORY)).resolves.toBe(true);
    // Map output is no block of the master.
    await expect(report(one.id, shuffleDataBlockId(1, 2n, 0), MEMORY)).resolves.toBe(true);
    await expect(report(one.id, shuffleBlockId(1, 2n, 3), MEMORY)).resolves.toBe(false);
    await expect(cluster.master.contains(shuffleDataBlockId(1, 2n, 0))).resolves.toBe(false);
    expect(cluster.events.filter(({ type }) => type === "BlockUpdated")).toHaveLength(4);
  });

  it("ReportBlocks", async () => {
    const status = { storageLevel: MEMORY, memSize: 30, diskSize: 0 };
    const gone = { ...status, storageLevel: StorageLevel.NONE };
    const other = testBlockId("x");
    const blocks = [
      { blockId: block, status },
      { blockId: other, status },
      { blockId: other, status: gone },
    ];
    const whole = { blockManagerId: one.id, blocks, isLastOfAll: true };
    await expect(cluster.master.reportBlocks(whole)).resolves.toBe(true);
    await expect(remaining(one.id)).resolves.toBe(970);
    await expect(cluster.master.contains(other)).resolves.toBe(false);
    expect(cluster.events.filter(({ type }) => type === "BlockUpdated")).toHaveLength(3);
    // Only one that had to register again loses what it does not report.
    const nothing = { ...whole, blocks: [] };
    await expect(cluster.master.reportBlocks(nothing)).resolves.toBe(true);
    await expect(cluster.master.contains(block)).resolves.toBe(true);
    await expect(cluster.master.reportBlocks({ ...nothing, blockManagerId: bare })).resolves.toBe(
      false,
    );
  });

  it("GetLocations", async () => {
    await expect(cluster.master.getLocations(block)).resolves.toEqual([]);
    await report(two.id, block, MEMORY);
    await report(one.id, block, MEMORY);
    expect(keys(await cluster.master.getLocations(block))).toEqual(keys([two.id, one.id]));
  });

  it("GetLocationsAndStatus", async () => {
    await expect(cluster.master.getLocationsAndStatus(block, "h2")).resolves.toBeNull();
    await report(one.id, block, MEMORY);
    await report(two.id, block, StorageLevel.DISK_ONLY);
    const near = await cluster.master.getLocationsAndStatus(block, "h2");
    expect(keys(near?.locations ?? [])).toEqual(keys([one.id, two.id]));
    expect(near).toMatchObject({ status: { diskSize: 7 }, localDirs: ["/dirs/2"] });
    const far = await cluster.master.getLocationsAndStatus(block, "h3");
    expect(far).toMatchObject({ status: { memSize: 30 }, localDirs: null });
  });

  it("GetLocationsMultipleBlockIds", async () => {
    await report(one.id, block, MEMORY);
    const lists = await cluster.master.getLocationsMultipleBlockIds([
      testBlockId("x"),
      block,
      block,
    ]);
    expect(lists.map(keys)).toEqual([[], [one.id.key], [one.id.key]]);
    await expect(cluster.master.getLocationsMultipleBlockIds([])).resolves.toEqual([]);
  });

  it("GetPeers", async () => {
    await cluster.register({ executorId: "driver", host: "h0" });
    const three = await cluster.register({ executorId: "3", host: "h3" });
    expect(keys(await cluster.master.getPeers(one.id))).toEqual(keys([two.id, three.id]));
    await cluster.master.decommissionBlockManagers(["3"]);
    expect(keys(await cluster.master.getPeers(one.id))).toEqual([two.id.key]);
    await expect(cluster.master.getPeers(bare)).resolves.toEqual([]);
  });

  it("GetExecutorEndpointRef", async () => {
    const endpoint = await cluster.master.getExecutorEndpoint("1");
    expect(endpoint?.address).toEqual(one.env.address);
    await expect(cluster.master.getExecutorEndpoint("9")).resolves.toBeNull();
  });

  it("GetMemoryStatus", async () => {
    await report(one.id, block, MEMORY);
    const statuses = await cluster.master.getMemoryStatus();
    expect(statuses.map(({ maxMem, remainingMem }) => [maxMem, remainingMem])).toEqual([
      [1000, 970],
      [1000, 1000],
    ]);
  });

  it("GetStorageStatus", async () => {
    await report(one.id, block, StorageLevel.DISK_ONLY);
    const [first, second] = await cluster.master.getStorageStatus();
    expect(first?.blockManagerId.key).toBe(one.id.key);
    expect(first?.blocks).toMatchObject([{ blockId: block, status: { memSize: 0, diskSize: 7 } }]);
    expect(second).toMatchObject({ maxOnHeapMem: 1000, maxOffHeapMem: 0, blocks: [] });
  });

  it("GetSnapshot", async () => {
    await report(one.id, block, StorageLevel.MEMORY_AND_DISK);
    await report(two.id, block, MEMORY);
    await report(two.id, broadcastBlockId(1n), StorageLevel.DISK_ONLY);
    await report(two.id, testBlockId("huge"), MEMORY);
    await cluster.master.decommissionBlockManagers(["2"]);
    const snapshot = await cluster.master.getSnapshot();
    expect(snapshot.managers).toEqual([
      {
        id: expect.objectContaining({ executorId: "1", topologyInfo: "/r1" }),
        maxOnHeapMem: 1000,
        maxOffHeapMem: 0,
        remainingMem: 970,
        diskSize: 7,
        blocks: 1,
        silentMs: expect.any(Number),
        isDecommissioning: false,
        isRestored: false,
      },
      expect.objectContaining({
        remainingMem: 940,
        diskSize: 7,
        blocks: 3,
        isDecommissioning: true,
      }),
    ]);
    expect(snapshot).toMatchObject({
      rdds: [{ rddId: 3, totals: { blocks: 1, locations: 2, memSize: 60, diskSize: 7 } }],
      otherBlocks: { blocks: 2, locations: 2, memSize: 30, diskSize: 7 },
      hiddenPartitions: 1,
      epoch: 0,
      shuffles: [],
      journal: null,
    });
    await cluster.master.removeExecutor("1");
    await cluster.master.removeExecutor("2");
    const empty = await cluster.master.getSnapshot();
    const nothing = { blocks: 0, locations: 0, memSize: 0, diskSize: 0 };
    expect(empty).toMatchObject({ managers: [], rdds: [], otherBlocks: nothing });
  });

  it("GetBlockStatus", async () => {
    await report(two.id, block, MEMORY);
    const reported = await cluster.master.getBlockStatus(block, false);
    expect(keys(reported.map(({ blockManagerId }) => blockManagerId))).toEqual([two.id.key]);
    const now = await cluster.master.getBlockStatus(block, true);
    expect(keys(now.map(({ blockManagerId }) => blockManagerId))).toEqual([one.id.key]);
  });

  it("GetMatchingBlockIds", async () => {
    await report(two.id, testBlockId("x"), MEMORY);
    const names = async (asks: boolean): Promise<string[]> =>
      (await cluster.master.getMatchingBlockIds({}, asks)).map(({ name }) => name);
    await expect(names(false)).resolves.toEqual(["test_x"]);
    await expect(names(true)).resolves.toEqual(["rdd_3_4"]);
  });

  it("RemoveRdd", async () => {
    await report(one.id, block, MEMORY);
    await report(one.id, rddBlockId(33, 4), MEMORY);
    await expect(cluster.master.removeRdd(3)).resolves.toBe(2);
    // All are asked, holders or not; a like-named RDD stays.
    expect([ownerOfOne.orders, ownerOfTwo.orders]).toEqual([["RemoveRdd(3)"], ["RemoveRdd(3)"]]);
    await expect(cluster.master.contains(block)).resolves.toBe(false);
    await expect(remaining(one.id)).resolves.toBe(970);
  });

  it("RemoveShuffle", async () => {
    await expect(cluster.master.removeShuffle(5)).resolves.toBe(true);
    expect([ownerOfOne.orders, ownerOfTwo.orders]).toEqual([
      ["RemoveShuffle(5)"],
      ["RemoveShuffle(5)"],
    ]);
  });

  it("RemoveBroadcast", async () => {
    const ownerOfDriver = new RecordingOwner();
    await cluster.register({ executorId: "driver", host: "h0", owner: ownerOfDriver });
    const piece = broadcastBlockId(2n ** 62n, "piece0");
    await report(one.id, piece, MEMORY);
    await expect(cluster.master.removeBroadcast(2n ** 62n, false)).resolves.toBe(2);
    expect(ownerOfDriver.orders).toEqual([]);
    await expect(cluster.master.removeBroadcast(2n ** 62n, true)).resolves.toBe(3);
    expect(ownerOfDriver.orders).toEqual([`RemoveBroadcast(${2n ** 62n})`]);
    // Until its holder reports otherwise, the piece is known.
    await expect(cluster.master.contains(piece)).resolves.toBe(true);
  });

  it("RemoveBlock", async () => {
    await report(one.id, block, MEMORY);
    await cluster.master.removeBlock(block);
    await cluster.master.removeBlock(testBlockId("nowhere"));
    await cluster.master.getMatchingBlockIds({});
    expect([ownerOfOne.orders, ownerOfTwo.orders]).toEqual([["RemoveBlock(rdd_3_4)"], []]);
    await expect(cluster.master.contains(block)).resolves.toBe(true);
  });

  it("RemoveExecutor", async () => {
    await report(one.id, block, MEMORY);
    await cluster.master.removeExecutor("9");
    await cluster.master.removeExecutor("1");
    await expect(cluster.master.contains(block)).resolves.toBe(false);
    await expect(report(one.id, block, MEMORY)).resolves.toBe(false);
    expect(cluster.events.at(-1)).toMatchObject({ type: "BlockManagerRemoved" });
  });

  it("DecommissionBlockManagers", async () => {
    await report(two.id, block, MEMORY);
    await cluster.master.decommissionBlockManagers(["2", "unknown"]);
    await expect(cluster.master.getPeers(one.id)).resolves.toEqual([]);
    await expect(cluster.master.contains(block)).resolves.toBe(true);
    // Whoever registers anew may be replicated to.
    await cluster.master.removeExecutor("2");
    await cluster.register({ executorId: "2", host: "h2" });
    await expect(cluster.master.getPeers(one.id)).resolves.toHaveLength(1);
  });

  it("GetReplicateInfoForRDDBlocks", async () => {
    for (const { id } of [one, two]) await report(id, block, MEMORY);
    await report(one.id, testBlockId("x"), MEMORY);
    const orders = await cluster.master.getReplicateInfoForRddBlocks(one.id);
    expect(orders.map(({ blockId, maxReplicas }) => [blockId.name, maxReplicas])).toEqual([
      ["rdd_3_4", 3],
    ]);
    expect(keys(orders[0]?.replicas ?? [])).toEqual([two.id.key]);
    await expect(cluster.master.getReplicateInfoForRddBlocks(bare)).resolves.toEqual([]);
  });

  it("IsExecutorAlive", async () => {
    await expect(cluster.master.isExecutorAlive("1")).resolves.toBe(true);
    await expect(cluster.master.isExecutorAlive("9")).resolves.toBe(false);
  });

  it("HasCachedBlocks", async () => {
    await report(one.id, broadcastBlockId(1n), MEMORY);
    await expect(cluster.master.hasCachedBlocks("1")).resolves.toBe(false);
    await report(one.id, block, MEMORY);
    await expect(cluster.master.hasCachedBlocks("1")).resolves.toBe(true);
    await expect(cluster.master.hasCachedBlocks("9")).resolves.toBe(false);
  });

  it("BlockManagerHeartbeat", async () => {
    await expect(cluster.master.heartbeat(one.id)).resolves.toBe(true);
    await expect(cluster.master.heartbeat(bare)).resolves.toBe(false);
    await expect(cluster.master.heartbeat(BlockManagerId.of("driver", "h", 1))).resolves.toBe(true);
  });

  it("Heartbeat", async () => {
    const address = cluster.driver.address;
    const receiver = one.env.endpointRef(address, HEARTBEAT_RECEIVER_ENDPOINT_NAME);
    for (const [blockManagerId, reregisterBlockManager] of [
      [one.id, false],
      [bare, true],
    ] as const) {
      const answer = await receiver.ask(Heartbeat, { executorId: "1", blockManagerId });
      expect(answer).toEqual({ reregisterBlockManager });
    }
  });

  it("StopBlockManagerMaster", async () => {
    await cluster.master.stop();
    const gone = { code: "ENDPOINT_NOT_FOUND" };
    await expect(cluster.master.isExecutorAlive("1")).rejects.toMatchObject(gone);
    await expect(cluster.master.heartbeat(one.id)).rejects.toMatchObject(gone);
  });
});
