/** What befalls a service, its disk and its files while real Spark shuffles through it. */
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeBlockTransferMessage } from "@bm/shuffle";
import { NoOpRpcHandler, nodePlatform, TransportConf, TransportContext } from "@bm/transport";
import { describe, expect, it } from "vitest";
import { DYNAMIC_ALLOCATION, slowly } from "../../src/cluster/application-conf.ts";
import { type ClusterUnderTest, expectSameResults, expectSameRows } from "./cluster-under-test.ts";

/** For a line in the log of a service on a busy machine. */
const LOG_TIMEOUT_MS = 30_000;
/** Long enough for something to happen, and a restart, while it runs. */
const SLOWLY = slowly(800);
/** Runs every drill of `BM_DRILLS=1` too. */
const isThorough = process.env["BM_DRILLS"] === "1";

/** Describes the drills of a cluster that is started before they run. */
export function describeDrills(cluster: () => ClusterUnderTest): void {
  describe("through bm serve in trouble", () => {
    it("loses nothing when the service pauses for ten seconds, is killed and starts again", async () => {
      const { ours } = cluster();
      const running = cluster().begin(["slowReduce"]);
      await cluster().moreBytesBefore(running);
      ours.signal("SIGSTOP");
      await sleep(10_000);
      ours.signal("SIGCONT");
      await cluster().moreBytesBefore(running);
      await killAndRestart(cluster());
      // A new process counts from zero, and knows the executors of the old one from its database.
      await cluster().moreBytesBefore(running);
      expectSameResults(cluster(), await running, ["slowReduce"]);
    });

    it("serves beside 2,000 connections that never say anything", async () => {
      const idle = await idleConnections(2000, cluster().ours.port);
      try {
        const [report, served] = await cluster().run("bm serve", ["repartition"]);
        expectSameResults(cluster(), report, ["repartition"]);
        expect(served).toBe(report.counters.remoteBytes);
        expect(idle.filter((socket) => socket.readyState !== "open")).toEqual([]);
      } finally {
        for (const socket of idle) socket.destroy();
      }
    });

    it("finds out that the disk turned a byte over, and the job is right after all", async () => {
      const [report] = await cluster().run("bm serve", ["flippedByte"], DYNAMIC_ALLOCATION);
      expectSameRows(cluster(), report, ["flippedByte"]);
      expect(report.counters.fetchFailures).toBeGreaterThan(0);
      const { facts } = report.results.flippedByte ?? {};
      expect(facts?.["fetchFailureText"]).toContain("DISK_ISSUE");
      await cluster().ours.logged(/a reader got shuffle_0_.* corrupt: DISK_ISSUE/, LOG_TIMEOUT_MS);
    });

    it("has the maps run again whose directories were deleted, and says which were missed", async () => {
      const [report] = await cluster().run("bm serve", ["missingDirectory"], DYNAMIC_ALLOCATION);
      expectSameRows(cluster(), report, ["missingDirectory"]);
      expect(report.counters.fetchFailures).toBeGreaterThan(0);
      const { facts } = report.results.missingDirectory ?? {};
      expect(facts?.["directoriesDeleted"]).toBeGreaterThan(0);
      await cluster().ours.logged(/cannot give shuffle_0_.*Failed to open file/, LOG_TIMEOUT_MS);
    });

    it("writes a database anew that is deleted under it, and is killed without a loss", async () => {
      const { ours } = cluster();
      const running = cluster().begin(["slowReduce"], SLOWLY);
      await cluster().moreBytesBefore(running);
      const { executors } = await ours.counters();
      await rm(ours.database, { recursive: true });
      await ours.logged(/was deleted while it was used; it was written anew/, LOG_TIMEOUT_MS);
      await killAndRestart(cluster());
      expect((await ours.counters()).executors).toBe(executors);
      await cluster().moreBytesBefore(running);
      expectSameResults(cluster(), await running, ["slowReduce"]);
    });

    it("serves on from a disk that is full, refuses who registers, and recovers", async (context) => {
      const { disk, ours } = cluster();
      if (disk === null) return context.skip("only root may mount a disk to fill");
      const running = cluster().begin(["slowReduce"]);
      await cluster().moreBytesBefore(running);
      try {
        await disk.fill();
        expect(await registerUntilRefused(ours.port)).toMatch(/cannot be written.*No space left/);
        await ours.logged(/what comes is refused until it can, what is known/, LOG_TIMEOUT_MS);
        await cluster().moreBytesBefore(running);
      } finally {
        await disk.free();
      }
      expectSameResults(cluster(), await running, ["slowReduce"]);
      expect(await register(ours.port, "after")).toBeNull();
      await ours.logged(/can be written again/, LOG_TIMEOUT_MS);
    });

    // Not a skipped test, which would be a failure where everything has to run.
    if (!isThorough) return;
    it("loses nothing when it is killed again and again", async () => {
      const running = cluster().begin(["slowReduce"], slowly(2000));
      for (let round = 0; round < 6; round += 1) {
        await cluster().moreBytesBefore(running);
        await killAndRestart(cluster());
      }
      expectSameResults(cluster(), await running, ["slowReduce"]);
    });
  });
}

/** Within five seconds, on a machine that is not too busy. */
async function killAndRestart({ ours }: ClusterUnderTest): Promise<void> {
  ours.signal("SIGKILL");
  await sleep(1000);
  await ours.restart();
}

async function idleConnections(count: number, port: number): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => connect(port, "127.0.0.1"));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  return sockets;
}

/** What a database has reserved on its disk is used up first. */
async function registerUntilRefused(port: number): Promise<string | null> {
  for (let at = 0; at < 1000; at += 1) {
    const refusal = await register(port, `drill-${at}`);
    // A connection that broke was not refused.
    if (refusal !== null && !refusal.includes("closed")) return refusal;
  }
  return null;
}

/** Registers an executor as Spark does, on a connection of its own; gives why it is refused, or null. */
async function register(port: number, execId: string): Promise<string | null> {
  const conf = new TransportConf("shuffle");
  const rpcHandler = new NoOpRpcHandler(nodePlatform().random);
  const clients = new TransportContext({ conf, rpcHandler }).createClientFactory();
  const shuffleManager = "x".repeat(16 * 1024);
  const executorInfo = { localDirs: [], subDirsPerLocalDir: 64, shuffleManager };
  try {
    const client = await clients.createClient("127.0.0.1", port);
    const message = { type: "RegisterExecutor", appId: "drill", execId, executorInfo } as const;
    await client.sendRpc(encodeBlockTransferMessage(message));
    return null;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await clients.close();
  }
}
