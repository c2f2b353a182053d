import type { BlockManagerId } from "@bm/block";
import { afterEach, describe, expect, it } from "vitest";
import { Cluster } from "../cluster.ts";

const clusters: Cluster[] = [];

async function start(pushMergers?: {
  readonly servicePort: number;
  readonly retainedMax?: number;
}): Promise<Cluster> {
  const cluster = await Cluster.start("over sockets", { pushMergers });
  clusters.push(cluster);
  return cluster;
}

afterEach(async () => {
  await Promise.all(clusters.splice(0).map((cluster) => cluster.close()));
});

const hosts = (ids: readonly BlockManagerId[]): string[] => ids.map(({ host }) => host);

describe("the shuffle services that merge", () => {
  it("are those on hosts of live executors, each once, and not that of the driver", async () => {
    const cluster = await start({ servicePort: 7337 });
    await cluster.register({ executorId: "driver", host: "h0" });
    await cluster.register({ executorId: "1", host: "h1" });
    await cluster.register({ executorId: "2", host: "h1", port: 1002 });
    await cluster.register({ executorId: "3", host: "h2" });
    const all = await cluster.master.getShufflePushMergerLocations(1);
    expect(all.map(String)).toEqual([
      "BlockManagerId(shuffle-push-merger, h1, 7337, None)",
      "BlockManagerId(shuffle-push-merger, h2, 7337, None)",
    ]);
    const filtered = await cluster.master.getShufflePushMergerLocations(1, ["h1"]);
    expect(hosts(filtered)).toEqual(["h2"]);
  });

  it("are filled up with those of former executors, no more of them than are needed", async () => {
    const cluster = await start({ servicePort: 7337 });
    for (const host of ["h1", "h2", "h3"]) await cluster.register({ executorId: host, host });
    await cluster.master.removeExecutor("h1");
    await cluster.master.removeExecutor("h2");
    expect(hosts(await cluster.master.getShufflePushMergerLocations(1))).toEqual(["h3"]);
    expect(await cluster.master.getShufflePushMergerLocations(2)).toHaveLength(2);
    const three = hosts(await cluster.master.getShufflePushMergerLocations(9));
    expect(three.toSorted()).toEqual(["h1", "h2", "h3"]);
    expect(hosts(await cluster.master.getShufflePushMergerLocations(9, ["h2"]))).toEqual([
      "h3",
      "h1",
    ]);
  });

  it("are forgotten on request, but for hosts of live executors", async () => {
    const cluster = await start({ servicePort: 7337 });
    for (const host of ["h1", "h2"]) await cluster.register({ executorId: host, host });
    await cluster.master.removeExecutor("h1");
    for (const host of ["h1", "h2", "unknown"]) {
      await cluster.master.removeShufflePushMergerLocation(host);
    }
    expect(hosts(await cluster.master.getShufflePushMergerLocations(9))).toEqual(["h2"]);
  });

  it("are remembered up to a number, the oldest forgotten first", async () => {
    const cluster = await start({ servicePort: 7337, retainedMax: 2 });
    for (const host of ["h1", "h2", "h3"]) await cluster.register({ executorId: host, host });
    for (const host of ["h1", "h2", "h3"]) await cluster.master.removeExecutor(host);
    const left = hosts(await cluster.master.getShufflePushMergerLocations(9));
    expect(left.toSorted()).toEqual(["h2", "h3"]);
  });

  it("are none where nothing is pushed", async () => {
    const cluster = await start();
    await cluster.register({ executorId: "1" });
    await expect(cluster.master.getShufflePushMergerLocations(1)).resolves.toEqual([]);
    await expect(cluster.master.removeShufflePushMergerLocation("h1")).resolves.toBeUndefined();
  });

  it("need a port", async () => {
    for (const options of [{ servicePort: 0 }, { servicePort: 7337, retainedMax: 0 }]) {
      await expect(start(options)).rejects.toMatchObject({ code: "OPTION_INVALID" });
    }
  });
});
