import { type BlockId, rddBlockId, StorageLevel, testBlockId } from "@bm/block";
import { describe, expect, it } from "vitest";
import type { Executor } from "../cluster.ts";
import { RestartingDriver } from "./restarting-driver.ts";

const BLOCK = rddBlockId(1, 0);
const OTHER = rddBlockId(1, 1);
const LEVEL = StorageLevel.MEMORY_AND_DISK_2;
const STATUS = { storageLevel: LEVEL, memSize: 10, diskSize: 2 ** 40 };
const GONE = { storageLevel: StorageLevel.NONE, memSize: 0, diskSize: 0 };

function report({ id, master }: Executor, blockId: BlockId, status = STATUS): Promise<boolean> {
  return master.updateBlockInfo({ blockManagerId: id, blockId, ...status });
}

function again(driver: RestartingDriver, executorId: string, port = 1001): Promise<Executor> {
  return driver.cluster.register({ executorId, port, isReRegister: true });
}

async function namesAt(driver: RestartingDriver, id: BlockId): Promise<string[]> {
  return (await driver.cluster.master.getLocations(id)).map(({ executorId }) => executorId);
}

describe("a driver that was killed", () => {
  it("knows block managers and blocks as before", async () => {
    await using driver = await RestartingDriver.start({
      topologyMapper: { topologyOf: (host) => `/rack/${host}` },
    });
    const executors = [
      await driver.cluster.register({ executorId: "a/1 ü", host: "h2", maxOffHeapMemSize: 5 }),
      await driver.cluster.register({ executorId: "2", port: 1002, localDirs: ["/x", "/y"] }),
    ];
    for (const executor of executors) await report(executor, BLOCK);
    await report(executors[0] as Executor, testBlockId("t"));
    await driver.cluster.master.decommissionBlockManagers(["2"]);
    const looks = async (): Promise<unknown[]> => {
      const { master } = driver.cluster;
      return [
        (await master.getStorageStatus()).toSorted((a, b) =>
          a.blockManagerId.executorId < b.blockManagerId.executorId ? -1 : 1,
        ),
        (await master.getMemoryStatus())
          .map(({ remainingMem }) => remainingMem)
          .toSorted((a, b) => a - b),
        (await namesAt(driver, BLOCK)).toSorted(),
        (await master.getLocationsAndStatus(BLOCK, "h1"))?.localDirs?.length,
        await master.getPeers((executors[0] as Executor).id),
        await master.getExecutorEndpoint("2"),
      ];
    };
    const before = await looks();
    await driver.journal.flush();
    await driver.restart();
    expect(JSON.stringify(await looks())).toEqual(JSON.stringify(before));
    expect(driver.cluster.events.map(({ type }) => type)).toEqual([
      "BlockManagerAdded",
      "BlockManagerAdded",
    ]);
    expect(driver.errors).toEqual([]);
  });

  it("has them register again, and forgets what they do not report then", async () => {
    await using driver = await RestartingDriver.start();
    const former = await driver.cluster.register({ executorId: "1" });
    await report(former, BLOCK);
    await report(former, OTHER);
    await driver.journal.flush();
    await driver.restart();
    const { master } = driver.cluster;
    await expect(master.heartbeat(former.id)).resolves.toBe(false);
    await expect(
      master.updateBlockInfo({ ...STATUS, blockManagerId: former.id, blockId: BLOCK }),
    ).resolves.toBe(false);

    const { id } = await again(driver, "1");
    await expect(master.heartbeat(id)).resolves.toBe(true);
    await expect(namesAt(driver, OTHER)).resolves.toEqual(["1"]);
    const blocks = [{ blockId: BLOCK, status: STATUS }];
    await master.reportBlocks({ blockManagerId: id, blocks, isLastOfAll: false });
    await expect(namesAt(driver, OTHER)).resolves.toEqual(["1"]);
    await master.reportBlocks({ blockManagerId: id, blocks: [], isLastOfAll: true });
    await expect(namesAt(driver, OTHER)).resolves.toEqual([]);
    await expect(namesAt(driver, BLOCK)).resolves.toEqual(["1"]);
    const [memory] = await master.getMemoryStatus();
    expect(memory?.remainingMem).toBe(990);
  });

  it("learns by their reports what never reached the disk", async () => {
    await using driver = await RestartingDriver.start();
    const former = await driver.cluster.register({ executorId: "1" });
    await driver.journal.flush();
    await report(former, BLOCK);
    await driver.restart();
    await expect(namesAt(driver, BLOCK)).resolves.toEqual([]);
    const { id, master } = await again(driver, "1");
    const blocks = [{ blockId: BLOCK, status: STATUS }];
    await master.reportBlocks({ blockManagerId: id, blocks, isLastOfAll: true });
    await expect(namesAt(driver, BLOCK)).resolves.toEqual(["1"]);
  });

  it("forgets what an executor had that begins anew under the same name", async () => {
    await using driver = await RestartingDriver.start();
    await report(await driver.cluster.register({ executorId: "1" }), BLOCK);
    await driver.journal.flush();
    await driver.restart();
    const { id, master } = await driver.cluster.register({ executorId: "1" });
    await expect(namesAt(driver, BLOCK)).resolves.toEqual([]);
    await expect(master.heartbeat(id)).resolves.toBe(true);
  });

  it("forgets those that its scheduler takes for dead", async () => {
    await using driver = await RestartingDriver.start({ isExecutorAlive: () => false });
    await report(await driver.cluster.register({ executorId: "1" }), BLOCK);
    await driver.journal.flush();
    await driver.restart();
    await expect(again(driver, "1")).rejects.toMatchObject({ code: "REGISTRATION_REFUSED" });
    await expect(namesAt(driver, BLOCK)).resolves.toEqual([]);
  });

  it("forgets its own block manager, which ended with it", async () => {
    await using driver = await RestartingDriver.start();
    await report(await driver.cluster.register({ executorId: "driver" }), BLOCK);
    for (let starts = 0; starts < 2; starts++) {
      await driver.journal.flush();
      await driver.restart();
      await expect(driver.cluster.master.getStorageStatus()).resolves.toEqual([]);
      await expect(namesAt(driver, BLOCK)).resolves.toEqual([]);
    }
  });

  it("does not bring back what was removed", async () => {
    await using driver = await RestartingDriver.start();
    const [first, second] = [
      await driver.cluster.register({ executorId: "1" }),
      await driver.cluster.register({ executorId: "2", port: 1002 }),
    ];
    for (const executor of [first, second]) await report(executor, BLOCK);
    await report(second, testBlockId("t"));
    await report(second, testBlockId("t"), GONE);
    await driver.journal.flush();
    await driver.cluster.master.removeExecutor("1");
    await driver.journal.flush();
    await driver.restart();
    await expect(namesAt(driver, BLOCK)).resolves.toEqual(["2"]);
    await expect(namesAt(driver, testBlockId("t"))).resolves.toEqual([]);
    await driver.cluster.master.removeRdd(1).catch(() => {});
    await driver.journal.flush();
    await driver.restart();
    await expect(namesAt(driver, BLOCK)).resolves.toEqual([]);
  });

  it("hides partitions until their task has succeeded, as before", async () => {
    await using driver = await RestartingDriver.start({ tracksVisibility: true });
    const former = await driver.cluster.register({ executorId: "1" });
    await former.master.updateRddBlockTaskInfo(BLOCK, 7n);
    await former.master.updateRddBlockTaskInfo(OTHER, 8n);
    await report(former, BLOCK);
    await report(former, OTHER);
    await former.master.updateRddBlockVisibility(8n, true);
    await driver.journal.flush();
    await driver.restart();
    const { master } = driver.cluster;
    await expect(master.isRddBlockVisible(BLOCK)).resolves.toBe(false);
    await expect(master.isRddBlockVisible(OTHER)).resolves.toBe(true);
    await master.updateRddBlockVisibility(7n, true);
    await expect(master.isRddBlockVisible(BLOCK)).resolves.toBe(true);
    await driver.journal.flush();
    await driver.restart();
    await expect(driver.cluster.master.isRddBlockVisible(BLOCK)).resolves.toBe(true);
  });

  it("removes executors that do not come back", async () => {
    await using driver = await RestartingDriver.start({
      heartbeat: { timeoutMs: 20, checkIntervalMs: 10 },
    });
    await report(await driver.cluster.register({ executorId: "1" }), BLOCK);
    await driver.journal.flush();
    await driver.restart();
    while (await driver.cluster.master.isExecutorAlive("1")) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await expect(namesAt(driver, BLOCK)).resolves.toEqual([]);
  });
});
