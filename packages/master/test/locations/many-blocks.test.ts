/** Locations of more blocks than the model has, so that tables grow, shrink and are used again. */
import {
  type BlockId,
  broadcastBlockId,
  rddBlockId,
  StorageLevel,
  taskResultBlockId,
} from "@bm/block";
import { describe, expect, it } from "vitest";
import { Cluster, type Executor } from "../cluster.ts";
import { seeded } from "../model/random-steps.ts";

const LEVELS = [StorageLevel.MEMORY_ONLY, StorageLevel.DISK_ONLY_3, StorageLevel.OFF_HEAP];
const GONE = { storageLevel: StorageLevel.NONE, memSize: 0, diskSize: 0 };
const BLOCKS_PER_REPORT = 2000;

/** What each executor has: the text of a status by the name of a block. */
type Expected = Map<string, Map<string, string>>;

function anyBlock(below: (bound: number) => number): BlockId {
  const kind = below(10);
  // Neighbours and strangers, the largest numbers among them.
  if (kind < 6) return rddBlockId(below(3), below(4000));
  if (kind < 7) return rddBlockId(2 ** 31 - 1 - below(2), 2 ** 31 - 1 - below(2000));
  if (kind < 9) return broadcastBlockId(2n ** 63n - 1n - BigInt(below(500)), `piece${below(4)}`);
  return taskResultBlockId(BigInt(below(500)));
}

async function reportMany(
  { id, master }: Executor,
  of: Map<string, string>,
  below: (bound: number) => number,
): Promise<void> {
  const blocks = Array.from({ length: BLOCKS_PER_REPORT }, () => {
    const blockId = anyBlock(below);
    const storageLevel = LEVELS[below(LEVELS.length)] ?? StorageLevel.NONE;
    const { useMemory, useDisk } = storageLevel;
    const memSize = useMemory ? below(2 ** 31) * 1000 : 0;
    const diskSize = useDisk ? below(2 ** 31) * 1000 : 0;
    const isGone = below(3) === 0;
    if (isGone) of.delete(blockId.name);
    else
      of.set(
        blockId.name,
        `${storageLevel.flags} ${storageLevel.replication} ${memSize} ${diskSize}`,
      );
    return { blockId, status: isGone ? GONE : { storageLevel, memSize, diskSize } };
  });
  await master.reportBlocks({ blockManagerId: id, blocks, isLastOfAll: false });
}

async function look({ master }: Cluster): Promise<Expected> {
  const statuses = await master.getStorageStatus();
  return new Map(
    statuses.map(({ blockManagerId: { executorId }, blocks }) => [
      executorId,
      new Map(
        blocks.map(({ blockId, status: { storageLevel, memSize, diskSize } }) => {
          const { flags, replication } = storageLevel;
          return [blockId.name, `${flags} ${replication} ${memSize} ${diskSize}`];
        }),
      ),
    ]),
  );
}

function sorted(of: Expected): unknown {
  return [...of].map(([executorId, blocks]) => [executorId, [...blocks].map(String).toSorted()]);
}

describe("the locations of many blocks", () => {
  for (const seed of [1, 2, 3]) {
    it(`are those that were reported, whatever went before (seed ${seed})`, async () => {
      await using cluster = await Cluster.start("in process", { replicatesLost: false });
      const below = seeded(seed);
      const expected: Expected = new Map();
      const executors = new Map<string, Executor>();
      for (let round = 0; round < 24; round++) {
        const executorId = String(below(4));
        const executor =
          executors.get(executorId) ?? (await cluster.register({ executorId, port: 1 + round }));
        executors.set(executorId, executor);
        const of = expected.get(executorId) ?? new Map<string, string>();
        expected.set(executorId, of);
        await reportMany(executor, of, below);
        if (below(4) === 0) {
          await cluster.master.removeRdd(round % 3);
          forgetRdd(expected, round % 3);
        }
        if (below(6) === 0) {
          await cluster.master.removeExecutor(executorId);
          expected.delete(executorId);
          executors.delete(executorId);
        }
      }
      const seen = await look(cluster);
      expect(sorted(seen)).toEqual(sorted(expected));
      for (const id of executors.keys()) await cluster.master.removeExecutor(id);
      await expect(cluster.master.getSnapshot()).resolves.toMatchObject({
        rdds: [],
        otherBlocks: { blocks: 0, locations: 0, memSize: 0, diskSize: 0 },
      });
    });
  }
});

function forgetRdd(expected: Expected, rddId: number): void {
  for (const of of expected.values()) {
    for (const name of of.keys()) if (name.startsWith(`rdd_${rddId}_`)) of.delete(name);
  }
}
