import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BenchServer } from "../src/contenders/contender.ts";
import { nodeContender } from "../src/contenders/node-contenders.ts";
import { prepareRegionFile } from "../src/halves/region-file.ts";
import { perform } from "../src/load/perform.ts";
import type { Suite } from "../src/suites/suite.ts";
import { SUITES } from "../src/suites/suite-table.ts";
import type { Workload } from "../src/suites/workload.ts";

const HOST = "127.0.0.1";
const PLACE = { host: HOST, port: 0 };
const NODE_NAMES = ["ours", "grpc", "net"] as const;

/** As small as a suite can be without becoming another one. */
function tiny({ load }: Suite): Workload {
  const { pacing, window, connections, kind } = load;
  const windowMax = kind === "stopped-readers" ? 4 : pacing === "burst" ? 20 : 64;
  return {
    ...load,
    window: Math.min(window, windowMax),
    connections: kind === "idle" ? 30 : connections,
    seconds: 0.01,
    operationsMin: 4,
    operationsMax: 400,
    serverPid: process.pid,
    isWarmUp: true,
  };
}

describe("every suite", () => {
  let directory = "";
  const servers = new Map<string, BenchServer>();

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "bm-bench-"));
    const file = prepareRegionFile(directory);
    for (const name of NODE_NAMES) {
      servers.set(`bytes ${name}`, await nodeContender("bytes", name).listen(PLACE, file));
      if (name === "net") continue;
      servers.set(`messages ${name}`, await nodeContender("messages", name).listen(PLACE, file));
    }
  }, 30_000);

  afterAll(async () => {
    await Promise.all([...servers.values()].map((server) => server.close()));
    await rm(directory, { recursive: true, force: true });
  });

  for (const suite of SUITES) {
    for (const name of NODE_NAMES.filter((one) => suite.contenders.includes(one))) {
      it(`${suite.name} runs with ${name} on both sides`, async () => {
        const { service } = suite;
        const port = servers.get(`${service} ${name}`)?.port ?? 0;
        const connect = nodeContender(service, name).connectTo({ host: HOST, port });
        const outcome = await perform(connect, tiny(suite));
        expect(outcome.operations).toBeGreaterThanOrEqual(4);
        expect(outcome.seconds).toBeGreaterThan(0);
        expect(outcome.clientPeakBytes).toBeGreaterThan(0);
        expect(outcome.serverPeakBytes).toBeGreaterThan(0);
        if (suite.measure === "throughput") expect(outcome.p99Us).toBeGreaterThan(0);
        if (suite.measure === "share") expect(outcome.keptShare).toBeGreaterThan(0);
      });
    }
  }

  it("has a name of its own", () => {
    expect(new Set(SUITES.map(({ name }) => name)).size).toBe(SUITES.length);
  });

  it("fails when a server gives other bytes than the region's", async () => {
    const [suite] = SUITES;
    if (suite === undefined) throw new Error("no suites");
    const connect = nodeContender("bytes", "ours").connectTo({
      host: HOST,
      port: servers.get("bytes ours")?.port ?? 0,
    });
    const lying: typeof connect = async (workload) => {
      const link = await connect(workload);
      const send = link.createSender.bind(link);
      link.createSender = (answers) =>
        send({
          answered: () => answers.answered(Buffer.from("no bytes")),
          failed: (error) => answers.failed(error),
        });
      return link;
    };
    await expect(perform(lying, tiny(suite))).rejects.toThrow("wrong byte");
  });
});
