import { BlockManagerId } from "@bm/block";
import { BytesManagedBuffer } from "@bm/transport";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ShuffleError } from "../../src/index.ts";
import { FAR, failureOf, LOCAL, type Read, readAll, turn } from "../fetch/reader-under-test.ts";
import {
  bitmapOf,
  type Chunks,
  MERGER,
  MergedTestClient,
  mapsOf,
  mergedReader,
  metaOf,
  original,
  originalsOf,
  partition,
} from "./merged-reader-under-test.ts";

const HERE = BlockManagerId.of("shuffle-push-merger", LOCAL.host, 7337);

const refused = new Error("no");

function names(read: readonly Read[]): string[] {
  return read.map(({ blockId }) => blockId.name).toSorted();
}

describe("a push-merged partition", () => {
  it("comes chunk by chunk", async () => {
    const { client, iterator } = mergedReader({ 3: [[1, 2], [5]] });
    client.answerAtOnce = true;
    const read = await readAll(iterator);
    expect(names(read)).toEqual(["shuffleChunk_7_2_3_0", "shuffleChunk_7_2_3_1"]);
    expect(read[0]).toMatchObject({ mapIndex: -1, location: MERGER });
    expect(iterator.pushMerged).toEqual({ chunks: 2, blocks: 3, fallbacks: 0, corruptChunks: 0 });
  });

  it("comes beside the blocks that were not merged", async () => {
    const blocks = [{ location: FAR, blocks: [original(9, 3)] }];
    const { client, iterator } = mergedReader({ 3: [[1, 2]] }, { blocks });
    client.answerAtOnce = true;
    expect(names(await readAll(iterator))).toEqual(["shuffleChunk_7_2_3_0", "shuffle_7_109_3"]);
  });

  it("is read from the originals when its merger cannot say which chunks there are", async () => {
    const { client, iterator } = mergedReader({ 3: [[1, 2], [4]] });
    client.answerAtOnce = true;
    client.meta = () => Promise.reject(refused);
    const read = await readAll(iterator);
    expect(names(read)).toEqual(["shuffle_7_101_3", "shuffle_7_102_3", "shuffle_7_104_3"]);
    expect(read.find(({ mapIndex }) => mapIndex === 1)?.location).toBe(FAR);
    expect(read.find(({ mapIndex }) => mapIndex === 4)?.location).toBe(LOCAL);
    expect(iterator.pushMerged.fallbacks).toBe(1);
  });

  const run = Buffer.from("3b300000010000ffff01000000ffff", "hex");
  it.each([
    ["no chunk", { numChunks: 0, bytes: Buffer.alloc(0) }],
    [
      "more chunks than maps",
      { numChunks: 4, bytes: Buffer.concat([1, 2, 4, 5].map((map) => bitmapOf([map]))) },
    ],
    ["a chunk that has no bitmap", { numChunks: 2, bytes: bitmapOf([1, 2, 4]) }],
    [
      "a bitmap too many",
      { numChunks: 1, bytes: Buffer.concat([bitmapOf([1, 2, 4]), bitmapOf([1])]) },
    ],
    ["a map less", { numChunks: 1, bytes: bitmapOf([1, 2]) }],
    ["a map that was not merged", { numChunks: 1, bytes: bitmapOf([1, 2, 4, 5]) }],
    ["a map twice", { numChunks: 2, bytes: Buffer.concat([bitmapOf([1, 2, 4]), bitmapOf([2])]) }],
    ["a run of all maps that there can be", { numChunks: 1, bytes: run }],
    ["bytes that are no bitmap", { numChunks: 1, bytes: Buffer.from("what is this") }],
  ])("is read from the originals when its merger tells of %s", async (_, { bytes, numChunks }) => {
    const { client, iterator } = mergedReader({ 3: [[1, 2, 4]] });
    client.answerAtOnce = true;
    client.meta = () => Promise.resolve({ numChunks, bitmaps: new BytesManagedBuffer(bytes) });
    expect(names(await readAll(iterator))).toEqual([
      "shuffle_7_101_3",
      "shuffle_7_102_3",
      "shuffle_7_104_3",
    ]);
  });
});

describe("a chunk that cannot be had", () => {
  const chunks: Chunks = {
    3: [
      [0, 1],
      [2, 3],
      [4, 5],
    ],
    4: [[0], [1]],
  };

  it("is replaced by the blocks of exactly its maps", async () => {
    const { client, iterator } = mergedReader({
      3: [
        [0, 1],
        [2, 3],
        [4, 5],
      ],
    });
    const read = readAll(iterator);
    await turn();
    client.request(0).succeed("shuffleChunk_7_2_3_0").succeed("shuffleChunk_7_2_3_2");
    client.request(0).fail("shuffleChunk_7_2_3_1", refused);
    await turn();
    expect(client.requests.slice(1).map(({ blockIds }) => blockIds)).toEqual([["shuffle_7_103_3"]]);
    client.request(1).succeedAll();
    expect(names(await read)).toEqual([
      "shuffleChunk_7_2_3_0",
      "shuffleChunk_7_2_3_2",
      "shuffle_7_102_3",
      "shuffle_7_103_3",
    ]);
    expect(iterator.pushMerged).toMatchObject({ chunks: 2, blocks: 4, fallbacks: 1 });
  });

  it("takes the chunks of its partition along that nobody has asked for", async () => {
    // One chunk at a time.
    const { client, iterator } = mergedReader(chunks, { maxReqsInFlight: 1, maxBytesInFlight: 50 });
    const read = readAll(iterator);
    for (let index = 0; ; index += 1) {
      await turn();
      const [first] = client.requests.slice(index);
      if (first === undefined) break;
      if (first.blockIds.includes("shuffleChunk_7_2_3_0"))
        first.fail("shuffleChunk_7_2_3_0", refused);
      else first.succeedAll();
    }
    expect(client.requests.flatMap(({ blockIds }) => blockIds)).not.toContain(
      "shuffleChunk_7_2_3_1",
    );
    expect(names(await read)).toEqual([
      "shuffleChunk_7_2_4_0",
      "shuffleChunk_7_2_4_1",
      ...[100, 101, 102, 103, 104, 105].map((map) => `shuffle_7_${map}_3`),
    ]);
    expect(iterator.pushMerged.fallbacks).toBe(3);
  });

  it("is looked up together with those that fail with it", async () => {
    const asked: number[] = [];
    const { client, iterator } = mergedReader(
      { 3: [[1, 3], [5], [7]] },
      {},
      {
        originalsOf: (merged, maps) => {
          asked.push(maps.numMaps);
          return originalsOf(merged, maps);
        },
      },
    );
    const read = readAll(iterator);
    await turn();
    for (const chunk of [0, 1, 2]) client.request(0).fail(`shuffleChunk_7_2_3_${chunk}`, refused);
    await turn();
    client.request(1).succeedAll();
    expect(await read).toHaveLength(4);
    expect(asked).toEqual([4]);
  });

  it("may be empty, or refused as a whole", async () => {
    const { client, iterator } = mergedReader({ 3: [[0, 2], [4]] });
    const read = readAll(iterator);
    await turn();
    const empty = new BytesManagedBuffer(Buffer.alloc(0));
    client.request(0).succeedWith("shuffleChunk_7_2_3_0", empty).succeed("shuffleChunk_7_2_3_1");
    expect(names(await read)).toEqual([
      "shuffleChunk_7_2_3_1",
      "shuffle_7_100_3",
      "shuffle_7_102_3",
    ]);

    const whole = mergedReader({ 3: [[0, 2], [4]] });
    whole.client.fetchBlocks = () => Promise.reject(new ShuffleError("CLOSED", "closed"));
    expect(await readAll(whole.iterator)).toHaveLength(3);
  });

  it("is not asked for again when it is corrupt", async () => {
    const { client, iterator } = mergedReader(
      { 3: [[0, 2]] },
      {
        verify: ({ blockId }) => {
          if (blockId.kind === "shuffleChunk") throw new Error("bad sum");
        },
      },
    );
    client.answerAtOnce = true;
    expect(names(await readAll(iterator))).toEqual(["shuffle_7_100_3", "shuffle_7_102_3"]);
    expect(client.requests).toHaveLength(1);
    expect(client.diagnosed).toEqual([]);
    expect(client.released).toEqual(["shuffleChunk_7_2_3_0"]);
    expect(iterator.pushMerged).toEqual({ chunks: 0, blocks: 0, fallbacks: 1, corruptChunks: 1 });
  });

  it("is told as corrupt without a diagnosis when the reader finds out later", async () => {
    const { client, iterator } = mergedReader({ 3: [[0, 2]] });
    client.answerAtOnce = true;
    for await (const block of iterator) {
      const failure = await iterator.corruptionOf(block, new Error("bad record"));
      expect(failure.culprit).toMatchObject({
        location: MERGER,
        mapId: -1n,
        mapIndex: -1,
        reduceId: 3,
      });
      expect(failure.cause).toMatchObject({ code: "BLOCK_CORRUPT" });
      block.buffer.release();
    }
    expect(client.diagnosed).toEqual([]);
  });

  const block = original;
  it.each([
    ["one is missing", () => [{ location: FAR, blocks: [block(1, 3)] }], "BLOCK_NOT_FOUND"],
    [
      "one comes twice",
      () => [{ location: FAR, blocks: [block(1, 3), block(1, 3)] }],
      "OPTION_INVALID",
    ],
    [
      "one was not merged",
      () => [{ location: FAR, blocks: [block(1, 3), block(7, 3)] }],
      "OPTION_INVALID",
    ],
    [
      "one is of another partition",
      () => [{ location: FAR, blocks: [block(1, 3), block(2, 4)] }],
      "OPTION_INVALID",
    ],
  ])("fails the reading when %s among the originals", async (_, wrong, code) => {
    const { client, iterator } = mergedReader({ 3: [[1, 2]] }, {}, { originalsOf: wrong });
    client.meta = () => Promise.reject(refused);
    const failure = await failureOf(iterator);
    expect(failure).toMatchObject({ code: "FETCH_FAILED", cause: { code } });
    expect(failure.culprit).toMatchObject({ location: MERGER, mapIndex: -1, reduceId: 3 });
  });

  it("fails the reading when nobody knows where the originals are, or one cannot be had", async () => {
    const lost = mergedReader({ 3: [[1, 2]] }, {}, { originalsOf: () => Promise.reject(refused) });
    lost.client.meta = () => Promise.reject(refused);
    expect((await failureOf(lost.iterator)).cause).toBe(refused);

    const { client, iterator } = mergedReader({ 3: [[1, 3]] });
    client.meta = () => Promise.reject(refused);
    const failure = failureOf(iterator);
    await turn();
    client.request(0).fail("shuffle_7_103_3", refused);
    expect((await failure).culprit).toMatchObject({ location: FAR, mapId: 103n, mapIndex: 3 });
  });
});

describe("the limits of a reading with merged partitions", () => {
  it("count chunks by what is known of their size", async () => {
    const { client, iterator } = mergedReader(
      { 3: [[0], [1], [2], [3]] },
      { maxBytesInFlight: 600 },
    );
    const read = readAll(iterator);
    await turn();
    // A partition of 1,000 bytes has chunks of 250: two fit.
    expect(client.requests.map(({ blockIds }) => blockIds)).toEqual([
      ["shuffleChunk_7_2_3_0"],
      ["shuffleChunk_7_2_3_1"],
    ]);
    for (const index of [0, 1, 2, 3]) {
      client.request(index).succeedAll();
      await turn();
    }
    expect(await read).toHaveLength(4);
  });

  it("count questions to mergers as requests", async () => {
    const chunks: Chunks = { 1: [[0]], 2: [[0]], 3: [[0]] };
    const { client, iterator } = mergedReader(chunks, { maxReqsInFlight: 2 });
    const answers: (() => void)[] = [];
    client.meta = (reduceId) =>
      new Promise((resolve) => answers.push(() => resolve(metaOf(chunks[reduceId] ?? []))));
    client.answerAtOnce = true;
    const read = readAll(iterator);
    await turn();
    expect(client.asked).toEqual([1, 2]);
    answers[0]?.();
    await turn();
    expect(client.asked).toEqual([1, 2, 3]);
    answers[1]?.();
    answers[2]?.();
    expect(await read).toHaveLength(3);
  });

  it("are free again after a chunk has failed", async () => {
    const { client, iterator } = mergedReader(
      { 3: [[1], [3]] },
      {
        maxReqsInFlight: 1,
        maxBlocksInFlightPerAddress: 1,
      },
    );
    const read = readAll(iterator);
    await turn();
    client.request(0).fail("shuffleChunk_7_2_3_0", refused);
    for (const index of [1, 2]) {
      await turn();
      client.request(index).succeedAll();
    }
    expect(names(await read)).toEqual(["shuffle_7_101_3", "shuffle_7_103_3"]);
  });
});

describe("what was merged on this host", () => {
  function here(chunks: Chunks, isMissing: (chunkId: number) => boolean = () => false) {
    return mergedReader(
      chunks,
      { localId: LOCAL },
      {
        partitions: Object.entries(chunks).map(([reduceId, maps]) => ({
          ...partition(Number(reduceId), maps.flat()),
          location: HERE,
        })),
        hostLocal: {
          readMeta: async (_location, { reduceId }) => {
            const { bitmaps, numChunks } = metaOf(chunks[reduceId] ?? []);
            if (isMissing(-1)) throw refused;
            return { numChunks, bitmaps: bitmaps.view };
          },
          readChunk: async (_location, { chunkId, name }) => {
            if (isMissing(chunkId)) throw refused;
            return new BytesManagedBuffer(Buffer.from(`merged ${name}`));
          },
        },
      },
    );
  }

  it("is read from files, without a request", async () => {
    const { client, iterator } = here({ 3: [[1, 2], [5]] });
    const read = await readAll(iterator);
    expect(read.map(({ text }) => text).toSorted()).toEqual([
      "merged shuffleChunk_7_2_3_0",
      "merged shuffleChunk_7_2_3_1",
    ]);
    expect([client.asked, client.requests]).toEqual([[], []]);
  });

  it.each([
    ["the file that tells of the chunks", -1, [100, 102, 104]],
    ["a chunk, with those behind it", 1, [100, 102, 104]],
  ])("is read from the originals without %s", async (_, missing, maps) => {
    const { client, iterator } = here({ 3: [[0], [2], [4]] }, (chunkId) => chunkId === missing);
    client.answerAtOnce = true;
    const read = await readAll(iterator);
    const got = names(read);
    const chunks = got.filter((name) => name.startsWith("shuffleChunk"));
    const originals = got.filter((name) => name.startsWith("shuffle_"));
    expect(chunks.length + originals.length).toBe(3);
    if (missing === -1) expect(originals).toEqual(maps.map((map) => `shuffle_7_${map}_3`));
    else expect(originals).toContain("shuffle_7_102_3");
  });
});

describe("whatever fails", () => {
  const chunking = fc.uniqueArray(fc.nat(20), { minLength: 1, maxLength: 12 }).chain((maps) =>
    fc.array(fc.nat(3), { minLength: maps.length, maxLength: maps.length }).map((cuts) => {
      const chunks: number[][] = [[]];
      for (const [index, map] of maps.entries()) {
        if (cuts[index] === 0 && chunks.at(-1)?.length) chunks.push([]);
        chunks.at(-1)?.push(map);
      }
      return chunks.map((chunk) => chunk.toSorted((a, b) => a - b));
    }),
  );

  it("the block of each map comes once, as a part of a chunk or by itself", async () => {
    const partitions = fc.array(chunking, { minLength: 1, maxLength: 4 });
    const limits = fc.record({
      maxBytesInFlight: fc.integer({ min: 1, max: 3000 }),
      maxReqsInFlight: fc.integer({ min: 1, max: 5 }),
      maxBlocksInFlightPerAddress: fc.integer({ min: 1, max: 5 }),
    });
    const chances = fc.infiniteStream(fc.nat(9));
    await fc.assert(
      fc.asyncProperty(partitions, limits, chances, async (list, options, chance) => {
        const chunks: Chunks = Object.fromEntries(list.entries());
        const { client, iterator } = mergedReader(chunks, {
          ...options,
          verify: ({ blockId }) => {
            if (blockId.kind === "shuffleChunk" && chance.next().value === 0) throw refused;
          },
        });
        client.meta = (reduceId) =>
          chance.next().value === 0
            ? Promise.reject(refused)
            : Promise.resolve(metaOf(chunks[reduceId] ?? []));
        const read = readAll(iterator);
        for (let index = 0; index < 500; index += 1) {
          await turn();
          answerSome(client, () => Number(chance.next().value));
        }
        expect(mapsRead(await read, chunks)).toEqual(
          list
            .flatMap((maps, reduceId) => maps.flat().map((map) => `${map} of ${reduceId}`))
            .toSorted(),
        );
      }),
      { numRuns: 60 },
    );
  });
});

/** Chunks fail a third of the time, from one on; blocks of maps never. */
function answerSome(client: MergedTestClient, chance: () => number): void {
  for (const request of client.requests.filter(({ pending }) => pending.size > 0)) {
    let isFailing = false;
    for (const name of request.pending) {
      isFailing ||= name.startsWith("shuffleChunk") && chance() < 3;
      if (isFailing) request.fail(name, refused);
      else request.succeed(name);
    }
  }
}

function mapsRead(read: readonly Read[], chunks: Chunks): string[] {
  return read
    .flatMap(({ blockId, mapIndex }) =>
      blockId.kind === "shuffleChunk"
        ? (chunks[blockId.reduceId]?.[blockId.chunkId] ?? []).map(
            (map) => `${map} of ${blockId.reduceId}`,
          )
        : [`${mapIndex} of ${blockId.kind === "shuffle" ? blockId.reduceId : "?"}`],
    )
    .toSorted();
}

describe("options that would lose or double records", () => {
  const merged = { location: FAR, blocks: [original(1, 3)] };

  it.each([
    ["a block that is merged, too", { blocks: [merged] }, {}],
    ["a partition twice", {}, { partitions: [partition(3, [1]), partition(3, [2])] }],
    ["an empty partition", {}, { partitions: [partition(3, [1], 0)] }],
    ["a partition of no map", {}, { partitions: [partition(3, [])] }],
    ["a partition of no merger", {}, { partitions: [{ ...partition(3, [1]), location: FAR }] }],
  ])("are refused: %s", (_, options, pushMerged) => {
    expect(() => mergedReader({ 3: [[1]] }, options, pushMerged)).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
  });

  it("are refused: a client that cannot ask for chunks", () => {
    const client = new MergedTestClient({});
    const without = { fetchBlocks: client.fetchBlocks.bind(client) };
    expect(() => mergedReader({ 3: [[1]] }, { client: without })).toThrow(/cannot ask/);
    expect(mapsOf([1]).numMaps).toBe(1);
  });

  it("has no runs, which could span a merged partition", async () => {
    const blocks = [{ location: FAR, blocks: [original(9, 2), original(9, 4)] }];
    const { client, iterator } = mergedReader({ 3: [[1]] }, { blocks, mergeRuns: true });
    client.answerAtOnce = true;
    expect(names(await readAll(iterator))).toEqual([
      "shuffleChunk_7_2_3_0",
      "shuffle_7_109_2",
      "shuffle_7_109_4",
    ]);
  });

  it("gives up and releases everything when the reader does", async () => {
    const given = new AbortController();
    const { client, iterator } = mergedReader({ 3: [[0], [2]] }, { signal: given.signal });
    const failure = failureOf(iterator);
    await turn();
    given.abort(new Error("enough"));
    expect(await failure).toMatchObject({ code: "FETCH_ABORTED" });
    client.request(0).succeed("shuffleChunk_7_2_3_0").fail("shuffleChunk_7_2_3_1", refused);
    expect(client.released).toEqual(["shuffleChunk_7_2_3_0"]);
    expect(client.requests).toHaveLength(1);
  });
});
