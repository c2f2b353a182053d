import { readFile, rm, writeFile } from "node:fs/promises";
import { BlockManagerId } from "@bm/block";
import { afterEach, beforeEach, expect, it } from "vitest";
import {
  BlockFetcherIterator,
  type BlockFetcherIteratorOptions,
  HostLocalMergedBlocks,
  type PushMergedFigures,
  type PushMergedPartition,
} from "../../src/index.ts";
import { endAll } from "../service/service-under-test.ts";
import { APP, files, MAPS, PARTITIONS, PushedShuffle, random, wantedOf } from "./pushed-shuffle.ts";

let shuffle: PushedShuffle;
let partitions: readonly PushMergedPartition[];

beforeEach(async () => {
  shuffle = await PushedShuffle.start();
  // One map is late, as there is always one.
  await shuffle.push(Array.from({ length: MAPS - 1 }, (_, map) => map));
  partitions = await shuffle.finalize();
});
afterEach(endAll);

interface Result {
  readonly content: Readonly<Record<number, readonly string[]>>;
  readonly figures: PushMergedFigures;
}

/** Reads all partitions: blocks of maps by partition, and how they came. */
async function read(
  options: Partial<BlockFetcherIteratorOptions> = {},
  isHere = false,
): Promise<Result> {
  const hostLocal = new HostLocalMergedBlocks({ files, client: shuffle.client, appId: APP });
  const merged = new Map(partitions.map((one) => [one.blockId.reduceId, one.maps]));
  const reading = new BlockFetcherIterator({
    localId: BlockManagerId.of("9", isHere ? "127.0.0.1" : "elsewhere", 1),
    blockManager: { getLocalBlockData: () => Promise.reject(new Error("nothing is local")) },
    client: shuffle.client,
    random,
    blocks: Array.from({ length: PARTITIONS }, (_, reduceId) =>
      shuffle.blocksOf(reduceId, (map) => !merged.get(reduceId)?.hasMap(map)),
    ).flat(),
    pushMerged: {
      partitions,
      originalsOf: ({ blockId }, maps) =>
        shuffle.blocksOf(blockId.reduceId, (map) => maps.hasMap(map)),
      ...(isHere && { hostLocal }),
    },
    ...options,
  });
  const content: Record<number, string[]> = {};
  for await (const { blockId, buffer } of reading) {
    const reduceId = blockId.kind === "shuffleBatch" ? -1 : blockId.reduceId;
    const text = Buffer.from(await buffer.bytes()).toString();
    // A chunk has the blocks of several maps, one behind the other.
    content[reduceId] = [...(content[reduceId] ?? []), ...blocksIn(text)].toSorted();
    buffer.release();
  }
  return { content, figures: reading.pushMerged };
}

function blocksIn(text: string): string[] {
  return [...text.matchAll(/(<[^>]*>)\1*/g)].map(([block]) => block);
}

const wanted = Object.fromEntries(
  Array.from({ length: PARTITIONS }, (_, reduceId) => [reduceId, wantedOf(reduceId)]),
);

it("reads merged partitions in chunks, and the map that came too late by itself", async () => {
  const { content, figures } = await read();
  expect(content).toEqual(wanted);
  expect(figures.fallbacks).toBe(0);
  expect(figures.chunks).toBeGreaterThan(PARTITIONS);
  expect(figures.blocks).toBeGreaterThan(figures.chunks);
});

it("reads what was merged on this host from its files", async () => {
  const asked: string[] = [];
  const client = {
    fetchBlocks: (...parameters: Parameters<typeof shuffle.client.fetchBlocks>) => {
      asked.push(...parameters[3]);
      return shuffle.client.fetchBlocks(...parameters);
    },
    getMergedBlockMeta: () => Promise.reject(new Error("it should not be asked")),
  };
  const { content, figures } = await read({ client }, true);
  expect(content).toEqual(wanted);
  expect(figures).toMatchObject({ fallbacks: 0, corruptChunks: 0 });
  // Only those of the map that came too late.
  expect(asked.every((name) => name.startsWith(`shuffle_0_${MAPS - 1}_`))).toBe(true);
});

it.each([false, true])(
  "reads the originals of what the merger has lost (same host: %s)",
  async (isHere) => {
    await rm(shuffle.mergedPath(2, "data"));
    await rm(shuffle.mergedPath(3, "meta"));
    const { content, figures } = await read({}, isHere);
    expect(content).toEqual(wanted);
    expect(figures.fallbacks).toBeGreaterThanOrEqual(2);
  },
);

it.each([false, true])(
  "reads the originals of a chunk that is corrupt (same host: %s)",
  async (isHere) => {
    const path = shuffle.mergedPath(1, "data");
    const bytes = await readFile(path);
    bytes.write("?", 1);
    await writeFile(path, bytes);
    const verify: BlockFetcherIteratorOptions["verify"] = async ({ buffer }) => {
      if (Buffer.from(await buffer.bytes()).includes("?")) throw new Error("not what was written");
    };
    const { content, figures } = await read({ verify }, isHere);
    expect(content).toEqual(wanted);
    expect(figures).toMatchObject({ fallbacks: 1, corruptChunks: 1 });
  },
);

it("reads everything from the originals when the merger is out of reach", async () => {
  const nowhere = BlockManagerId.of("shuffle-push-merger", "127.0.0.1", 1);
  partitions = partitions.map((one) => ({ ...one, location: nowhere }));
  const { content, figures } = await read();
  expect(content).toEqual(wanted);
  expect(figures).toMatchObject({ chunks: 0, fallbacks: partitions.length });
});

it("pushes nothing any more once the merging is over", async () => {
  expect(await shuffle.push([MAPS - 1])).toBe(0);
});
