import {
  broadcastBlockId,
  rddBlockId,
  StorageLevel,
  shuffleDataBlockId,
  shuffleIndexBlockId,
} from "@bm/block";
import { DecommissionBlockManager } from "@bm/master";
import { NettyBlockTransferService, ShuffleIndexFile } from "@bm/shuffle";
import { BytesManagedBuffer, TransportConf } from "@bm/transport";
import { describe, expect, it } from "vitest";
import {
  type BlockManager,
  countField,
  hashPartitioner,
  type ShuffleHandle,
  stringField,
  sumAggregator,
} from "../../src/index.ts";
import { Cluster } from "./cluster.ts";
import { textOf } from "./content.ts";

const conf = { "spark.storage.decommission.replicationReattemptInterval": "20ms" };

function handleOf(numMaps: number): ShuffleHandle<string, number, number> {
  return {
    shuffleId: 4,
    numMaps,
    partitioner: hashPartitioner(3),
    serializer: { key: stringField, value: countField },
    aggregator: sumAggregator,
  };
}

/** As the driver does it: no longer a peer, then the order. */
async function decommission(cluster: Cluster, executorId: string): Promise<void> {
  await cluster.master.decommissionBlockManagers([executorId]);
  const endpoint = await cluster.master.getExecutorEndpoint(executorId);
  if (endpoint === null) throw new Error(`${executorId} is not registered`);
  await cluster.driverEnv.endpointRefAt(endpoint).ask(DecommissionBlockManager, undefined);
}

/** A shuffle with one map output on the block manager, known to the driver. */
async function writeMapOutput(
  cluster: Cluster,
  manager: BlockManager,
  mapIndex: number,
  handle: ShuffleHandle<string, number, number>,
): Promise<void> {
  const writer = manager.shuffle.getWriter(handle, BigInt(mapIndex));
  await writer.write(Array.from({ length: 1000 }, (_, index) => [`key ${index}`, mapIndex + 1]));
  cluster.tracker.registerMapOutput(handle.shuffleId, mapIndex, await writer.commit());
}

async function sumsOf(
  manager: BlockManager,
  handle: ShuffleHandle<string, number, number>,
): Promise<Set<number>> {
  const sums = new Set<number>();
  let keys = 0;
  for (const [, sum] of await manager.shuffle.getReader(handle, 0, 3).readCombined()) {
    sums.add(sum);
    keys += 1;
  }
  expect(keys).toBe(1000);
  return sums;
}

describe("a block manager that is decommissioned", () => {
  it("moves partitions and map output to peers, where readers find them when it is gone", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one", { conf });
    const two = await cluster.addExecutor("two");
    const three = await cluster.addExecutor("three");
    const handle = handleOf(3);
    cluster.tracker.registerShuffle(handle.shuffleId, 3);
    for (let mapIndex = 0; mapIndex < 3; mapIndex += 1) {
      await writeMapOutput(cluster, one, mapIndex, handle);
    }
    const levels = [StorageLevel.MEMORY_ONLY, StorageLevel.DISK_ONLY, StorageLevel.MEMORY_AND_DISK];
    for (const [rddId, level] of levels.entries()) {
      await one.put(rddBlockId(rddId, 0), Buffer.from(`rdd ${rddId}`), level);
    }

    await decommission(cluster, "one");
    await expect.poll(() => one.migration?.isDone).toBe(true);
    expect(one.migration).toMatchObject({ rddBlocksMoved: 3, shufflesMoved: 3, failed: [] });
    await one.close();
    await cluster.master.removeExecutor("one");

    for (const rddId of levels.keys()) {
      expect(await textOf(two.get(rddBlockId(rddId, 0)))).toBe(`rdd ${rddId}`);
      expect(await cluster.master.getLocations(rddBlockId(rddId, 0))).toHaveLength(1);
    }
    for (const manager of [two, three]) expect(await sumsOf(manager, handle)).toEqual(new Set([6]));
    // What was brought is cleared up with the shuffle.
    expect(await cluster.master.removeShuffle(handle.shuffleId)).toBe(true);
    const shuffleFiles = (await Promise.all([two, three].map(({ disk }) => disk.listFiles())))
      .flat()
      .filter((name) => name.startsWith("shuffle_"));
    expect(shuffleFiles).toEqual([]);
  });

  it("takes nothing in but broadcasts, and its peers go to others", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one", { conf });
    const two = await cluster.addExecutor("two");
    await cluster.addExecutor("three");
    one.decommission();
    await expect(
      one.put(rddBlockId(1, 1), Buffer.from("late"), StorageLevel.MEMORY_ONLY),
    ).rejects.toMatchObject({ code: "DECOMMISSIONED" });
    const broadcast = broadcastBlockId(1n);
    expect(await one.put(broadcast, Buffer.from("news"), StorageLevel.MEMORY_ONLY)).toBe(true);
    // The driver was not told, so some go to one first, are refused, and then go to three.
    for (let index = 0; index < 8; index += 1) {
      const id = rddBlockId(2, index);
      await two.put(id, Buffer.from("copied"), StorageLevel.MEMORY_ONLY_2);
      const names = (await cluster.master.getLocations(id)).map(({ executorId }) => executorId);
      expect(names.toSorted()).toEqual(["three", "two"]);
    }
    const make = (): Promise<Uint8Array> => Promise.resolve(Buffer.from("made"));
    const level = StorageLevel.MEMORY_ONLY;
    const wanted = { taskId: 1n, id: rddBlockId(3, 0), level, make };
    expect(await textOf(one.getOrMake(wanted))).toBe("made");
    expect(await one.getLocal(rddBlockId(3, 0))).toBeNull();
  });

  it("moves what tasks still leave behind, and asks again when the driver was away", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one", { conf });
    const two = await cluster.addExecutor("two");
    const handle = handleOf(1);
    cluster.tracker.registerShuffle(handle.shuffleId, 1);
    await decommission(cluster, "one");
    await expect.poll(() => one.migration?.isDone).toBe(true);
    await writeMapOutput(cluster, one, 0, handle);
    await expect.poll(() => one.migration?.shufflesMoved).toBe(1);
    await one.close();
    expect(await sumsOf(two, handle)).toEqual(new Set([1]));
  });

  it("names what is lost with it when nobody can take it, and keeps it until the end", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one", { conf });
    const id = rddBlockId(9, 0);
    await one.put(id, Buffer.from("alone"), StorageLevel.MEMORY_ONLY);
    const handle = handleOf(1);
    cluster.tracker.registerShuffle(handle.shuffleId, 1);
    await writeMapOutput(cluster, one, 0, handle);
    await decommission(cluster, "one");
    await expect.poll(() => one.migration?.isDone).toBe(true);
    expect(one.migration?.failed.toSorted()).toEqual([id.name, shuffleIndexBlockId(4, 0n).name]);
    expect(await textOf(one.getLocal(id))).toBe("alone");
  });
});

describe("a block manager that takes map output in", () => {
  it("refuses an index that does not fit its data, and other files", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    await using peer = await startPeer(one);
    const index = ShuffleIndexFile.fromLengths([5, 5]).toBytes();
    const data = shuffleDataBlockId(7, 0n).name;
    const indexName = shuffleIndexBlockId(7, 0n).name;
    await expect(peer.bring(indexName, index)).rejects.toThrow("data of 0");
    await peer.bring(data, Buffer.from("too short"));
    await expect(peer.bring(indexName, index)).rejects.toThrow("data of 9");
    await peer.bring(data, Buffer.from("0123456789"));
    await peer.bring(indexName, index);
    // The first complete map output stays, whatever comes later.
    await peer.bring(data, Buffer.from("other"));
    const block = { kind: "shuffle", shuffleId: 7, mapId: 0n, reduceId: 1, name: "" } as const;
    expect(await textOf(Promise.resolve(one.served.getLocalBlockData(block)))).toBe("56789");
    for (const name of ["shuffle_7_0_0", "shuffle_7_0_1.data"]) {
      await expect(peer.bring(name, index)).rejects.toThrow("only files of map outputs");
    }
    const files = (await one.disk.listFiles()).toSorted();
    expect(files).toEqual([data, indexName]);
  });

  it("takes no more than it may", async () => {
    await using cluster = await Cluster.start();
    const key = "spark.storage.decommission.shuffleBlocks.maxDiskSize";
    const one = await cluster.addExecutor("one", { conf: { [key]: "10b" } });
    await using peer = await startPeer(one);
    await peer.bring(shuffleDataBlockId(7, 0n).name, Buffer.alloc(11));
    await expect(peer.bring(shuffleDataBlockId(7, 1n).name, Buffer.alloc(1))).rejects.toThrow(
      "no room",
    );
  });
});

interface Peer extends AsyncDisposable {
  bring(name: string, bytes: Uint8Array): Promise<void>;
}

/** Somebody who uploads what the test says. */
async function startPeer(target: BlockManager): Promise<Peer> {
  const conf = new TransportConf("shuffle", {});
  const service = new NettyBlockTransferService({ conf, appId: "app-1", executorId: "peer" });
  await service.init(target.served);
  const { host, port, executorId } = target.id;
  return {
    bring: (name, bytes) => {
      const body = new BytesManagedBuffer(bytes);
      return service.uploadBlock(host, port, executorId, name, body, StorageLevel.DISK_ONLY);
    },
    [Symbol.asyncDispose]: () => service.close(),
  };
}
