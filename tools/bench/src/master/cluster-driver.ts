/** The driver of the cluster bench, in a process of its own: the master and nothing else. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { BlockManagerMaster, BlockManagerMasterEndpoint, type MasterSnapshot } from "@bm/master";
import { RpcEnv } from "@bm/rpc";
import { serveLines } from "./line-server.ts";

/** What the driver can be asked for. */
export interface DriverLine {
  readonly do: "snapshot" | "memory" | "work";
}

/** Its first line. */
export interface DriverPlace {
  readonly pid: number;
  readonly host: string;
  readonly port: number;
}

/** Block managers, and their blocks together. */
export interface DriverKnowledge {
  readonly managers: number;
  readonly blocks: number;
  readonly locations: number;
  /** How long the answer took. */
  readonly ms: number;
}

/** After a collection. */
export interface DriverMemory {
  /** Of JavaScript and of typed arrays together. */
  readonly usedBytes: number;
  readonly residentBytes: number;
}

/** Since it was asked before. */
export interface DriverWork {
  readonly cpuSeconds: number;
  /** Longest time for which it did not look at its sockets. */
  readonly longestTurnMs: number;
}

const CHECK_INTERVAL_MS = 500;

/**
 * Runs until its input ends. Needs `--expose-gc`.
 * @param silenceMs after which an executor is removed: shorter than usual, which a bench need not wait for
 */
export async function runClusterDriver(silenceMs: number): Promise<void> {
  const env = await RpcEnv.create({ name: "driver" });
  BlockManagerMasterEndpoint.setup(env, {
    heartbeat: { timeoutMs: silenceMs, checkIntervalMs: CHECK_INTERVAL_MS },
  });
  const master = BlockManagerMaster.at(env, null);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  let cpu = process.cpuUsage();
  await serveLines({ ...env.address }, async (given) => {
    const line = given as DriverLine;
    switch (line.do) {
      case "snapshot":
        return knowledge(master);
      case "memory":
        return memory();
      case "work": {
        const { user, system } = process.cpuUsage(cpu);
        cpu = process.cpuUsage();
        const longestTurnMs = delay.max / 1e6;
        delay.reset();
        return { cpuSeconds: (user + system) / 1e6, longestTurnMs };
      }
    }
  });
}

async function knowledge(master: BlockManagerMaster): Promise<DriverKnowledge> {
  const start = performance.now();
  const snapshot = await master.getSnapshot();
  const ms = performance.now() - start;
  const sum = (of: "blocks" | "locations"): number => {
    const { otherBlocks, rdds }: MasterSnapshot = snapshot;
    return rdds.reduce((total, { totals }) => total + totals[of], otherBlocks[of]);
  };
  return {
    managers: snapshot.managers.length,
    blocks: sum("blocks"),
    locations: sum("locations"),
    ms,
  };
}

async function memory(): Promise<DriverMemory> {
  // The second one finds what the first one has only marked as gone.
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const { external, heapUsed, rss } = process.memoryUsage();
  return { usedBytes: heapUsed + external, residentBytes: rss };
}
