import { type BlockId, rddBlockId, StorageLevel, testBlockId } from "@bm/block";
import { afterEach, describe, expect, it } from "vitest";
import { Cluster, type Executor } from "../cluster.ts";
import { RecordingOwner } from "../recording-owner.ts";

const clusters: Cluster[] = [];
const block = rddBlockId(3, 4);
const TASK = 2n ** 63n - 1n;

async function start(tracksVisibility = true): Promise<Cluster> {
  const cluster = await Cluster.start("over sockets", { tracksVisibility });
  clusters.push(cluster);
  return cluster;
}

afterEach(async () => {
  await Promise.all(clusters.splice(0).map((cluster) => cluster.close()));
});

function report({ id, master }: Executor, blockId: BlockId = block): Promise<boolean> {
  const storageLevel = StorageLevel.MEMORY_ONLY;
  return master.updateBlockInfo({
    blockManagerId: id,
    blockId,
    storageLevel,
    memSize: 1,
    diskSize: 0,
  });
}

function withdraw({ id, master }: Executor): Promise<boolean> {
  const storageLevel = StorageLevel.NONE;
  return master.updateBlockInfo({
    blockManagerId: id,
    blockId: block,
    storageLevel,
    memSize: 0,
    diskSize: 0,
  });
}

/** Orders given in passing have arrived when every endpoint has answered something later. */
async function ordersOf(cluster: Cluster, owner: RecordingOwner): Promise<string[]> {
  await cluster.master.getMatchingBlockIds({});
  return owner.orders.splice(0);
}

describe("a cached partition", () => {
  it("is hidden until the task that computed it has succeeded; then its holders are told", async () => {
    const cluster = await start();
    const owner = new RecordingOwner();
    const executor = await cluster.register({ executorId: "1", owner });
    await cluster.master.updateRddBlockTaskInfo(block, TASK);
    await report(executor);
    await expect(cluster.master.isRddBlockVisible(block)).resolves.toBe(false);
    await expect(ordersOf(cluster, owner)).resolves.toEqual([]);

    await cluster.master.updateRddBlockVisibility(TASK, true);
    await expect(cluster.master.isRddBlockVisible(block)).resolves.toBe(true);
    await expect(ordersOf(cluster, owner)).resolves.toEqual(["MarkRDDBlockAsVisible(rdd_3_4)"]);
  });

  it("stays hidden when its task has failed, until another task has computed it", async () => {
    const cluster = await start();
    const executor = await cluster.register({ executorId: "1" });
    await cluster.master.updateRddBlockTaskInfo(block, 1n);
    await report(executor);
    await cluster.master.updateRddBlockVisibility(1n, false);
    await expect(cluster.master.isRddBlockVisible(block)).resolves.toBe(false);
    // The task is forgotten: what is said of it later counts no more.
    await cluster.master.updateRddBlockVisibility(1n, true);
    await expect(cluster.master.isRddBlockVisible(block)).resolves.toBe(false);

    await cluster.master.updateRddBlockTaskInfo(block, 2n);
    await cluster.master.updateRddBlockVisibility(2n, true);
    await expect(cluster.master.isRddBlockVisible(block)).resolves.toBe(true);
  });

  it("may be read at once by whoever gets a copy of a visible one", async () => {
    const cluster = await start();
    const owner = new RecordingOwner();
    const first = await cluster.register({ executorId: "1" });
    const second = await cluster.register({ executorId: "2", port: 1002, owner });
    await cluster.master.updateRddBlockTaskInfo(block, TASK);
    await report(first);
    await cluster.master.updateRddBlockVisibility(TASK, true);
    await report(second);
    await expect(ordersOf(cluster, owner)).resolves.toEqual(["MarkRDDBlockAsVisible(rdd_3_4)"]);
  });

  it("is hidden again when it was lost and comes back", async () => {
    const cluster = await start();
    const executor = await cluster.register({ executorId: "1" });
    await cluster.master.updateRddBlockTaskInfo(block, TASK);
    await report(executor);
    await cluster.master.updateRddBlockVisibility(TASK, true);
    for (const lose of [() => withdraw(executor), () => cluster.master.removeRdd(3)]) {
      await lose();
      await expect(cluster.master.isRddBlockVisible(block)).resolves.toBe(false);
      await report(executor);
      await expect(cluster.master.isRddBlockVisible(block)).resolves.toBe(false);
    }
  });

  it("that nobody has is not visible, and what is no partition is never hidden", async () => {
    const cluster = await start();
    const executor = await cluster.register({ executorId: "1" });
    await expect(cluster.master.isRddBlockVisible(block)).resolves.toBe(false);
    await report(executor, testBlockId("x"));
    await expect(cluster.master.isRddBlockVisible(testBlockId("x"))).resolves.toBe(true);
  });

  it("is always visible where visibility is not tracked", async () => {
    const cluster = await start(false);
    const owner = new RecordingOwner();
    const executor = await cluster.register({ executorId: "1", owner });
    await expect(cluster.master.isRddBlockVisible(block)).resolves.toBe(true);
    await cluster.master.updateRddBlockTaskInfo(block, TASK);
    await report(executor);
    await cluster.master.updateRddBlockVisibility(TASK, true);
    await expect(ordersOf(cluster, owner)).resolves.toEqual([]);
  });
});
