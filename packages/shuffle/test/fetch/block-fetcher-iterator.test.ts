import { tmpdir } from "node:os";
import { BlockManagerId, shuffleBlockBatchId, shuffleBlockId } from "@bm/block";
import { BytesManagedBuffer, nodePlatform } from "@bm/transport";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type BlockFetchClient,
  type BlocksByLocation,
  type BlockToFetch,
  DownloadFiles,
  ShuffleError,
} from "../../src/index.ts";

import {
  at,
  block,
  FAR,
  FARTHER,
  failureOf,
  LOCAL,
  readAll,
  reader,
  turn,
} from "./reader-under-test.ts";

describe("BlockFetcherIterator", () => {
  it("gives local and remote blocks with what the reader needs to know", async () => {
    const { client, iterator } = reader({
      blocks: [
        { location: LOCAL, blocks: [block(0, 10)] },
        { location: FAR, blocks: [block(1, 10), block(2, 10)] },
      ],
    });
    client.answerAtOnce = true;
    const fetched = await readAll(iterator);
    expect(
      fetched
        .map(
          ({ blockId, location, mapIndex, text }) =>
            `${blockId.name} of ${location.executorId}, map ${mapIndex}: ${text}`,
        )
        .toSorted(),
    ).toEqual([
      "shuffle_7_0_3 of 1, map 100: local shuffle_7_0_3",
      "shuffle_7_1_3 of 2, map 101: remote shuffle_7_1_3",
      "shuffle_7_2_3 of 2, map 102: remote shuffle_7_2_3",
    ]);
  });

  it("ends at once when there is nothing to read", async () => {
    expect(await readAll(reader({ blocks: [] }).iterator)).toEqual([]);
  });

  it("gives local blocks while the remote ones are on their way", async () => {
    const { client, iterator } = reader({
      blocks: [
        { location: FAR, blocks: [block(1, 10)] },
        { location: LOCAL, blocks: [block(0, 10)] },
      ],
    });
    const blocks = iterator[Symbol.asyncIterator]();
    expect((await blocks.next()).value?.blockId.name).toBe("shuffle_7_0_3");
    expect(client.requests).toHaveLength(1);
    client.request(0).succeedAll();
    expect((await blocks.next()).value?.blockId.name).toBe("shuffle_7_1_3");
    expect((await blocks.next()).done).toBe(true);
  });

  it("gives remote blocks in the order of their arrival", async () => {
    const { client, iterator } = reader({
      blocks: [{ location: FAR, blocks: [block(1, 10), block(2, 10), block(3, 10)] }],
    });
    const read = readAll(iterator);
    await turn();
    client.request(0).succeed("shuffle_7_3_3").succeed("shuffle_7_1_3").succeed("shuffle_7_2_3");
    expect((await read).map(({ mapIndex }) => mapIndex)).toEqual([103, 101, 102]);
  });

  it("asks for about a fifth of the bytes in flight at a time", async () => {
    const blocks = [1, 2, 3, 4, 5, 6].map((map) => block(map, 10));
    const { client, iterator } = reader({
      blocks: [{ location: FAR, blocks }],
      maxBytesInFlight: 75,
    });
    void readAll(iterator);
    await turn();
    // A fifth is 15 bytes, so two blocks; three such requests fit into 75 bytes.
    expect(client.requests.map(({ blockIds }) => blockIds.length)).toEqual([2, 2, 2]);
  });

  it("does not ask for more than the limit of bytes, counting what nobody took yet", async () => {
    const blocks = Array.from({ length: 20 }, (_, map) => block(map, 10));
    const { client, iterator } = reader({
      blocks: [{ location: FAR, blocks }],
      maxBytesInFlight: 50,
    });
    client.answerAtOnce = true;
    const read = iterator[Symbol.asyncIterator]();
    for (let taken = 1; taken <= 20; taken += 1) {
      const { value } = await read.next();
      value?.buffer.release();
      expect(client.bytesAskedFor - taken * 10).toBeLessThanOrEqual(50);
    }
    expect((await read.next()).done).toBe(true);
  });

  it("fetches a block that is larger than the limit when nothing else is under way", async () => {
    const { client, iterator } = reader({
      blocks: [
        { location: FAR, blocks: [block(1, 5)] },
        { location: FARTHER, blocks: [block(2, 5000)] },
      ],
      maxBytesInFlight: 50,
    });
    const read = readAll(iterator);
    await turn();
    expect(client.requests).toHaveLength(1);
    client.request(0).succeedAll();
    await turn();
    client.request(1).succeedAll();
    expect(await read).toHaveLength(2);
  });

  it("keeps to the number of requests", async () => {
    const { client, iterator } = reader({
      blocks: [1, 2, 3, 4].map((map) => ({ location: at(map), blocks: [block(map, 1)] })),
      maxReqsInFlight: 2,
    });
    const read = readAll(iterator);
    for (const index of [0, 1, 2, 3]) {
      await turn();
      expect(client.requests).toHaveLength(Math.min(index + 2, 4));
      client.request(index).succeedAll();
    }
    expect(await read).toHaveLength(4);
  });

  it("keeps to the number of blocks per address, and lets other addresses pass", async () => {
    const blocks = [1, 2, 3, 4, 5].map((map) => block(map, 1));
    const { client, iterator } = reader({
      blocks: [
        { location: FAR, blocks },
        { location: FARTHER, blocks: [block(6, 1)] },
      ],
      maxBlocksInFlightPerAddress: 2,
    });
    const read = readAll(iterator);
    await turn();
    expect(new Set(client.requests.map(({ port }) => port))).toEqual(new Set([7002, 7003]));
    for (let index = 0; index < 4; index += 1) {
      client.request(index).succeedAll();
      await turn();
    }
    expect(await read).toHaveLength(6);
    expect(client.requests.map(({ blockIds }) => blockIds.length).toSorted(ascending)).toEqual([
      1, 1, 2, 2,
    ]);
  });

  it("names the culprit of a failed fetch, before what has arrived", async () => {
    const { client, iterator } = reader({
      blocks: [{ location: FAR, blocks: [block(1, 10), block(2, 10)] }],
    });
    const failed = failureOf(iterator);
    await turn();
    const cause = new Error("no such file");
    client.request(0).succeed("shuffle_7_1_3").fail("shuffle_7_2_3", cause);
    const error = await failed;
    expect(error).toMatchObject({ code: "FETCH_FAILED", cause });
    expect(error.culprit).toEqual({
      location: FAR,
      shuffleId: 7,
      mapId: 2n,
      mapIndex: 102,
      reduceId: 3,
    });
    expect(client.released).toEqual(["shuffle_7_1_3"]);
  });

  it("names the first partition when a run of them failed", async () => {
    const blockId = shuffleBlockBatchId(7, 5n, 4, 9);
    const { client, iterator } = reader({
      blocks: [{ location: FAR, blocks: [{ blockId, size: 10, mapIndex: 3 }] }],
    });
    const failed = failureOf(iterator);
    await turn();
    client.request(0).fail(blockId.name, new Error("gone"));
    expect((await failed).culprit).toMatchObject({ mapId: 5n, mapIndex: 3, reduceId: 4 });
  });

  it("names this executor when a local block cannot be read", async () => {
    const { iterator } = reader({
      blocks: [{ location: LOCAL, blocks: [block(1, 10)] }],
      blockManager: {
        getLocalBlockData: () => {
          throw new ShuffleError("BLOCK_NOT_FOUND", "not here");
        },
      },
    });
    const error = await failureOf(iterator);
    expect(error).toMatchObject({ code: "FETCH_FAILED", culprit: { location: LOCAL, mapId: 1n } });
  });

  it("refuses an empty block, local or remote", async () => {
    const empty = new BytesManagedBuffer(new Uint8Array(0));
    const local = reader({
      blocks: [{ location: LOCAL, blocks: [block(1, 10)] }],
      blockManager: { getLocalBlockData: () => empty },
    });
    expect((await failureOf(local.iterator)).message).toContain("empty");

    const remote = reader({ blocks: [{ location: FAR, blocks: [block(1, 10)] }] });
    const failed = failureOf(remote.iterator);
    await turn();
    remote.client.request(0).succeedWith("shuffle_7_1_3", empty);
    expect(await failed).toMatchObject({ code: "FETCH_FAILED", culprit: { location: FAR } });
  });

  it("says when its client refuses to fetch", async () => {
    const client: BlockFetchClient = {
      fetchBlocks: () => Promise.reject(new ShuffleError("CLOSED", "closed")),
    };
    const { iterator } = reader({ blocks: [{ location: FAR, blocks: [block(1, 10)] }], client });
    expect(await failureOf(iterator)).toMatchObject({
      code: "FETCH_FAILED",
      cause: { code: "CLOSED" },
    });
  });

  it("stops when the reader has enough, and releases what it did not take", async () => {
    const { client, iterator } = reader({
      blocks: [{ location: FAR, blocks: [block(1, 10), block(2, 10), block(3, 10)] }],
    });
    const blocks = iterator[Symbol.asyncIterator]();
    const first = blocks.next();
    await turn();
    client.request(0).succeed("shuffle_7_1_3").succeed("shuffle_7_2_3");
    (await first).value?.buffer.release();
    await blocks.return();
    expect(client.request(0).signal?.aborted).toBe(true);
    client.request(0).succeed("shuffle_7_3_3");
    expect(client.released).toEqual(["shuffle_7_1_3", "shuffle_7_2_3", "shuffle_7_3_3"]);
  });

  it("stops when its signal fires, also while it waits", async () => {
    const controller = new AbortController();
    const { client, iterator } = reader({
      blocks: [{ location: FAR, blocks: [block(1, 10)] }],
      signal: controller.signal,
    });
    const failed = failureOf(iterator);
    await turn();
    controller.abort(new Error("task killed"));
    expect(await failed).toMatchObject({ code: "FETCH_ABORTED", cause: new Error("task killed") });
    client.request(0).succeedAll();
    expect(client.released).toEqual(["shuffle_7_1_3"]);
  });

  it("asks nobody when its signal fired before", async () => {
    const { client, iterator } = reader({
      blocks: [{ location: FAR, blocks: [block(1, 10)] }],
      signal: AbortSignal.abort(),
    });
    expect(await failureOf(iterator)).toMatchObject({ code: "FETCH_ABORTED" });
    expect(client.requests).toHaveLength(0);
  });

  it("can be iterated once", () => {
    const { iterator } = reader({ blocks: [] });
    iterator[Symbol.asyncIterator]();
    expect(() => iterator[Symbol.asyncIterator]()).toThrow(ShuffleError);
  });

  it.each([
    ["an empty block", { blocks: [{ location: FAR, blocks: [block(1, 0)] }] }],
    ["a block without a size", { blocks: [{ location: FAR, blocks: [block(1, Number.NaN)] }] }],
    [
      "a block that is wanted twice",
      { blocks: [{ location: FAR, blocks: [block(1, 1), block(1, 1)] }] },
    ],
    ["a limit of nothing", { blocks: [], maxBytesInFlight: 0 }],
    ["a limit that is no number", { blocks: [], maxReqsInFlight: Number.NaN }],
  ])("refuses %s", (_, options) => {
    expect(() => reader(options)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });

  it("asks for neighbouring partitions of a map as one run", async () => {
    const part = (map: number, reduceId: number): BlockToFetch => ({
      blockId: shuffleBlockId(7, BigInt(map), reduceId),
      size: 10,
      mapIndex: 100 + map,
    });
    const { client, iterator } = reader({
      // Partition 2 of map 1 is empty, and therefore left out.
      blocks: [{ location: FAR, blocks: [part(1, 0), part(1, 1), part(1, 3), part(2, 3)] }],
      mergeRuns: true,
    });
    client.answerAtOnce = true;
    const fetched = await readAll(iterator);
    expect(client.request(0).blockIds).toEqual(["shuffle_7_1_0_4", "shuffle_7_2_3_4"]);
    expect(fetched.map(({ mapIndex }) => mapIndex)).toEqual([101, 102]);
  });

  it("asks for single partitions by their own names when no two are neighbours", async () => {
    const { client, iterator } = reader({
      blocks: [{ location: FAR, blocks: [block(1, 10), block(2, 10)] }],
      mergeRuns: true,
    });
    client.answerAtOnce = true;
    await readAll(iterator);
    expect(client.request(0).blockIds).toEqual(["shuffle_7_1_3", "shuffle_7_2_3"]);
  });

  it("fetches requests above a size into files, and others into memory", async () => {
    const { files, random } = nodePlatform();
    const downloads = new DownloadFiles({ files, random, directory: tmpdir() });
    const { client, iterator } = reader({
      blocks: [
        { location: FAR, blocks: [block(1, 100)] },
        { location: FARTHER, blocks: [block(2, 101)] },
      ],
      maxBytesInMemory: 100,
      downloads,
    });
    client.answerAtOnce = true;
    await readAll(iterator);
    const usesOf = new Map(client.requests.map((request) => [request.port, request.downloads]));
    expect(usesOf).toEqual(
      new Map([
        [FAR.port, undefined],
        [FARTHER.port, downloads],
      ]),
    );
  });

  it("reads blocks of its own host from their files where it can", async () => {
    const neighbour = BlockManagerId.of("9", LOCAL.host, 7009);
    const asked: string[] = [];
    const { client, iterator } = reader({
      blocks: [
        { location: neighbour, blocks: [block(1, 10)] },
        { location: LOCAL, blocks: [block(2, 10)] },
      ],
      hostLocal: {
        read: async (location, { name }) => {
          asked.push(`${location.executorId} ${name}`);
          return new BytesManagedBuffer(Buffer.from("from the neighbour's file"));
        },
      },
    });
    const texts = (await readAll(iterator)).map(({ text }) => text);
    expect(texts.toSorted()).toEqual(["from the neighbour's file", "local shuffle_7_2_3"]);
    expect([asked, client.requests]).toEqual([["9 shuffle_7_1_3"], []]);
  });

  it("gives every block once, in whatever order they arrive and whatever the limits", async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 25 });
    const limits = fc.record({
      maxBytesInFlight: fc.integer({ min: 1, max: 100 }),
      maxReqsInFlight: fc.integer({ min: 1, max: 5 }),
      maxBlocksInFlightPerAddress: fc.integer({ min: 1, max: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(sizes, limits, fc.nat(), async (all, options, seed) => {
        const blocks = all.map((size, map) => ({
          location: [LOCAL, FAR, FARTHER][map % 3] ?? FAR,
          blocks: [block(map, size)],
        }));
        const { client, iterator } = reader({ blocks: byLocation(blocks), ...options });
        const read = readAll(iterator);
        // Each turn answers one block, so all are answered well before this ends.
        for (let step = 0; step < 4 * blocks.length; step += 1) {
          await turn();
          client.succeedAnyOne(seed + step * 7919);
        }
        const names = (await read).map(({ blockId }) => blockId.name);
        expect(names).toHaveLength(blocks.length);
        expect(new Set(names)).toEqual(
          new Set(blocks.map(({ blocks: [only] }) => only?.blockId.name)),
        );
      }),
      { numRuns: 60 },
    );
  });
});

function byLocation(blocks: readonly BlocksByLocation[]): BlocksByLocation[] {
  return [LOCAL, FAR, FARTHER].map((location) => ({
    location,
    blocks: blocks.filter((one) => one.location === location).flatMap((one) => one.blocks),
  }));
}

function ascending(a: number, b: number): number {
  return a - b;
}
