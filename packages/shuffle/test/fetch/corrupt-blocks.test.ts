import { join } from "node:path";
import { shuffleBlockBatchId } from "@bm/block";
import { BytesManagedBuffer, FileSegmentManagedBuffer, nodePlatform } from "@bm/transport";
import { describe, expect, it } from "vitest";
import { type FetchedBlock, FetchMemory, ShuffleError } from "../../src/index.ts";
import { at, block, FAR, failureOf, readAll, reader, turn } from "./reader-under-test.ts";

describe("reading a corrupt block", () => {
  const isCorrupt = ({ buffer }: FetchedBlock): void => {
    if ((buffer as BytesManagedBuffer).view[0] === 33) throw new Error("bad header");
  };
  const BAD = Buffer.from("!bad");

  it("fetches it once more", async () => {
    const { client, iterator } = reader({
      blocks: [{ location: FAR, blocks: [block(1, 10), block(2, 10)] }],
      verify: isCorrupt,
    });
    const read = readAll(iterator);
    await turn();
    client.request(0).succeed("shuffle_7_2_3");
    const bad = new BytesManagedBuffer(BAD);
    bad.release = () => client.released.push("bad");
    client.request(0).succeedWith("shuffle_7_1_3", bad);
    await turn();
    expect(client.request(1).blockIds).toEqual(["shuffle_7_1_3"]);
    client.request(1).succeed("shuffle_7_1_3");
    expect((await read).map(({ mapIndex }) => mapIndex)).toEqual([102, 101]);
    expect(client.released.toSorted()).toEqual(["bad", "shuffle_7_1_3", "shuffle_7_2_3"]);
  });

  it("fails the second time, and says whom to blame", async () => {
    const { client, iterator } = reader({
      blocks: [{ location: FAR, blocks: [block(1, 10)] }],
      verify: isCorrupt,
    });
    const failed = failureOf(iterator);
    for (const index of [0, 1]) {
      await turn();
      client.request(index).succeedWith("shuffle_7_1_3", new BytesManagedBuffer(BAD));
    }
    expect(await failed).toMatchObject({
      code: "FETCH_FAILED",
      culprit: { location: FAR, mapId: 1n },
      cause: {
        code: "BLOCK_CORRUPT",
        message: "Block shuffle_7_1_3 is corrupted due to NETWORK_ISSUE (bad header)",
        cause: new Error("bad header"),
      },
    });
    expect(client.diagnosed).toEqual([
      {
        execId: "2",
        shuffleId: 7,
        mapId: 1n,
        reduceId: 3,
        // Adler-32 of "!bad".
        checksum: 0x02d4_0149n,
        algorithm: "ADLER32",
      },
    ]);
  });

  it("fails at once when it lies in a file", async () => {
    const { files } = nodePlatform();
    const path = join(import.meta.dirname, "corrupt-blocks.test.ts");
    const { client, iterator } = reader({
      blocks: [{ location: FAR, blocks: [block(1, 10)] }],
      verify: () => Promise.reject(new Error("bad")),
    });
    const failed = failureOf(iterator);
    await turn();
    const inFile = new FileSegmentManagedBuffer({ files, path, offset: 0, length: 5 });
    client.request(0).succeedWith("shuffle_7_1_3", inFile);
    expect(await failed).toMatchObject({ cause: { code: "BLOCK_CORRUPT" } });
    expect(client.diagnosed).toHaveLength(1);
  });

  it("says whom to blame when the reader finds it later", async () => {
    const { client, iterator } = reader({ blocks: [{ location: FAR, blocks: [block(1, 10)] }] });
    const blocks = iterator[Symbol.asyncIterator]();
    const first = blocks.next();
    await turn();
    client.request(0).succeed("shuffle_7_1_3");
    const { value } = await first;
    const error = await iterator.corruptionOf(value as FetchedBlock, new Error("bad record"));
    expect(error).toMatchObject({
      code: "FETCH_FAILED",
      culprit: { mapId: 1n },
      cause: { code: "BLOCK_CORRUPT" },
    });
    value?.buffer.release();
    await blocks.return();
  });

  it("has no checksum for a run of partitions", async () => {
    const blockId = shuffleBlockBatchId(7, 5n, 4, 9);
    const { client, iterator } = reader({
      blocks: [{ location: FAR, blocks: [{ blockId, size: 10, mapIndex: 3 }] }],
      verify: isCorrupt,
    });
    const failed = failureOf(iterator);
    for (const index of [0, 1]) {
      await turn();
      client.request(index).succeedWith(blockId.name, new BytesManagedBuffer(BAD));
    }
    expect((await failed).message).toContain("has no checksum");
    expect(client.diagnosed).toEqual([]);
  });
});

describe("sharing memory with other readers", () => {
  it("puts a request off while others hold the memory", async () => {
    const memory = new FetchMemory(100);
    const one = reader({ blocks: [{ location: FAR, blocks: [block(1, 90)] }], memory });
    const blocks = [block(2, 5), block(3, 20)];
    const two = reader({
      blocks: blocks.map((only, index) => ({ location: at(index), blocks: [only] })),
      memory,
    });
    const first = one.iterator[Symbol.asyncIterator]();
    const got = first.next();
    const read = readAll(two.iterator);
    await turn();
    // It has nothing under way at first, so it may ask for one whatever there is.
    expect(two.client.requests).toHaveLength(1);
    expect(memory.waiting).toBe(1);
    one.client.request(0).succeedAll();
    (await got).value?.buffer.release();
    expect(two.client.requests).toHaveLength(2);
    for (const request of two.client.requests) request.succeedAll();
    expect(await read).toHaveLength(2);
    expect((await first.next()).done).toBe(true);
    expect([memory.bytes, memory.waiting]).toEqual([0, 0]);
  });

  it("gives back what it holds when it ends early", async () => {
    const memory = new FetchMemory(100);
    const blocks = [1, 2, 3].map((map) => ({ location: at(map), blocks: [block(map, 50)] }));
    const { client, iterator } = reader({ blocks, memory });
    const reading = iterator[Symbol.asyncIterator]();
    const first = reading.next();
    await turn();
    expect([memory.bytes, memory.waiting]).toEqual([100, 1]);
    client.request(0).succeedAll();
    (await first).value?.buffer.release();
    await reading.return();
    expect([memory.bytes, memory.waiting]).toEqual([0, 0]);
  });

  it("refuses a limit of nothing", () => {
    expect(() => new FetchMemory(0)).toThrow(ShuffleError);
  });
});
