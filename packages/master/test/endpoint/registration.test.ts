import { BlockManagerId, rddBlockId, StorageLevel } from "@bm/block";
import { BlockManagerMaster, type BlockManagerMasterEndpointOptions } from "@bm/master";
import { RpcEnv } from "@bm/rpc";
import { afterEach, describe, expect, it } from "vitest";
import { Cluster, type Executor } from "../cluster.ts";

const clusters: Cluster[] = [];

async function start(options: BlockManagerMasterEndpointOptions = {}): Promise<Cluster> {
  const cluster = await Cluster.start("in process", options);
  clusters.push(cluster);
  return cluster;
}

afterEach(async () => {
  await Promise.all(clusters.splice(0).map((cluster) => cluster.close()));
});

function reportBlock({ id, master }: Executor): Promise<boolean> {
  return master.updateBlockInfo({
    blockManagerId: id,
    blockId: rddBlockId(1, 0),
    storageLevel: StorageLevel.MEMORY_ONLY,
    memSize: 10,
    diskSize: 0,
  });
}

describe("registration", () => {
  it("of the same executor at another place replaces the former with its blocks", async () => {
    const cluster = await start();
    const former = await cluster.register({ executorId: "1", port: 1001 });
    await reportBlock(former);
    const latter = await cluster.register({ executorId: "1", port: 1002 });
    await expect(reportBlock(former)).resolves.toBe(false);
    await expect(former.master.getLocations(rddBlockId(1, 0))).resolves.toEqual([]);
    expect(cluster.events.map(({ type }) => type)).toEqual([
      "BlockManagerAdded",
      "BlockUpdated",
      "BlockManagerRemoved",
      "BlockManagerAdded",
    ]);
    await expect(latter.master.heartbeat(latter.id)).resolves.toBe(true);
  });

  it("again of a dead executor is refused, and changes nothing", async () => {
    const cluster = await start({ isExecutorAlive: () => false });
    const executor = await cluster.register({ executorId: "1", localDirs: ["/first"] });
    await cluster.master.removeExecutor("1");
    const again = cluster.register({ executorId: "1", localDirs: ["/late"], isReRegister: true });
    await expect(again).rejects.toMatchObject({ code: "REGISTRATION_REFUSED" });
    await expect(cluster.master.isExecutorAlive("1")).resolves.toBe(false);
    await expect(reportBlock(executor)).resolves.toBe(false);
  });

  it("again waits for the scheduler without holding up others", async () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const cluster = await start({ isExecutorAlive: () => promise });
    const pending = cluster.register({ executorId: "1", isReRegister: true });
    await expect(cluster.register({ executorId: "2", port: 1002 })).resolves.toBeDefined();
    await expect(cluster.master.isExecutorAlive("1")).resolves.toBe(false);
    resolve(true);
    await pending;
    await expect(cluster.master.isExecutorAlive("1")).resolves.toBe(true);
  });

  it("is judged by what is known when the scheduler has answered", async () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const cluster = await start({ isExecutorAlive: () => promise });
    const late = cluster.register({ executorId: "1", isReRegister: true });
    await cluster.register({ executorId: "1" });
    resolve(false);
    await expect(late).rejects.toMatchObject({ code: "REGISTRATION_CONFLICT" });
    await expect(cluster.master.isExecutorAlive("1")).resolves.toBe(true);
  });

  it("keeps the directories of executors that are gone, up to a number", async () => {
    const cluster = await start({ localDirsEntriesMax: 1 });
    await cluster.register({ executorId: "1", localDirs: ["/one"] });
    await cluster.register({ executorId: "2", port: 1002, localDirs: ["/two"] });
    const block = rddBlockId(1, 0);
    const report = {
      blockId: block,
      storageLevel: StorageLevel.DISK_ONLY,
      memSize: 0,
      diskSize: 1,
    };
    const [first, second] = [
      BlockManagerId.of("1", "h1", 1001),
      BlockManagerId.of("2", "h1", 1002),
    ];
    await cluster.master.updateBlockInfo({ ...report, blockManagerId: first });
    const forgotten = await cluster.master.getLocationsAndStatus(block, "h1");
    expect(forgotten?.localDirs).toBeNull();
    await cluster.master.updateBlockInfo({ ...report, blockManagerId: second });
    await cluster.master.removeExecutor("1");
    const kept = await cluster.master.getLocationsAndStatus(block, "h1");
    expect(kept?.localDirs).toEqual(["/two"]);
  });

  it("of an endpoint that nobody can reach is refused before it is sent", async () => {
    const driver = await Cluster.start("over sockets");
    clusters.push(driver);
    await using env = await RpcEnv.create({ name: "unreachable", isClientOnly: true });
    const master = BlockManagerMaster.at(env, driver.driver.address);
    const registered = master.registerBlockManager({
      blockManagerId: BlockManagerId.of("1", "h1", 1001),
      localDirs: [],
      maxOnHeapMemSize: 1,
      maxOffHeapMemSize: 0,
      slaveEndpoint: { address: null, name: "BlockManagerEndpoint1" },
      isReRegister: false,
    });
    await expect(registered).rejects.toMatchObject({ code: "ADDRESS_MISSING" });
  });
});

describe("a listener that throws", () => {
  it("does not disturb the master", async () => {
    const cluster = await start({
      listener: () => {
        throw new Error("deaf");
      },
    });
    const executor = await cluster.register({ executorId: "1" });
    await expect(reportBlock(executor)).resolves.toBe(true);
  });
});
