import { BlockManagerId, tryParseBlockId } from "@bm/block";
import { type Files, type ManagedBuffer, TransportError } from "@bm/transport";
import { createMemoryFiles, createSeededRandom } from "@bm/transport/testing";
import * as fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import {
  type BlockPushingListener,
  type PushClient,
  type PushOutcome,
  ShuffleBlockPusher,
  type ShuffleBlockPusherOptions,
  ShuffleError,
  ShuffleIndexFile,
} from "../../src/index.ts";

const DATA = "/data/shuffle_5_40_0.data";
const INDEX = "/data/shuffle_5_40_0.index";
const MERGERS = [1, 2, 3].map((index) =>
  BlockManagerId.of("shuffle-push-merger", `merger-${index}`, 7000 + index),
);

interface Pushed {
  readonly port: number;
  readonly name: string;
  readonly bytes: Buffer;
}

/** Takes what is pushed, and answers when it is told to. */
class TestMergers implements PushClient {
  readonly requests: { readonly port: number; readonly names: readonly string[] }[] = [];
  readonly pushed: Pushed[] = [];
  readonly open: (() => void)[] = [];
  isHeld = false;
  answer: (port: number, name: string) => Error | null = () => null;
  inFlight = 0;
  inFlightMost = 0;

  async pushBlocks(
    _host: string,
    port: number,
    blocks: ReadonlyMap<string, ManagedBuffer>,
    listener: BlockPushingListener,
  ): Promise<void> {
    this.requests.push({ port, names: [...blocks.keys()] });
    for (const { size } of blocks.values()) this.inFlight += size;
    this.inFlightMost = Math.max(this.inFlightMost, this.inFlight);
    if (this.isHeld) await new Promise<void>((resolve) => this.open.push(resolve));
    for (const [name, body] of blocks) {
      const error = this.answer(port, name);
      this.inFlight -= body.size;
      if (error === null) {
        this.pushed.push({ port, name, bytes: Buffer.from(await body.bytes()) });
        listener.onBlockPushSuccess(name);
      } else listener.onBlockPushFailure(name, error);
    }
  }
}

let files: Files;
let mergers: TestMergers;

beforeEach(() => {
  files = createMemoryFiles();
  mergers = new TestMergers();
});

/** Each partition is filled with its number. */
async function write(lengths: readonly number[]): Promise<void> {
  await files.makeDirectory("/data");
  await files.writeFile(INDEX, ShuffleIndexFile.fromLengths(lengths).toBytes());
  const content = lengths.map((length, reduceId) => Buffer.alloc(length, reduceId));
  await files.writeFile(DATA, Buffer.concat(content));
}

function push(
  options: Partial<ShuffleBlockPusherOptions> = {},
  signal?: AbortSignal,
): Promise<PushOutcome> {
  const random = createSeededRandom(1);
  const pusher = new ShuffleBlockPusher({ client: mergers, files, random, ...options });
  const ids = { shuffleId: 5, shuffleMergeId: 2, mapIndex: 4 };
  return pusher.push({ ...ids, mergers: MERGERS, data: DATA, index: INDEX }, { signal });
}

function reduceIdsOf(names: readonly string[]): number[] {
  return names.map((name) => Number(name.split("_")[4])).toSorted((a, b) => a - b);
}

function requested(): string[] {
  return mergers.requests
    .map(({ names, port }) => `${port}: ${reduceIdsOf(names).join(" ")}`)
    .toSorted();
}

const tooLate = new ShuffleError("PUSH_REFUSED", "too late", {
  pushReturnCode: "TOO_LATE_BLOCK_PUSH",
});
const collision = new ShuffleError("PUSH_REFUSED", "collision", {
  pushReturnCode: "BLOCK_APPEND_COLLISION_DETECTED",
});
const unreachable = new TransportError("CONNECT_FAILED", "nobody is there");

describe("ShuffleBlockPusher", () => {
  it("pushes each partition to its merger, neighbours together", async () => {
    await write([5, 5, 5, 5, 5, 5]);
    expect(await push()).toEqual({ pushed: 6, failed: 0, dropped: 0, stoppedBy: null });
    expect(requested()).toEqual(["7001: 0 1", "7002: 2 3", "7003: 4 5"]);
    expect(mergers.pushed.every(({ name }) => name.startsWith("shufflePush_5_2_4_"))).toBe(true);
  });

  it("leaves out empty partitions and those that are too large", async () => {
    await write([5, 0, 50, 5, 5, 5]);
    await push({ maxBlockSizeToPush: 20 });
    expect(requested()).toEqual(["7001: 0", "7002: 3", "7003: 4 5"]);
  });

  it("reads and pushes no more together than it may", async () => {
    await write([5, 5, 5, 5, 5, 5, 5, 5, 5]);
    await push({ maxBlockBatchSize: 12 });
    expect(requested()).toEqual([
      "7001: 0 1",
      "7001: 2",
      "7002: 3 4",
      "7002: 5",
      "7003: 6 7",
      "7003: 8",
    ]);
  });

  it("pushes every block that may be pushed once, with its bytes, whatever the limits are", async () => {
    const lengths = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 60 })), {
      minLength: 1,
    });
    const options = fc.record({
      maxBlockSizeToPush: fc.integer({ min: 1, max: 60 }),
      maxBlockBatchSize: fc.integer({ min: 1, max: 200 }),
      maxBytesInFlight: fc.integer({ min: 1, max: 200 }),
      maxReqsInFlight: fc.integer({ min: 1, max: 4 }),
      maxBlocksInFlightPerAddress: fc.integer({ min: 1, max: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(lengths, options, async (sizes, limits) => {
        mergers = new TestMergers();
        await write(sizes);
        const { pushed } = await push(limits);
        const expected = sizes
          .map((size, reduceId) => ({ size, reduceId }))
          .filter(({ size }) => size > 0 && size <= limits.maxBlockSizeToPush);
        expect(pushed).toBe(expected.length);
        const largest = Math.max(0, ...expected.map(({ size }) => size));
        const most = Math.max(limits.maxBytesInFlight, largest, limits.maxBlockBatchSize);
        expect(mergers.inFlightMost).toBeLessThanOrEqual(most);
        for (const { bytes, name, port } of mergers.pushed) {
          const id = tryParseBlockId(name);
          const reduceId = id?.kind === "shufflePush" ? id.reduceId : -1;
          expect(bytes).toEqual(Buffer.alloc(sizes[reduceId] ?? 0, reduceId));
          expect(port).toBe(7001 + Math.floor((reduceId / sizes.length) * MERGERS.length));
        }
        expect(reduceIdsOf(mergers.pushed.map(({ name }) => name))).toEqual(
          expected.map(({ reduceId }) => reduceId),
        );
      }),
      { numRuns: 100 },
    );
  });

  it("has no more under way than it may, and goes on when something was told", async () => {
    await write(Array.from({ length: 9 }, () => 10));
    mergers.isHeld = true;
    const pushing = push({ maxBlockBatchSize: 10, maxReqsInFlight: 2 });
    for (let count = 2; count <= 9; count += 1) {
      await expect.poll(() => mergers.requests.length).toBe(count);
      mergers.open.shift()?.();
    }
    mergers.open.shift()?.();
    expect((await pushing).pushed).toBe(9);
  });

  it("leaves a merger alone that cannot be reached, and goes on with the others", async () => {
    await write(Array.from({ length: 9 }, () => 10));
    mergers.answer = (port) => (port === 7002 ? unreachable : null);
    const outcome = await push({ maxBlockBatchSize: 10, maxReqsInFlight: 1 });
    expect(outcome).toEqual({ pushed: 6, failed: 1, dropped: 2, stoppedBy: null });
  });

  it("stops when a merger says that the merging is over", async () => {
    await write(Array.from({ length: 9 }, () => 10));
    mergers.answer = () => tooLate;
    const outcome = await push({ maxBlockBatchSize: 10, maxReqsInFlight: 1 });
    expect(outcome).toEqual({ pushed: 0, failed: 1, dropped: 8, stoppedBy: tooLate });
  });

  it("goes on after a collision, which concerns its own block only", async () => {
    await write([10, 10, 10]);
    mergers.answer = (_port, name) => (name.endsWith("_1") ? collision : null);
    expect(await push({ maxReqsInFlight: 1 })).toMatchObject({
      pushed: 2,
      failed: 1,
      stoppedBy: null,
    });
  });

  it("stops when the data file is gone, or ends too early", async () => {
    await write([10, 10, 10]);
    await files.writeFile(DATA, Buffer.alloc(25, 1));
    const short = await push({ maxReqsInFlight: 1 });
    expect(short.pushed + short.failed + short.dropped).toBe(3);
    expect(short.stoppedBy).toMatchObject({ code: "INDEX_INVALID" });

    await files.remove(DATA);
    const gone = await push({ maxReqsInFlight: 1 });
    expect(gone).toMatchObject({
      pushed: 0,
      failed: 1,
      dropped: 2,
      stoppedBy: { code: "FILE_FAILED" },
    });
  });

  it("stops when its caller gives up", async () => {
    await write([10, 10, 10]);
    const given = new AbortController();
    mergers.isHeld = true;
    const pushing = push({ maxReqsInFlight: 1 }, given.signal);
    await expect.poll(() => mergers.requests.length).toBe(1);
    given.abort();
    mergers.open.shift()?.();
    expect(await pushing).toMatchObject({ dropped: 2, stoppedBy: { code: "FETCH_ABORTED" } });
  });

  it("refuses limits below 1, no mergers, and an index that cannot be read", async () => {
    const random = createSeededRandom(1);
    expect(
      () => new ShuffleBlockPusher({ client: mergers, files, random, maxBlockBatchSize: 0 }),
    ).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
    await expect(push()).rejects.toMatchObject({ code: "FILE_FAILED" });
    const pusher = new ShuffleBlockPusher({ client: mergers, files, random });
    const output = { shuffleId: 5, shuffleMergeId: 2, mapIndex: 4, data: DATA, index: INDEX };
    await expect(pusher.push({ ...output, mergers: [] })).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
  });
});
