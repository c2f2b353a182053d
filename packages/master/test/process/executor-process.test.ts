import { fork } from "node:child_process";
import { once } from "node:events";
import { rddBlockId } from "@bm/block";
import {
  BlockManagerMaster,
  BlockManagerMasterEndpoint,
  MapOutputTrackerMaster,
  MapOutputTrackerMasterEndpoint,
  type MasterEvent,
} from "@bm/master";
import { formatRpcAddress, RpcEnv } from "@bm/rpc";
import { describe, expect, it } from "vitest";

describe("an executor in another process", () => {
  it("registers, reports, obeys, beats, and is missed when it dies", async () => {
    await using driver = await RpcEnv.create({ name: "driver" });
    const tracker = new MapOutputTrackerMaster();
    tracker.registerShuffle(4, 1);
    MapOutputTrackerMasterEndpoint.setup(driver, tracker);
    const events: MasterEvent[] = [];
    BlockManagerMasterEndpoint.setup(driver, {
      mapOutputTracker: tracker,
      listener: (event) => void events.push(event),
      heartbeat: { timeoutMs: 400, checkIntervalMs: 20 },
    });
    const master = BlockManagerMaster.at(driver, driver.address);

    const address = driver.address === null ? "" : formatRpcAddress(driver.address);
    const script = new URL("./executor-process.ts", import.meta.url);
    const child = fork(script, [address], { execArgv: ["--conditions=@bm/source"] });
    try {
      await once(child, "message");
      const block = rddBlockId(1, 0);
      const [location] = await master.getLocations(block);
      expect(location?.hostPort).toBe("127.0.0.1:7001");
      const [held] = await master.getBlockStatus(block);
      expect(held?.status?.diskSize).toBe(77);
      const [output] = await tracker.getMapSizesByExecutorId(4, 1, 2);
      expect(output?.blocks.map(({ blockId }) => blockId.name)).toEqual(["shuffle_4_40_1"]);
      await expect(master.removeRdd(1)).resolves.toBe(1);
      await expect(master.removeShuffle(4)).resolves.toBe(true);

      // Longer than the time-out: it lives by its heartbeats.
      await new Promise((resolve) => setTimeout(resolve, 500));
      await expect(master.isExecutorAlive("1")).resolves.toBe(true);
      child.kill("SIGKILL");
      await expect.poll(() => master.isExecutorAlive("1"), { timeout: 5000 }).toBe(false);
      expect(events.map(({ type }) => type)).toContain("ExecutorExpired");
      await expect(master.removeRdd(2)).resolves.toBe(0);
    } finally {
      child.kill("SIGKILL");
    }
  });
});
