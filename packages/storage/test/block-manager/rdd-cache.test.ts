import { rddBlockId, StorageLevel } from "@bm/block";
import { describe, expect, it } from "vitest";
import type { BlockManager, RddPartition } from "../../src/index.ts";
import { Cluster } from "./cluster.ts";
import { textOf } from "./content.ts";

const conf = { "spark.rdd.cache.visibilityTracking.enabled": "true" };
const id = rddBlockId(1, 0);

/** Asks for the partition in the name of a task that would make its own text of it. */
function ask(
  manager: BlockManager,
  taskId: bigint,
  changes: Partial<RddPartition> = {},
): Promise<string | null> {
  const make = (): Promise<Uint8Array> => Promise.resolve(Buffer.from(`made by ${taskId}`));
  const level = StorageLevel.MEMORY_ONLY;
  return textOf(manager.getOrMake({ taskId, id, level, make, ...changes }));
}

describe("a cached partition", () => {
  it("is made once and read by everybody", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    const two = await cluster.addExecutor("two");
    expect(await ask(one, 1n)).toBe("made by 1");
    expect(await ask(one, 2n)).toBe("made by 1");
    expect(await ask(two, 3n)).toBe("made by 1");
  });

  it("is made once by two tasks of a process that want it together", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one");
    expect(await Promise.all([ask(one, 1n), ask(one, 2n), ask(one, 3n)])).toEqual(
      Array.from({ length: 3 }, () => "made by 1"),
    );
  });

  it("is given to its maker also when there is no room for it, or making it fails once", async () => {
    await using cluster = await Cluster.start();
    const one = await cluster.addExecutor("one", { memoryBytesMax: 4 });
    const fails = (): Promise<Uint8Array> => Promise.reject(new Error("bad input"));
    await expect(ask(one, 1n, { make: fails })).rejects.toThrow("bad input");
    expect(await ask(one, 2n)).toBe("made by 2");
    expect(await ask(one, 3n)).toBe("made by 3");
  });
});

describe("a cached partition whose visibility is tracked", () => {
  it("is hidden from other tasks until its own has succeeded", async () => {
    await using cluster = await Cluster.start({ tracksVisibility: true });
    const one = await cluster.addExecutor("one", { conf });
    const two = await cluster.addExecutor("two", { conf });
    expect(await ask(one, 1n)).toBe("made by 1");
    expect(await ask(two, 2n, { level: StorageLevel.DISK_ONLY })).toBe("made by 2");
    await cluster.master.updateRddBlockVisibility(1n, true);
    const never = (): Promise<Uint8Array> => Promise.reject(new Error("made once more"));
    expect(await ask(one, 3n, { make: never })).toBe("made by 1");
    expect(await ask(two, 4n, { make: never })).toBe("made by 2");
  });

  it("is never read when its task failed", async () => {
    await using cluster = await Cluster.start({ tracksVisibility: true });
    const one = await cluster.addExecutor("one", { conf });
    const two = await cluster.addExecutor("two", { conf });
    await ask(one, 1n);
    await cluster.master.updateRddBlockVisibility(1n, false);
    expect(await ask(two, 2n)).toBe("made by 2");
    await cluster.master.updateRddBlockVisibility(2n, true);
    expect(await ask(two, 3n)).toBe("made by 2");
  });

  it("may be read without asking the driver once the driver has said so", async () => {
    await using cluster = await Cluster.start({ tracksVisibility: true });
    const one = await cluster.addExecutor("one", { conf });
    await ask(one, 1n);
    await cluster.master.updateRddBlockVisibility(1n, true);
    // The word is on its way: any later order to the same block manager comes behind it.
    await cluster.master.getBlockStatus(id);
    await cluster.driverEnv.close();
    expect(await ask(one, 2n)).toBe("made by 1");
  });

  it("is hidden again when it is made again after it was dropped", async () => {
    await using cluster = await Cluster.start({ tracksVisibility: true });
    const one = await cluster.addExecutor("one", { conf });
    await ask(one, 1n);
    await cluster.master.updateRddBlockVisibility(1n, true);
    await cluster.master.getBlockStatus(id);
    await one.removeBlock(id);
    expect(await ask(one, 2n)).toBe("made by 2");
    expect(await ask(one, 3n)).toBe("made by 3");
  });
});
