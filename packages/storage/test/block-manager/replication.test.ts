import { BlockManagerId, rddBlockId, StorageLevel } from "@bm/block";
import { createSeededRandom } from "@bm/transport/testing";
import { describe, expect, it } from "vitest";
import {
  basicReplicationPolicy,
  randomReplicationPolicy,
  readStorageConf,
} from "../../src/index.ts";
import { Cluster } from "./cluster.ts";
import { textOf } from "./content.ts";

function manager(name: string, host: string, rack: string | null): BlockManagerId {
  return BlockManagerId.of(name, host, 1000, rack);
}

const self = manager("self", "host-0", "rack-a");
const sameHost = manager("same-host", "host-0", "rack-a");
const near = [manager("near-1", "host-1", "rack-a"), manager("near-2", "host-2", "rack-a")];
const far = [manager("far-1", "host-3", "rack-b"), manager("far-2", "host-4", "rack-c")];
const peers = [sameHost, ...near, ...far];

describe("the basic replication policy", () => {
  it("chooses a near host first, then another rack, whatever the seed", () => {
    for (let seed = 0; seed < 50; seed += 1) {
      const random = createSeededRandom(seed);
      const [first, second, ...rest] = basicReplicationPolicy({
        self,
        peers,
        holders: [],
        missing: 2,
        random,
      });
      expect(near).toContain(first);
      expect(far).toContain(second);
      expect(rest).toHaveLength(3);
    }
  });

  it("leaves out what a holder already does", () => {
    for (let seed = 0; seed < 50; seed += 1) {
      const random = createSeededRandom(seed);
      const others = peers.filter((peer) => peer !== near[0]);
      const choice = { self, peers: others, holders: near.slice(0, 1), missing: 1, random };
      expect(far).toContain(basicReplicationPolicy(choice)[0]);
    }
  });

  it("spreads at random where racks are unknown", () => {
    const unknown = manager("self", "host-0", null);
    const firsts = new Set(
      Array.from({ length: 50 }, (_, seed) => {
        const random = createSeededRandom(seed);
        const choice = { self: unknown, peers, holders: [], missing: 1, random };
        return basicReplicationPolicy(choice)[0]?.executorId;
      }),
    );
    expect(firsts.size).toBe(peers.length);
  });
});

describe("a replication policy", () => {
  it("is chosen by Spark's name for it", () => {
    const key = "spark.storage.replication.policy";
    expect(readStorageConf().replicationPolicy).toBe(randomReplicationPolicy);
    const name = "org.apache.spark.storage.BasicBlockReplicationPolicy";
    expect(readStorageConf({ [key]: name }).replicationPolicy).toBe(basicReplicationPolicy);
    expect(() => readStorageConf({ [key]: "com.example.Mine" })).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
  });

  it("puts the second copy into another rack of real block managers", async () => {
    // Two names of one machine.
    const topologyOf = (host: string): string => (host === "localhost" ? "/far" : "/near");
    await using cluster = await Cluster.start({ topologyMapper: { topologyOf } });
    const key = "spark.storage.replication.policy";
    const one = await cluster.addExecutor("one", {
      conf: { [key]: "BasicBlockReplicationPolicy" },
    });
    await cluster.addExecutor("two");
    await cluster.addExecutor("three");
    await cluster.addExecutor("four", { host: "localhost" });
    for (let index = 0; index < 5; index += 1) {
      const id = rddBlockId(1, index);
      await one.put(id, Buffer.from("content"), StorageLevel.MEMORY_ONLY_2);
      const names = (await cluster.master.getLocations(id)).map(({ executorId }) => executorId);
      expect(names.toSorted()).toEqual(["four", "one"]);
    }
  });
});

describe("copies", () => {
  it("are made again when a holder is lost, with the right content", async () => {
    await using cluster = await Cluster.start();
    const managers = await Promise.all(["a", "b", "c"].map((name) => cluster.addExecutor(name)));
    const [one] = managers;
    if (one === undefined) throw new Error("no block manager");
    const ids = Array.from({ length: 6 }, (_, index) => rddBlockId(1, index));
    for (const id of ids) {
      await one.put(id, Buffer.from(`content of ${id.name}`), StorageLevel.MEMORY_ONLY_2);
    }
    one.abort(new Error("killed"));
    await cluster.master.removeExecutor("a");
    for (const id of ids) {
      await expect.poll(async () => (await cluster.master.getLocations(id)).length).toBe(2);
      for (const survivor of managers.slice(1)) {
        expect(await textOf(survivor.getLocal(id))).toBe(`content of ${id.name}`);
      }
    }
  });

  it("go to a peer that came after its holder found that there was none", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    await one.put(rddBlockId(1, 0), Buffer.from("alone"), StorageLevel.MEMORY_ONLY_2);
    const two = await cluster.addExecutor("two");
    await one.put(rddBlockId(1, 1), Buffer.from("copied"), StorageLevel.MEMORY_ONLY_2);
    expect(await textOf(two.getLocal(rddBlockId(1, 0)))).toBeNull();
    expect(await textOf(two.getLocal(rddBlockId(1, 1)))).toBe("copied");
  });

  it("are looked for where they have moved to when those that were named fail", async () => {
    await using cluster = await Cluster.start({ replicatesLost: false });
    const one = await cluster.addExecutor("one");
    const two = await cluster.addExecutor("two");
    const three = await cluster.addExecutor("three");
    const id = rddBlockId(1, 0);
    await one.put(id, Buffer.from("content"), StorageLevel.MEMORY_ONLY);
    const reading = textOf(three.get(id));
    const order = { blockId: id, replicas: [three.id], maxReplicas: 3 };
    await one.orders.replicateBlock(order);
    one.abort(new Error("killed"));
    expect(await reading).toBe("content");
    expect(await textOf(three.get(id))).toBe("content");
    expect(await textOf(two.getLocal(id))).toBe("content");
  });
});
