import { readdir, truncate, unlink } from "node:fs/promises";
import { join } from "node:path";
import { StorageLevel, testBlockId } from "@bm/block";
import { NettyBlockTransferService } from "@bm/shuffle";
import { BytesManagedBuffer, TransportConf } from "@bm/transport";
import { describe, expect, it } from "vitest";
import { Cluster } from "./cluster.ts";

describe("a block manager", () => {
  it("forgets a block whose file is gone, tells the master, and takes the block in again", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    const id = testBlockId("lost");
    await one.put(id, Buffer.from("content"), StorageLevel.DISK_ONLY);
    await unlink(one.disk.pathOf(id.name));
    expect(await one.getLocal(id)).toBeNull();
    expect(await cluster.master.getLocations(id)).toEqual([]);
    expect(await one.put(id, Buffer.from("again"), StorageLevel.DISK_ONLY)).toBe(true);
    expect(await contentOf(one.getLocal(id))).toBe("again");
  });

  it("gives the copy of a peer for a block whose file is damaged", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    const two = await cluster.addExecutor("two");
    const id = testBlockId("damaged");
    for (const manager of [one, two]) {
      await manager.put(id, Buffer.from("content"), StorageLevel.DISK_ONLY);
    }
    await truncate(one.disk.pathOf(id.name), 3);
    expect(await contentOf(one.get(id))).toBe("content");
    expect(one.metrics.remoteBlocksFetched).toBe(1);
  });

  it("refuses a block from a peer whose name leads out of its directories", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    const { host, port, executorId } = one.id;
    const conf = new TransportConf("shuffle", {});
    await using peer = new NettyBlockTransferService({ conf, appId: "app-1", executorId: "peer" });
    await peer.init(one.served);
    const name = "test_/../../../../escaped";
    const body = (): BytesManagedBuffer => new BytesManagedBuffer(Buffer.from("x"));
    for (const level of [StorageLevel.DISK_ONLY, StorageLevel.MEMORY_AND_DISK]) {
      await expect(peer.uploadBlock(host, port, executorId, name, body(), level)).rejects.toThrow(
        /IllegalArgumentException.*no file name/,
      );
    }
    expect((await readdir(cluster.root)).toSorted()).toEqual(["one"]);
  });

  it("tells a peer that asks for a block that is not here what Spark would tell", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    await expect(one.served.getLocalBlockData(testBlockId("none"))).rejects.toMatchObject({
      code: "BLOCK_NOT_FOUND",
      javaClass: "org.apache.spark.storage.BlockNotFoundException",
    });
  });

  it("lets a reader read and put its block again while a removal waits", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    const id = testBlockId("read twice");
    await one.put(id, Buffer.from("content"), StorageLevel.MEMORY_ONLY);
    const first = await one.getLocal(id);
    let isRemoved = false;
    const removal = one.removeBlock(id).then(() => {
      isRemoved = true;
    });
    expect(await contentOf(one.getLocal(id))).toBe("content");
    expect(await one.put(id, Buffer.from("other"), StorageLevel.MEMORY_ONLY)).toBe(true);
    expect(isRemoved).toBe(false);
    first?.release();
    await removal;
    expect(await one.getLocal(id)).toBeNull();
  });

  it("leaves no directory behind when it is closed while blocks come in", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    const held = testBlockId("held");
    await one.put(held, Buffer.from("content"), StorageLevel.MEMORY_ONLY);
    const buffer = await one.getLocal(held);
    const removal = one.removeBlock(held);
    const puts = Array.from({ length: 30 }, (_, index) =>
      one.put(testBlockId(`${index}`), Buffer.alloc(100_000), StorageLevel.DISK_ONLY),
    );
    const ends = Promise.allSettled([removal, ...puts]);
    await one.close();
    const [ofRemoval] = await ends;
    expect(ofRemoval).toMatchObject({ status: "rejected", reason: { code: "CLOSED" } });
    expect(await readdir(join(cluster.root, "one"))).toEqual([]);
    buffer?.release();
  });
});

describe("a block manager that ends", () => {
  it("may be aborted twice, then closed, and leaves nothing", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    await one.put(testBlockId("a"), Buffer.from("content"), StorageLevel.DISK_ONLY);
    one.abort(new Error("enough"));
    one.abort(new Error("enough"));
    await one.close();
    expect(await readdir(join(cluster.root, "one"))).toEqual([]);
    await expect(
      one.put(testBlockId("b"), Buffer.from("late"), StorageLevel.DISK_ONLY),
    ).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("leaves nothing when its first registration fails", async () => {
    await using cluster = await Cluster.start();
    await cluster.driverEnv.close();
    await expect(cluster.addExecutor("one")).rejects.toMatchObject({ code: "CONNECT_FAILED" });
    expect(await readdir(join(cluster.root, "one"))).toEqual([]);
  });
});

describe("replication", () => {
  it("does not fail a put when the driver cannot be asked for peers", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    await cluster.driverEnv.close();
    const id = testBlockId("alone");
    expect(await one.put(id, Buffer.from("content"), StorageLevel.MEMORY_ONLY_2)).toBe(true);
    expect(await contentOf(one.getLocal(id))).toBe("content");
  });

  it("counts the copies that there are, and makes only those that are missing", async () => {
    await using cluster = await Cluster.start();
    const names = ["one", "two", "three", "four", "five"];
    const managers = await Promise.all(names.map((name) => cluster.addExecutor(name)));
    const [one, two] = managers;
    for (let index = 0; index < 8; index += 1) {
      const id = testBlockId(`copied ${index}`);
      for (const holder of [one, two]) {
        await holder?.put(id, Buffer.from("content"), StorageLevel.MEMORY_ONLY);
      }
      const replicas = two === undefined ? [] : [two.id];
      expect(await one?.orders.replicateBlock({ blockId: id, replicas, maxReplicas: 3 })).toBe(
        true,
      );
      expect(await cluster.master.getLocations(id)).toHaveLength(3);
    }
  });
});

async function contentOf(
  block: Promise<{ bytes(): Promise<Uint8Array>; release(): void } | null>,
): Promise<string | null> {
  const buffer = await block;
  if (buffer === null) return null;
  const content = Buffer.from(await buffer.bytes()).toString();
  buffer.release();
  return content;
}
