import {
  rddBlockId,
  StorageLevel,
  shuffleDataBlockId,
  shuffleIndexBlockId,
  testBlockId,
} from "@bm/block";
import {
  type BlockManagerMasterEndpointOptions,
  MapOutputTrackerMaster,
  MapStatus,
} from "@bm/master";
import { afterEach, describe, expect, it } from "vitest";
import { Cluster } from "../cluster.ts";
import { RecordingOwner } from "../recording-owner.ts";

const clusters: Cluster[] = [];
const QUICK = { conf: { "spark.rpc.askTimeout": "60ms" } };

async function start(
  options: BlockManagerMasterEndpointOptions = {},
  envOptions = {},
): Promise<Cluster> {
  const cluster = await Cluster.start("over sockets", options, envOptions);
  clusters.push(cluster);
  return cluster;
}

afterEach(async () => {
  await Promise.all(clusters.splice(0).map((cluster) => cluster.close()));
});

/** Takes orders and is never done. */
class StuckOwner extends RecordingOwner {
  override removeRdd(): Promise<number> {
    return new Promise(() => {});
  }
}

/** Fails every order. */
class BrokenOwner extends RecordingOwner {
  override removeRdd(): Promise<number> {
    return Promise.reject(new Error("disk on fire"));
  }
}

describe("an order to all block managers", () => {
  it("counts those that are gone as having done nothing", async () => {
    const cluster = await start();
    await cluster.register({ executorId: "1" });
    const gone = await cluster.register({ executorId: "2", port: 1002 });
    gone.env.abort(new Error("crash"));
    await expect(cluster.master.removeRdd(7)).resolves.toBe(1);
    await expect(cluster.master.removeBroadcast(7n)).resolves.toBe(1);
    await expect(cluster.master.removeShuffle(7)).resolves.toBe(false);
  });

  it("fails when one fails, after all have been asked", async () => {
    const cluster = await start();
    const sound = new RecordingOwner();
    await cluster.register({ executorId: "1", owner: new BrokenOwner() });
    await cluster.register({ executorId: "2", port: 1002, owner: sound });
    await expect(cluster.master.removeRdd(7)).rejects.toThrow("disk on fire");
    expect(sound.orders).toEqual(["RemoveRdd(7)"]);
  });

  it("fails when one that is alive does not answer in time", async () => {
    const cluster = await start({ isExecutorAlive: () => true }, QUICK);
    await cluster.register({ executorId: "1", owner: new StuckOwner() });
    await expect(cluster.master.removeRdd(7)).rejects.toMatchObject({ remoteCode: "TIMEOUT" });
  });

  it("does not wait for one that is dead for the scheduler", async () => {
    const cluster = await start({ isExecutorAlive: (executorId) => executorId !== "1" }, QUICK);
    await cluster.register({ executorId: "1", owner: new StuckOwner() });
    await cluster.register({ executorId: "2", port: 1002 });
    await expect(cluster.master.removeRdd(7)).resolves.toBe(1);
  });

  it("does not hold up the master's other messages", async () => {
    const cluster = await start();
    const executor = await cluster.register({ executorId: "1", owner: new StuckOwner() });
    const order = cluster.master.removeRdd(7).catch((error: unknown) => error);
    await expect(cluster.master.isExecutorAlive("1")).resolves.toBe(true);
    await expect(cluster.master.heartbeat(executor.id)).resolves.toBe(true);
    executor.env.abort(new Error("over"));
    await expect(order).resolves.toBe(0);
  });
});

describe("the removal of a shuffle", () => {
  it("reaches the tracker of each executor before the files go", async () => {
    const cluster = await start();
    const done: string[] = [];
    class Owner extends RecordingOwner {
      override removeShuffle(shuffleId: number): Promise<boolean> {
        done.push(`files of ${shuffleId}`);
        return Promise.resolve(true);
      }
    }
    const unregisterShuffle = (shuffleId: number): void => void done.push(`places of ${shuffleId}`);
    await cluster.register({
      executorId: "1",
      owner: new Owner(),
      mapOutputTracker: { unregisterShuffle },
    });
    await expect(cluster.master.removeShuffle(6)).resolves.toBe(true);
    expect(done).toEqual(["places of 6", "files of 6"]);
  });
});

describe("asking block managers what they have", () => {
  const block = rddBlockId(3, 4);

  it("gives what is there now, not what was reported", async () => {
    const cluster = await start();
    const { id } = await cluster.register({ executorId: "1", owner: new RecordingOwner([block]) });
    await cluster.register({ executorId: "2", port: 1002 });
    const now = await cluster.master.getBlockStatus(block);
    expect(now.map(({ blockManagerId, status }) => [blockManagerId.key, status])).toEqual([
      [id.key, { storageLevel: StorageLevel.DISK_ONLY, memSize: 0, diskSize: 77 }],
    ]);
    await expect(cluster.master.getBlockStatus(block, false)).resolves.toEqual([]);
  });

  it("finds blocks by kind and name", async () => {
    const cluster = await start();
    const held = [block, rddBlockId(33, 0), testBlockId("x")];
    await cluster.register({ executorId: "1", owner: new RecordingOwner(held) });
    await cluster.register({ executorId: "2", port: 1002, owner: new RecordingOwner([block]) });
    const names = async (filter: Parameters<typeof cluster.master.getMatchingBlockIds>[0]) =>
      (await cluster.master.getMatchingBlockIds(filter)).map(({ name }) => name);
    expect(await names({})).toEqual(["rdd_3_4", "rdd_33_0", "test_x", "rdd_3_4"]);
    expect(await names({ kinds: ["test"] })).toEqual(["test_x"]);
    expect(await names({ kinds: ["rdd"], namePrefix: "rdd_3_" })).toEqual(["rdd_3_4", "rdd_3_4"]);
    await expect(cluster.master.getMatchingBlockIds({}, false)).resolves.toEqual([]);
  });

  it("tells where an executor takes orders", async () => {
    const cluster = await start();
    const { env } = await cluster.register({ executorId: "1" });
    const endpoint = await cluster.master.getExecutorEndpoint("1");
    expect(endpoint?.address).toEqual(env.address);
    await expect(cluster.master.getExecutorEndpoint("2")).resolves.toBeNull();
  });
});

describe("a lost executor", () => {
  const block = rddBlockId(3, 4);

  it("is made up for by the survivors, if that is wanted", async () => {
    for (const replicatesLost of [true, false]) {
      const cluster = await start({ replicatesLost });
      const survivor = new RecordingOwner();
      const lost = await cluster.register({ executorId: "1" });
      const kept = await cluster.register({ executorId: "2", port: 1002, owner: survivor });
      for (const { id } of [lost, kept]) {
        await cluster.master.updateBlockInfo({
          blockManagerId: id,
          blockId: block,
          storageLevel: StorageLevel.MEMORY_ONLY_2,
          memSize: 1,
          diskSize: 0,
        });
      }
      await cluster.master.removeExecutor("1");
      // An answer from the same endpoint comes after the order.
      await cluster.master.getMatchingBlockIds({});
      expect(survivor.orders).toEqual(replicatesLost ? ["ReplicateBlock(rdd_3_4,[],2)"] : []);
    }
  });
});

describe("an executor that comes back at another place", () => {
  const block = rddBlockId(3, 4);

  it("is made up for as a lost one", async () => {
    const cluster = await start();
    const survivor = new RecordingOwner();
    const former = await cluster.register({ executorId: "1" });
    const kept = await cluster.register({ executorId: "2", port: 1002, owner: survivor });
    for (const { id } of [former, kept]) {
      await cluster.master.updateBlockInfo({
        blockManagerId: id,
        blockId: block,
        storageLevel: StorageLevel.MEMORY_ONLY_2,
        memSize: 1,
        diskSize: 0,
      });
    }
    await cluster.register({ executorId: "1", port: 1003 });
    await cluster.master.getMatchingBlockIds({});
    expect(survivor.orders).toEqual(["ReplicateBlock(rdd_3_4,[],2)"]);
  });
});

describe("shuffle files on the move", () => {
  it("are followed by the map output tracker", async () => {
    const mapOutputTracker = new MapOutputTrackerMaster();
    const cluster = await start({ mapOutputTracker });
    const from = await cluster.register({ executorId: "1" });
    const to = await cluster.register({ executorId: "2", port: 1002 });
    mapOutputTracker.registerShuffle(6, 1);
    mapOutputTracker.registerMapOutput(6, 0, MapStatus.ofSizes(from.id, 60n, [9]));
    const report = { storageLevel: StorageLevel.DISK_ONLY, memSize: 0, diskSize: 9 };
    for (const blockId of [shuffleDataBlockId(6, 60n, 0), shuffleIndexBlockId(6, 60n, 0)]) {
      const update = { blockManagerId: to.id, blockId, ...report };
      await expect(cluster.master.updateBlockInfo(update)).resolves.toBe(true);
    }
    const [blocks] = await mapOutputTracker.getMapSizesByExecutorId(6, 0, 1);
    expect(blocks?.location.key).toBe(to.id.key);
  });
});
