import { type BlockId, BlockManagerId, rddBlockId, StorageLevel } from "@bm/block";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Cluster } from "../cluster.ts";

interface Report {
  readonly block: number;
  readonly level: StorageLevel;
  readonly memSize: number;
  readonly diskSize: number;
}

const aReport = fc.record({
  block: fc.nat(3),
  level: fc.constantFrom(
    StorageLevel.MEMORY_ONLY,
    StorageLevel.DISK_ONLY,
    StorageLevel.MEMORY_AND_DISK,
    StorageLevel.OFF_HEAP,
    StorageLevel.NONE,
    StorageLevel.MEMORY_AND_DISK_SER.withReplication(0),
  ),
  memSize: fc.nat(500),
  diskSize: fc.nat(500),
});

describe("what the master knows of a block manager", () => {
  it("is the last report of each block, and memory adds up", async () => {
    const cluster = await Cluster.start("in process");
    const property = fc.asyncProperty(fc.array(aReport, { maxLength: 20 }), async (reports) => {
      const { id, master } = await cluster.register({ executorId: "1", maxOnHeapMemSize: 100 });
      const last = new Map<number, Report>();
      for (const report of reports) {
        const { block, level: storageLevel, memSize, diskSize } = report;
        const blockId = rddBlockId(7, block);
        await master.updateBlockInfo({
          blockManagerId: id,
          blockId,
          storageLevel,
          memSize,
          diskSize,
        });
        last.set(block, report);
      }
      const held = [...last.values()].filter(({ level }) => level.isValid);
      const [status] = await master.getStorageStatus();
      const blocks = (status?.blocks ?? []).map(({ blockId, status: of }) => [blockId.name, of]);
      expect(Object.fromEntries(blocks)).toEqual(
        Object.fromEntries(
          held.map((report) => [rddBlockId(7, report.block).name, statusOf(report)]),
        ),
      );
      const [memory] = await master.getMemoryStatus();
      const used = held.reduce((sum, report) => sum + statusOf(report).memSize, 0);
      // More than it has is reported as it is.
      expect(memory?.remainingMem).toBe(100 - used);
      for (const { block, level } of last.values()) {
        const locations = await master.getLocations(rddBlockId(7, block));
        expect(locations.length).toBe(level.isValid ? 1 : 0);
      }
      await master.removeExecutor("1");
    });
    await fc.assert(property, { numRuns: 60 });
    await cluster.close();
  });

  it("forgets an RDD at once, with its memory", async () => {
    await using cluster = await Cluster.start("over sockets");
    const { id, master } = await cluster.register({ executorId: "1" });
    const report = (blockId: BlockId): Promise<boolean> =>
      master.updateBlockInfo({
        blockManagerId: id,
        blockId,
        storageLevel: StorageLevel.MEMORY_AND_DISK,
        memSize: 300,
        diskSize: 5,
      });
    await report(rddBlockId(7, 0));
    await report(rddBlockId(8, 0));
    await master.removeRdd(7);
    const [memory] = await master.getMemoryStatus();
    expect(memory).toMatchObject({ maxMem: 1000, remainingMem: 700 });
    await expect(master.contains(rddBlockId(7, 0))).resolves.toBe(false);
    await expect(master.contains(rddBlockId(8, 0))).resolves.toBe(true);
  });

  it("is exact for sizes beyond 32 bits, over the wire", async () => {
    await using cluster = await Cluster.start("over sockets");
    const maxOnHeapMemSize = 2 ** 52;
    const { id, master } = await cluster.register({ executorId: "1", maxOnHeapMemSize });
    await master.updateBlockInfo({
      blockManagerId: id,
      blockId: rddBlockId(1, 1),
      storageLevel: StorageLevel.DISK_ONLY_2,
      memSize: 0,
      diskSize: Number.MAX_SAFE_INTEGER,
    });
    const [status] = await master.getStorageStatus();
    expect(status?.maxOnHeapMem).toBe(maxOnHeapMemSize);
    expect(status?.blocks[0]?.status.diskSize).toBe(Number.MAX_SAFE_INTEGER);
    expect(status?.blocks[0]?.status.storageLevel).toBe(StorageLevel.DISK_ONLY_2);
    expect(status?.blockManagerId.equals(BlockManagerId.of("1", "h1", 1001))).toBe(true);
  });
});

function statusOf({ level, memSize, diskSize }: Report): {
  readonly storageLevel: StorageLevel;
  readonly memSize: number;
  readonly diskSize: number;
} {
  return {
    storageLevel: level,
    memSize: level.useMemory ? memSize : 0,
    diskSize: level.useDisk ? diskSize : 0,
  };
}
