import { StorageLevel } from "@bm/block";
import {
  BytesManagedBuffer,
  NoOpRpcHandler,
  nodePlatform,
  type TransportClient,
  TransportConf,
  TransportContext,
} from "@bm/transport";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type BlockTransferMessage,
  decodeBlockTransferMessage,
  encodeBlockTransferMessage,
  encodeUploadMetadata,
  NettyBlockRpcServer,
  type StreamHandle,
} from "../../src/index.ts";
import { goldenMessages } from "../protocol/golden-message.ts";
import { MemoryBlockManager } from "../transfer/memory-block-manager.ts";

const { random } = nodePlatform();
const conf = new TransportConf("shuffle");
const SERVED = new Set([
  "OpenBlocks",
  "FetchShuffleBlocks",
  "UploadBlock",
  "GetLocalDirsForExecutors",
  "DiagnoseCorruption",
]);

let manager: MemoryBlockManager;
let rpcServer: NettyBlockRpcServer;
let client: TransportClient;
let close: () => Promise<unknown>;

beforeEach(async () => {
  manager = new MemoryBlockManager({ rdd_1_0: "zero", rdd_1_1: "one", shuffle_4_5_6: "six" });
  const options = { appId: "app", executorId: "7", random };
  rpcServer = new NettyBlockRpcServer({ ...options, blockManager: manager });
  const server = await new TransportContext({ conf, rpcHandler: rpcServer }).createServer({
    host: "127.0.0.1",
  });
  const rpcHandler = new NoOpRpcHandler(random);
  const clients = new TransportContext({ conf, rpcHandler }).createClientFactory();
  client = await clients.createClient("127.0.0.1", server.port);
  close = () => Promise.all([clients.close(), server.close()]);
});
afterEach(() => close());

describe("NettyBlockRpcServer", () => {
  it("looks a block up when its chunk is asked for, not before", async () => {
    const { numChunks, streamId } = await openBlocks(["rdd_1_0", "rdd_1_1"]);
    expect(numChunks).toBe(2);
    expect(manager.lookups).toEqual([]);
    expect(await chunk(streamId, 0)).toBe("zero");
    expect(manager.lookups).toEqual(["rdd_1_0"]);
    expect(await chunk(streamId, 1)).toBe("one");
  });

  it("fails a missing block alone", async () => {
    const { streamId } = await openBlocks(["rdd_1_0", "rdd_9_9", "rdd_1_1"]);
    const texts = await Promise.allSettled([0, 1, 2].map((index) => chunk(streamId, index)));
    expect(texts).toMatchObject([
      { value: "zero" },
      { reason: { code: "CHUNK_FETCH_FAILED" } },
      { value: "one" },
    ]);
  });

  it("fails a missing shuffle block alone, and the next chunk is the next block", async () => {
    const { numChunks, streamId } = await open({
      type: "FetchShuffleBlocks",
      appId: "app",
      execId: "1",
      shuffleId: 4,
      mapIds: [1n, 5n],
      reduceIds: [[], [7, 6]],
      batchFetchEnabled: false,
    });
    expect(numChunks).toBe(2);
    const texts = await Promise.allSettled([0, 1].map((index) => chunk(streamId, index)));
    expect(texts).toMatchObject([{ reason: { code: "CHUNK_FETCH_FAILED" } }, { value: "six" }]);
    expect(manager.lookups).toEqual(["shuffle_4_5_7", "shuffle_4_5_6"]);
  });

  it("forgets streams that were not read when their connection ends", async () => {
    await openBlocks(["rdd_1_0", "rdd_1_1"]);
    expect(rpcServer.streamManager.streamCount).toBe(1);
    await client.close();
    await expect.poll(() => rpcServer.streamManager.streamCount).toBe(0);
  });

  it.each(goldenMessages.filter(({ type }) => !SERVED.has(type)))(
    "refuses $name and goes on",
    async ({ hex, type }) => {
      await expect(client.sendRpc(Buffer.from(hex, "hex"))).rejects.toMatchObject({
        code: "REMOTE_FAILURE",
        message: `java.lang.UnsupportedOperationException: Unexpected message: ${type}\n`,
      });
      expect((await openBlocks(["rdd_1_0"])).numChunks).toBe(1);
    },
  );

  it.each([
    ["no bytes", "", "java.lang.IllegalArgumentException"],
    ["an unknown type", "14", "Unknown message type: 20"],
    ["a message cut short", "000000000561", "java.lang.IllegalArgumentException"],
    ["no blocks to open", "0000000003617070000000013100000000", "no blocks to open"],
  ])("answers %s with a failure", async (_, hex, text) => {
    await expect(client.sendRpc(Buffer.from(hex, "hex"))).rejects.toThrow(text);
  });

  it("answers a request for no shuffle blocks with a failure", async () => {
    const empty = goldenMessages.find(({ name }) => name === "fetch-empty");
    await expect(client.sendRpc(Buffer.from(empty?.hex ?? "", "hex"))).rejects.toThrow("no blocks");
  });

  it("says where its executor writes, and no other", async () => {
    const asking = (appId: string, ...execIds: string[]): Promise<BlockTransferMessage> =>
      ask({ type: "GetLocalDirsForExecutors", appId, execIds });
    await expect(asking("app", "7")).rejects.toThrow("local directories are not told here");
    Object.assign(manager, { getLocalDirs: () => ["/d1", "/d0"] });
    expect(await asking("app", "7")).toEqual({
      type: "LocalDirsForExecutors",
      localDirsByExec: new Map([["7", ["/d1", "/d0"]]]),
    });
    await expect(asking("app", "8")).rejects.toThrow("Invalid executor id: 8, expected 7.");
    await expect(asking("other", "7")).rejects.toThrow("Invalid GetLocalDirsForExecutors request");
    await expect(asking("app", "7", "8")).rejects.toThrow("Invalid GetLocalDirsForExecutors");
    await expect(asking("app")).rejects.toThrow("Invalid GetLocalDirsForExecutors request");
  });

  it("says why a block is corrupt, as far as its manager knows", async () => {
    const ids = { appId: "app", execId: "7", shuffleId: 1, mapId: 2n, reduceId: 3 };
    const question = { type: "DiagnoseCorruption", ...ids, checksum: 4n, algorithm: "X" } as const;
    expect(await ask(question)).toEqual({ type: "CorruptionCause", cause: "UNKNOWN_ISSUE" });
    const asked: unknown[] = [];
    Object.assign(manager, {
      diagnoseCorruption: async (...fields: unknown[]) => {
        asked.push(...fields);
        return "DISK_ISSUE";
      },
    });
    expect(await ask(question)).toEqual({ type: "CorruptionCause", cause: "DISK_ISSUE" });
    expect(asked).toMatchObject([{ name: "shuffle_1_2_3" }, 4n, "X"]);
  });

  it("stores an upload and answers with nothing", async () => {
    const metadata = encodeUploadMetadata(StorageLevel.DISK_ONLY);
    const blockData = Buffer.from("content");
    const fields = { appId: "app", execId: "1", blockId: "rdd_3_4", metadata, blockData };
    const answer = await client.sendRpc(
      encodeBlockTransferMessage({ type: "UploadBlock", ...fields }),
    );
    expect(answer).toHaveLength(0);
    const level = StorageLevel.DISK_ONLY;
    expect(manager.stored.get("rdd_3_4")).toEqual({ content: "content", level });
  });

  it("refuses an upload with metadata that it cannot read", async () => {
    const metadata = Buffer.from("kryo");
    const fields = { appId: "", execId: "", blockId: "rdd_3_4", metadata, blockData: metadata };
    await expect(
      client.sendRpc(encodeBlockTransferMessage({ type: "UploadBlock", ...fields })),
    ).rejects.toThrow("java.io.StreamCorruptedException");
  });

  it.each([
    ["another message", { type: "BlocksRemoved", numRemovedBlocks: 1 }],
    ["a name of no block", { type: "UploadBlockStream", blockId: "x", metadata: metadata() }],
    [
      "metadata that it cannot read",
      { type: "UploadBlockStream", blockId: "rdd_1_1", metadata: Buffer.from("kryo") },
    ],
  ] as const)("refuses a stream that begins with %s", async (_, message) => {
    const data = new BytesManagedBuffer(Buffer.from("content"));
    const header = encodeBlockTransferMessage(message);
    await expect(client.uploadStream(header, data)).rejects.toMatchObject({
      code: "REMOTE_FAILURE",
    });
    expect(manager.stored.size).toBe(0);
  });

  it("does what a one-way message says, without an answer", async () => {
    const blockData = Buffer.from("content");
    const fields = { appId: "", execId: "", blockId: "rdd_3_4", metadata: metadata(), blockData };
    client.send(encodeBlockTransferMessage({ type: "UploadBlock", ...fields }));
    await expect.poll(() => manager.stored.size).toBe(1);
  });
});

function metadata(): Uint8Array {
  return encodeUploadMetadata(StorageLevel.MEMORY_ONLY);
}

async function ask(message: BlockTransferMessage): Promise<BlockTransferMessage> {
  return decodeBlockTransferMessage(await client.sendRpc(encodeBlockTransferMessage(message)));
}

async function open(message: BlockTransferMessage): Promise<StreamHandle> {
  const answer = await client.sendRpc(encodeBlockTransferMessage(message));
  const handle = decodeBlockTransferMessage(answer);
  if (handle.type !== "StreamHandle") throw new Error(handle.type);
  return handle;
}

function openBlocks(blockIds: readonly string[]): Promise<StreamHandle> {
  return open({ type: "OpenBlocks", appId: "app", execId: "1", blockIds });
}

async function chunk(streamId: StreamHandle["streamId"], index: number): Promise<string> {
  const buffer = await client.fetchChunk(streamId, index);
  return Buffer.from(await buffer.bytes()).toString();
}
