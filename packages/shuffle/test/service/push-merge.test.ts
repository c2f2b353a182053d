import { readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { localFilePath } from "@bm/block";
import {
  BytesManagedBuffer,
  nodePlatform,
  type StreamCallbackWithId,
  silentLogger,
  type TransportClient,
} from "@bm/transport";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type BlockTransferMessage,
  decodeBlockTransferMessage,
  type ExternalShuffleService,
  encodeBlockTransferMessage,
  LevelRows,
  roaringBitmapBytes,
} from "../../src/index.ts";
import { readVectors, VECTORS } from "../read-vectors.ts";
import {
  Asker,
  endAll,
  failureOf,
  layOut,
  startService,
  temporaryDirectory,
} from "./service-under-test.ts";

interface RecordedMerge {
  readonly appId: string;
  readonly files: readonly { readonly file: string }[];
  readonly blocksInOrder: readonly {
    readonly reduceId: number;
    readonly blocks: readonly { readonly mapIndex: number; readonly length: number }[];
  }[];
  readonly finalizeReplyHex: string;
}

const recorded = readVectors("push-merge.json") as RecordedMerge;
const scenario = readVectors("push-merge-scenario.json") as { step: string; result: string }[];
const APP = recorded.appId;
const MERGING = {
  "spark.shuffle.push.server.mergedShuffleFileManagerImpl":
    "org.apache.spark.network.shuffle.RemoteBlockPushResolver",
  "spark.shuffle.push.server.minChunkSizeInMergedShuffleFile": "100",
};
const { files } = nodePlatform();

let root: string;
let service: ExternalShuffleService;
let asker: Asker;

beforeEach(async () => {
  root = await temporaryDirectory();
  await start();
  await registerAttempt(1);
});
afterEach(endAll);

async function start(): Promise<void> {
  const mergeStore = await LevelRows.open({ path: join(root, "db"), files, logger: silentLogger });
  service = await startService({ conf: MERGING, roots: [root], mergeStore });
  asker = await Asker.connect(service.port);
}

/** Executors make the merge directories before they register. */
async function registerAttempt(attempt: number): Promise<void> {
  for (let sub = 0; sub < 64; sub += 1) {
    const name = sub.toString(16).padStart(2, "0");
    await mkdir(join(root, `merge_manager_${attempt}`, name), { recursive: true });
  }
  await register(`sort:{"mergeDir":"merge_manager_${attempt}","attemptId":"${attempt}"}}}`);
}

describe("blocks that are pushed in the order of a recording", () => {
  beforeEach(pushRecorded);

  it("are merged into the files that Spark made, byte for byte", async () => {
    expect(await finalizeHex(0)).toBe(recorded.finalizeReplyHex);
    for (const { file } of recorded.files) {
      const path = mergedPath(basename(file));
      expect(await readFile(path)).toEqual(readFileSync(join(VECTORS, file)));
    }
  });

  it("can be had chunk by chunk, with the maps in each", async () => {
    await finalize(0);
    for (const { blocks, reduceId } of recorded.blocksInOrder) {
      const { bitmaps, numChunks } = await asker.client.mergedBlockMeta(APP, 0, 0, reduceId);
      expect(sizesOfBitmaps(await bitmaps.bytes())).toHaveLength(numChunks);
      const chunkIds = [Array.from({ length: numChunks }, (_, chunk) => chunk)];
      const handle = await asker.open({ ...chunksOf([reduceId], chunkIds) });
      expect(handle.numChunks).toBe(numChunks);
      const chunks = await Promise.all(
        Array.from({ length: numChunks }, (_, chunk) => asker.chunk(handle.streamId, chunk)),
      );
      const expected = blocks.map(({ length, mapIndex }) => content(mapIndex, reduceId, length));
      expect(Buffer.concat(chunks)).toEqual(Buffer.concat(expected));
    }
  });

  it("can be had by name", async () => {
    await finalize(0);
    const blockIds = ["shuffleChunk_0_0_1_0", "shuffleChunk_0_0_2_1"];
    const handle = await asker.open({ type: "OpenBlocks", appId: APP, execId: "x", blockIds });
    expect(await asker.chunk(handle.streamId, 0)).toHaveLength(128);
    expect(await asker.chunk(handle.streamId, 1)).toHaveLength(10);
  });

  it("have directories that readers on this machine can use", async () => {
    const execIds = ["shuffle-push-merger"];
    expect(
      await asker.ask({ type: "GetLocalDirsForExecutors", appId: APP, execIds }),
    ).toMatchObject({
      localDirsByExec: new Map([["shuffle-push-merger", [join(root, "merge_manager_1")]]]),
    });
  });

  it.each(["duplicate push map0", "push map 70000 red0 len 7"])(
    "are merged once: %s",
    async (step) => {
      const mapIndex = step.includes("70000") ? 70_000 : 0;
      expect(await push(0, 0, mapIndex, 0, 40)).toEqual(["SUCCESS", ""]);
      expect(await finalizeHex(0)).toBe(recorded.finalizeReplyHex);
    },
  );

  it("are refused once the shuffle is finalised", async () => {
    await finalize(0);
    expect(await push(0, 0, 9, 0, 10)).toEqual(["TOO_LATE_BLOCK_PUSH", "shufflePush_0_0_9_0"]);
    expect(await failureOf(finalize(0))).toBe(failureIn("finalize again"));
  });

  it("are gone after a removal, and the shuffle stays finalised", async () => {
    await finalize(0);
    asker.client.send(encodeBlockTransferMessage({ ...mergeId("RemoveShuffleMerge", 0, -1) }));
    const left = (): number =>
      readdirSync(join(root, "merge_manager_1"), { recursive: true }).length;
    await expect.poll(left).toBe(64);
    expect(await push(0, 0, 9, 0, 10)).toEqual(["TOO_LATE_BLOCK_PUSH", "shufflePush_0_0_9_0"]);
    expect(await push(0, 1, 9, 0, 10)).toEqual(["SUCCESS", ""]);
  });

  it("stay finalised and readable when the service starts again", async () => {
    await finalize(0);
    await service.close();
    await start();
    expect(await push(0, 0, 9, 0, 10)).toEqual(["TOO_LATE_BLOCK_PUSH", "shufflePush_0_0_9_0"]);
    expect((await asker.client.mergedBlockMeta(APP, 0, 0, 0)).numChunks).toBe(3);
    expect(await failureOf(finalize(0))).toBe(failureIn("recovered: finalize s0 m0"));
  });

  it("go with the attempt that a newer one follows", async () => {
    await finalize(0);
    await registerAttempt(2);
    await register('sort:{"mergeDir":"merge_manager_1","attemptId":"1"}');
    const older = asker.client.uploadStream(pushHeader(0, 0, 9, 0), bodyOf(9, 0, 4));
    expect(codeOf(await older)).toEqual(["TOO_OLD_ATTEMPT_PUSH", "shufflePush_0_0_9_0"]);
    await asker.client.channel.closed;
    await expect.poll(() => readdirSync(root)).not.toContain("merge_manager_1");
  });
});

describe("a shuffle whose stage is run again", () => {
  it("drops what was merged under the older id, and refuses what still comes for it", async () => {
    await push(3, 0, 0, 0, 50);
    expect(await push(3, 1, 0, 0, 50)).toEqual(["SUCCESS", ""]);
    expect(await push(3, 0, 1, 0, 50)).toEqual(["STALE_BLOCK_PUSH", "shufflePush_3_0_1_0"]);
    const { chunkIds, reduceIds } = { chunkIds: [[0]], reduceIds: [0] };
    const handle = await asker.open({ ...chunksOf(reduceIds, chunkIds), shuffleId: 3 });
    expect(await failureOf(asker.chunk(handle.streamId, 0))).toBe(failureIn("stale data s3 m0"));
    expect(await failureOf(asker.client.mergedBlockMeta(APP, 3, 0, 0))).toBe(
      failureIn("stale meta s3 m0"),
    );
    expect(await failureOf(finalize(3, 0))).toBe(failureIn("stale finalize s3 m0"));
    expect(await finalizeHex(3, 4)).toBe("0e0000000300000004000000000000000000000000");
    expect(await failureOf(asker.ask(mergeId("RemoveShuffleMerge", 3, 2)))).toBe(
      // The end of the text is a blank, which goes with the line.
      failureIn("remove stale s3 m2"),
    );
  });
});

describe("two blocks for one partition at the same time", () => {
  it("collide when the second is complete while the first is written", async () => {
    const [first, second] = [receive(2, 0), receive(2, 1)];
    void first.onData("", content(0, 2, 50));
    void second.onData("", content(1, 2, 60));
    expect(service.metrics.deferredBlockBytes).toBe(60);
    await second.onComplete("");
    expect(answerOf(second)).toEqual(["BLOCK_APPEND_COLLISION_DETECTED", "shufflePush_0_0_1_2"]);
    expect(service.metrics.deferredBlockBytes).toBe(0);
    await first.onComplete("");
    expect(answerOf(first)).toEqual(["SUCCESS", ""]);
    expect(await finalize(0)).toMatchObject({ reduceIds: [2], sizes: [50n] });
  });

  it("are both merged when the second is complete later", async () => {
    const [first, second] = [receive(2, 0), receive(2, 1)];
    void first.onData("", content(0, 2, 50));
    void second.onData("", content(1, 2, 30));
    const firstDone = first.onComplete("");
    void second.onData("", content(1, 2, 30));
    await Promise.all([firstDone, second.onComplete("")]);
    expect([answerOf(first), answerOf(second)]).toEqual([
      ["SUCCESS", ""],
      ["SUCCESS", ""],
    ]);
    expect(await finalize(0)).toMatchObject({ sizes: [110n] });
  });

  it("of the same map count once", async () => {
    const [first, second] = [receive(2, 0), receive(2, 0)];
    void first.onData("", content(0, 2, 50));
    void second.onData("", content(0, 2, 50));
    await second.onComplete("");
    await first.onComplete("");
    expect([answerOf(first), answerOf(second)].map(([code]) => code)).toEqual([
      "SUCCESS",
      "SUCCESS",
    ]);
    expect(await finalize(0)).toMatchObject({ sizes: [50n] });
  });

  it("leave no trace of one that broke off", async () => {
    const first = receive(2, 3);
    void first.onData("", Buffer.alloc(33, 0xff));
    first.onFailure("", new Error("connection lost"));
    expect(await push(0, 0, 4, 2, 10)).toEqual(["SUCCESS", ""]);
    expect(await finalize(0)).toMatchObject({ sizes: [10n] });
    expect(await readFile(mergedPath(`shuffleMerged_${APP}_0_0_2.data`))).toEqual(
      content(4, 2, 10),
    );
  });

  it("that are open at the end are too late", async () => {
    const first = receive(2, 0);
    void first.onData("", content(0, 2, 50));
    expect(await finalize(0)).toMatchObject({ reduceIds: [] });
    void first.onData("", content(0, 2, 50));
    await first.onComplete("");
    expect(answerOf(first)).toEqual(["TOO_LATE_BLOCK_PUSH", "shufflePush_0_0_0_2"]);
  });
});

describe("merging refuses", () => {
  it.each([
    ["push before registration", () => push(0, 0, 0, 0, 1, "nope"), "application nope is not"],
    ["a negative map index", () => push(0, 0, -1, 0, 1), "negative ids"],
    [
      "finalize wrong attempt",
      () => asker.ask(mergeId("FinalizeShuffleMerge", 0, 0, 7)),
      "attempt id 7",
    ],
    [
      "remove wrong attempt",
      () => asker.ask(mergeId("RemoveShuffleMerge", 0, 0, 9)),
      "attempt id 9",
    ],
    ["meta of missing reduce", () => asker.client.mergedBlockMeta(APP, 0, 0, 99), "not found"],
  ])("%s", async (step, work, text) => {
    const failure = await failureOf(work());
    expect(failure).toContain(text);
    const known = scenario.find((entry) => entry.step === step);
    if (known === undefined) return;
    expect(failure.replaceAll("nope", APP).replaceAll(root, "<root>")).toBe(failureIn(step));
  });

  it.each([
    [
      "a missing directory",
      'sort:{"attemptId":"1"}',
      "Failed to get the merge directory information",
    ],
    ["a directory elsewhere", 'sort:{"mergeDir":"../x"}', "Invalid merge directory name ../x"],
    ["an absolute directory", 'sort:{"mergeDir":"/etc"}', "Invalid merge directory name"],
    ["dots", 'sort:{"mergeDir":".."}', "Invalid merge directory name"],
    ["a number that is none", 'sort:{"mergeDir":"m","attemptId":"x"}', "NumberFormatException"],
  ])("a registration with %s", async (_, shuffleManager, text) => {
    expect(await failureOf(register(shuffleManager))).toContain(text);
  });

  it("an application whose name would lead elsewhere", async () => {
    const meta = 'sort:{"mergeDir":"merge_manager_1"}';
    const failure = await failureOf(register(meta, "../../etc"));
    expect(failure).toContain("an application id that cannot name files");
  });

  it("to write through a link", async () => {
    const outside = await temporaryDirectory();
    await mkdir(join(root, "merge_manager_3"));
    for (let sub = 0; sub < 64; sub += 1) {
      await symlink(outside, join(root, "merge_manager_3", sub.toString(16).padStart(2, "0")));
    }
    await register('sort:{"mergeDir":"merge_manager_3","attemptId":"3"}');
    await expect(push(0, 0, 0, 0, 5, APP, 3)).rejects.toThrow(
      /Caused by: java\.lang\.RuntimeException: Cannot initialize merged shuffle partition for appId/,
    );
    expect(readdirSync(outside)).toEqual([]);
  });

  it("nothing of a registration without or with unreadable words about merging", async () => {
    await register("sort");
    await register('sort:{"mergeDir"');
    expect(await push(0, 0, 0, 0, 5)).toEqual(["SUCCESS", ""]);
  });

  it("to start under a manager that nobody knows", async () => {
    const key = "spark.shuffle.push.server.mergedShuffleFileManagerImpl";
    await expect(startService({ conf: { [key]: "com.example.Other" } })).rejects.toThrow(key);
  });
});

it("serves unmerged files as ever", async () => {
  const localDirs = [join(root, "blockmgr-1")];
  await layOut("plain-adler32", localDirs);
  await asker.register("5", localDirs, APP);
  const type = "FetchShuffleBlocks";
  const ids = { appId: APP, execId: "5", shuffleId: 0, mapIds: [0n], reduceIds: [[1]] };
  const { streamId } = await asker.open({ type, ...ids, batchFetchEnabled: false });
  expect((await asker.chunk(streamId, 0)).length).toBeGreaterThan(0);
});

async function register(shuffleManager: string, appId = APP): Promise<void> {
  const executorInfo = {
    localDirs: [join(root, "blockmgr-1")],
    subDirsPerLocalDir: 64,
    shuffleManager,
  };
  await asker.ask({ type: "RegisterExecutor", appId, execId: "1", executorInfo });
}

async function pushRecorded(): Promise<void> {
  for (const { blocks, reduceId } of recorded.blocksInOrder) {
    for (const { length, mapIndex } of blocks) {
      expect(await push(0, 0, mapIndex, reduceId, length)).toEqual(["SUCCESS", ""]);
    }
  }
}

/** The rule of the recording. */
function content(mapIndex: number, reduceId: number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => (31 * mapIndex + 7 * reduceId + i) % 256));
}

function bodyOf(mapIndex: number, reduceId: number, length: number): BytesManagedBuffer {
  return new BytesManagedBuffer(content(mapIndex, reduceId, length));
}

function pushHeader(
  shuffleId: number,
  shuffleMergeId: number,
  mapIndex: number,
  reduceId: number,
  appId = APP,
  appAttemptId = 1,
): Uint8Array {
  const ids = { appId, appAttemptId, shuffleId, shuffleMergeId, mapIndex, reduceId, index: 0 };
  return encodeBlockTransferMessage({ type: "PushBlockStream", ...ids });
}

async function push(
  shuffleId: number,
  shuffleMergeId: number,
  mapIndex: number,
  reduceId: number,
  length: number,
  appId = APP,
  attempt = 1,
): Promise<[string, string]> {
  const header = pushHeader(shuffleId, shuffleMergeId, mapIndex, reduceId, appId, attempt);
  return codeOf(await asker.client.uploadStream(header, bodyOf(mapIndex, reduceId, length)));
}

function codeOf(answer: Uint8Array): [string, string] {
  const message = decodeBlockTransferMessage(answer);
  if (message.type !== "BlockPushReturnCode") throw new Error(`answered with ${message.type}`);
  return [message.returnCode, message.failureBlockId];
}

/** A push whose bytes the test hands over itself. */
function receive(reduceId: number, mapIndex: number): StreamCallbackWithId {
  const client = { clientId: null, channel: { pauseReading() {}, resumeReading() {} } };
  const header = pushHeader(0, 0, mapIndex, reduceId);
  return service.parts.handler.receiveStream(client as unknown as TransportClient, header);
}

function answerOf(block: StreamCallbackWithId): [string, string] {
  return codeOf(block.completionResponse!());
}

function mergeId(
  type: "FinalizeShuffleMerge" | "RemoveShuffleMerge",
  shuffleId: number,
  shuffleMergeId: number,
  appAttemptId = 1,
): BlockTransferMessage {
  return { type, appId: APP, appAttemptId, shuffleId, shuffleMergeId };
}

function finalize(shuffleId: number, shuffleMergeId = 0): Promise<BlockTransferMessage | null> {
  return asker.ask(mergeId("FinalizeShuffleMerge", shuffleId, shuffleMergeId));
}

async function finalizeHex(shuffleId: number, shuffleMergeId = 0): Promise<string> {
  const message = mergeId("FinalizeShuffleMerge", shuffleId, shuffleMergeId);
  const answer = await asker.client.sendRpc(encodeBlockTransferMessage(message));
  return Buffer.from(answer).toString("hex");
}

function chunksOf(
  reduceIds: readonly number[],
  chunkIds: readonly (readonly number[])[],
): BlockTransferMessage & { type: "FetchShuffleBlockChunks" } {
  const ids = { appId: APP, execId: "shuffle-push-merger", shuffleId: 0, shuffleMergeId: 0 };
  return { type: "FetchShuffleBlockChunks", ...ids, reduceIds, chunkIds };
}

function mergedPath(name: string): string {
  return localFilePath([join(root, "merge_manager_1")], 64, name).path;
}

function sizesOfBitmaps(bytes: Uint8Array): number[] {
  const sizes: number[] = [];
  for (let at = 0; at < bytes.length; at += sizes.at(-1) ?? bytes.length) {
    sizes.push(roaringBitmapBytes(bytes, at));
  }
  return sizes;
}

/** What Spark's merge manager threw at a step of the recorded scenario. */
function failureIn(step: string): string {
  const result = scenario.find((entry) => entry.step === step)?.result ?? `no step ${step}`;
  return result.replace(/^(?:throws|receive error) /, "");
}
