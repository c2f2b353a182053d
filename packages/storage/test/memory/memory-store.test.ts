import { type BlockId, rddBlockId, testBlockId } from "@bm/block";
import { describe, expect, it } from "vitest";
import { MemoryStore } from "../../src/index.ts";

describe("MemoryStore", () => {
  it("evicts what was not used for longest, after its owner took it in", async () => {
    const evicted: string[] = [];
    const store = storeOf(100, (id) => void evicted.push(id.name));
    for (const name of ["a", "b", "c"]) await store.put(testBlockId(name), Buffer.alloc(30));
    store.get(testBlockId("a"));
    expect(await store.put(testBlockId("d"), Buffer.alloc(50))).toBe(true);
    expect(evicted).toEqual(["test_b", "test_c"]);
    expect(store.usedBytes).toBe(80);
    expect(store.evictionCount).toBe(2);
  });

  it("never goes above its limit, however many put at once", async () => {
    let most = 0;
    const store = storeOf(1000, () => void (most = Math.max(most, store.usedBytes)));
    const puts = Array.from({ length: 100 }, (_, index) =>
      store.put(testBlockId(String(index)), Buffer.alloc(90 + (index % 20))),
    );
    expect((await Promise.all(puts)).every(Boolean)).toBe(true);
    expect(Math.max(most, store.usedBytes)).toBeLessThanOrEqual(1000);
  });

  it("refuses what is larger than all of it, and evicts nothing for that", async () => {
    const store = storeOf(100);
    await store.put(testBlockId("small"), Buffer.alloc(60));
    expect(await store.put(testBlockId("large"), Buffer.alloc(101))).toBe(false);
    expect(store.contains(testBlockId("small"))).toBe(true);
  });

  it("does not push out a partition for another one of the same RDD", async () => {
    const store = storeOf(100);
    await store.put(rddBlockId(1, 0), Buffer.alloc(60));
    expect(await store.put(rddBlockId(1, 1), Buffer.alloc(60))).toBe(false);
    expect(await store.put(rddBlockId(2, 0), Buffer.alloc(60))).toBe(true);
  });

  it("keeps a block that its owner could not take in", async () => {
    const store = storeOf(100, () => {
      throw new Error("disk full");
    });
    await store.put(testBlockId("a"), Buffer.alloc(60));
    expect(await store.put(testBlockId("b"), Buffer.alloc(60))).toBe(false);
    expect(store.contains(testBlockId("a"))).toBe(true);
    expect(store.usedBytes).toBe(60);
  });

  it("counts a block that is put again once", async () => {
    const store = storeOf(100);
    await store.put(testBlockId("a"), Buffer.alloc(40));
    await store.put(testBlockId("a"), Buffer.alloc(50));
    expect(store.usedBytes).toBe(50);
    expect(store.remove(testBlockId("a"))).toBe(true);
    expect(store.remove(testBlockId("a"))).toBe(false);
    expect(store.usedBytes).toBe(0);
  });
});

function storeOf(bytesMax: number, onEvict: (id: BlockId) => void = () => {}): MemoryStore {
  return new MemoryStore({
    bytesMax,
    onEvict: async (id) => {
      await Promise.resolve();
      onEvict(id);
      return () => {};
    },
  });
}
