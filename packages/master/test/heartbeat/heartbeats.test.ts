import { rddBlockId, StorageLevel } from "@bm/block";
import { HEARTBEAT_RECEIVER_ENDPOINT_NAME, Heartbeat } from "@bm/master";
import { nodePlatform } from "@bm/transport";
import { ManualClock } from "@bm/transport/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Cluster, type Executor } from "../cluster.ts";

let clock: ManualClock;
let cluster: Cluster;
let executor: Executor;

beforeEach(async () => {
  clock = new ManualClock();
  const heartbeat = { timeoutMs: 1000, checkIntervalMs: 100 };
  const platform = { ...nodePlatform(), clock };
  cluster = await Cluster.start("in process", { heartbeat }, { platform });
  executor = await cluster.register({ executorId: "1" });
});

afterEach(async () => {
  await cluster.close();
});

function alive(): Promise<boolean> {
  return cluster.master.isExecutorAlive("1");
}

describe("an executor", () => {
  it("that is silent for too long is removed, and the listener is told why", async () => {
    clock.advance(1000);
    await expect(alive()).resolves.toBe(true);
    clock.advance(100);
    await expect(alive()).resolves.toBe(false);
    expect(cluster.events.slice(1)).toMatchObject([
      { type: "ExecutorExpired", executorId: "1", silentMs: 1100 },
      { type: "BlockManagerRemoved", blockManagerId: executor.id },
    ]);
    await expect(cluster.master.heartbeat(executor.id)).resolves.toBe(false);
  });

  it("that gives signs of life stays", async () => {
    for (let beat = 0; beat < 5; beat++) {
      clock.advance(900);
      await expect(cluster.master.heartbeat(executor.id)).resolves.toBe(true);
    }
    await expect(alive()).resolves.toBe(true);
  });

  it("that reports blocks stays", async () => {
    for (let report = 0; report < 5; report++) {
      clock.advance(900);
      await cluster.master.updateBlockInfo({
        blockManagerId: executor.id,
        blockId: rddBlockId(1, report),
        storageLevel: StorageLevel.MEMORY_ONLY,
        memSize: 1,
        diskSize: 0,
      });
    }
    await expect(alive()).resolves.toBe(true);
  });

  it("that was removed may register again", async () => {
    clock.advance(5000);
    await expect(alive()).resolves.toBe(false);
    await cluster.register({ executorId: "1", isReRegister: true });
    await expect(alive()).resolves.toBe(true);
    clock.advance(900);
    await expect(alive()).resolves.toBe(true);
  });

  it("that is the driver is never removed", async () => {
    const driver = await cluster.register({ executorId: "driver", port: 1000 });
    clock.advance(60_000);
    await expect(cluster.master.heartbeat(driver.id)).resolves.toBe(true);
    const [status] = await cluster.master.getMemoryStatus();
    expect(status?.blockManagerId.isDriver).toBe(true);
  });

  it("learns from the answer to its heartbeat that it has to register again", async () => {
    const receiver = cluster.driver.endpointRef(null, HEARTBEAT_RECEIVER_ENDPOINT_NAME);
    const heartbeat = { executorId: "1", blockManagerId: executor.id };
    await expect(receiver.ask(Heartbeat, heartbeat)).resolves.toEqual({
      reregisterBlockManager: false,
    });
    clock.advance(900);
    await receiver.ask(Heartbeat, heartbeat);
    clock.advance(900);
    await expect(alive()).resolves.toBe(true);
    await cluster.master.removeExecutor("1");
    await expect(receiver.ask(Heartbeat, heartbeat)).resolves.toEqual({
      reregisterBlockManager: true,
    });
  });
});

describe("the monitor", () => {
  it("looks at once when it is told to", async () => {
    const heartbeat = { timeoutMs: 1000, checkIntervalMs: 1000 };
    const platform = { ...nodePlatform(), clock };
    const patient = await Cluster.start("in process", { heartbeat }, { platform });
    clock.advance(500);
    await patient.register({ executorId: "1" });
    clock.advance(1000);
    await patient.master.expireDeadHosts();
    await expect(patient.master.isExecutorAlive("1")).resolves.toBe(true);
    clock.advance(400);
    await expect(patient.master.isExecutorAlive("1")).resolves.toBe(true);
    await patient.master.expireDeadHosts();
    await expect(patient.master.isExecutorAlive("1")).resolves.toBe(false);
    expect(patient.events.at(-2)).toMatchObject({ type: "ExecutorExpired", silentMs: 1400 });
    await patient.close();
  });

  it("ends with the master", async () => {
    await cluster.master.stop();
    clock.advance(60_000);
    expect(cluster.events.map(({ type }) => type)).toEqual(["BlockManagerAdded"]);
    await expect(cluster.master.heartbeat(executor.id)).rejects.toMatchObject({
      code: "ENDPOINT_NOT_FOUND",
    });
  });

  it("can be left out", async () => {
    const platform = { ...nodePlatform(), clock };
    const lenient = await Cluster.start("in process", { heartbeat: false }, { platform });
    await lenient.register({ executorId: "1" });
    clock.advance(10_000_000);
    await expect(lenient.master.isExecutorAlive("1")).resolves.toBe(true);
    await lenient.close();
  });

  it("refuses times that make no sense", async () => {
    for (const heartbeat of [{ timeoutMs: 0 }, { timeoutMs: 10, checkIntervalMs: 11 }]) {
      await expect(Cluster.start("in process", { heartbeat })).rejects.toMatchObject({
        code: "OPTION_INVALID",
      });
    }
  });
});
