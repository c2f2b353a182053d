import {
  BytesManagedBuffer,
  type ChunkSource,
  NoOpRpcHandler,
  nodePlatform,
  OneForOneStreamManager,
  RpcHandler,
  type RpcReplyCallback,
  type TransportClient,
  TransportConf,
  TransportContext,
} from "@bm/transport";
import { afterEach, describe, expect, it } from "vitest";
import {
  type BlockTransferMessage,
  decodeBlockTransferMessage,
  encodeBlockTransferMessage,
  OneForOneBlockFetcher,
  type OpenBlocks,
} from "../../src/index.ts";
import { readVectors } from "../read-vectors.ts";
import { RecordingListener } from "./recording-listener.ts";

/** Bodies of requests that executors sent to a shuffle service, each once. */
const RECORDED_FETCHES = readVectors("recorded-fetches.json") as readonly {
  readonly trace: string;
  readonly hex: string;
}[];

const { random } = nodePlatform();
const conf = new TransportConf("shuffle");
const open: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

describe("OneForOneBlockFetcher", () => {
  it.each(RECORDED_FETCHES)("asks as Spark does: $trace $hex", async ({ hex, trace }) => {
    const recorded = decodeBlockTransferMessage(Buffer.from(hex, "hex"));
    const blockIds = namesIn(recorded);
    const { appId, execId } = recorded as OpenBlocks;
    const handler = new TestHandler(() => "no");
    const client = await connect(handler);
    const listener = new RecordingListener();
    const useOldFetchProtocol = trace === "oldproto";
    const wanted = { appId, execId, blockIds, useOldFetchProtocol };
    new OneForOneBlockFetcher({ client, listener, ...wanted }).start();
    await listener.toldOf(blockIds.length);
    expect(
      handler.messages.map((message) => encodeBlockTransferMessage(message).toString("hex")),
    ).toEqual([hex]);
  });

  it.each([
    [
      "blocks of one shuffle by map, in the order in which maps come first",
      ["shuffle_1_9_2", "shuffle_1_3_0", "shuffle_1_9_1"],
      { type: "FetchShuffleBlocks", shuffleId: 1, mapIds: [9n, 3n], reduceIds: [[2, 1], [0]] },
      ["shuffle_1_9_2", "shuffle_1_9_1", "shuffle_1_3_0"],
    ],
    [
      "runs of blocks, each with its own entry",
      ["shuffle_1_9_2_4", "shuffle_1_9_6_8"],
      {
        type: "FetchShuffleBlocks",
        mapIds: [9n, 9n],
        reduceIds: [
          [2, 4],
          [6, 8],
        ],
      },
      ["shuffle_1_9_2_4", "shuffle_1_9_6_8"],
    ],
    [
      "chunks of merged blocks by partition",
      ["shuffleChunk_1_2_7_0", "shuffleChunk_1_2_8_0", "shuffleChunk_1_2_7_1"],
      {
        type: "FetchShuffleBlockChunks",
        shuffleMergeId: 2,
        reduceIds: [7, 8],
        chunkIds: [[0, 1], [0]],
      },
      ["shuffleChunk_1_2_7_0", "shuffleChunk_1_2_7_1", "shuffleChunk_1_2_8_0"],
    ],
    [
      "blocks of several kinds by name",
      ["shuffle_1_9_2", "rdd_1_2"],
      { type: "OpenBlocks", blockIds: ["shuffle_1_9_2", "rdd_1_2"] },
      ["shuffle_1_9_2", "rdd_1_2"],
    ],
    [
      "files of a shuffle by name",
      ["shuffle_1_9_0.data", "shuffle_1_9_0.index"],
      { type: "OpenBlocks" },
      ["shuffle_1_9_0.data", "shuffle_1_9_0.index"],
    ],
  ])("asks for %s", async (_, blockIds, expected, inOrderOfChunks) => {
    const handler = new TestHandler(() => "no");
    const { fetcher, listener } = await fetch(handler, blockIds);
    await listener.toldOf(blockIds.length);
    expect(handler.messages[0]).toMatchObject({ appId: "app", execId: "2", ...expected });
    expect(fetcher.blockIds).toEqual(inOrderOfChunks);
  });

  it("takes the order of its own request for the order of the chunks", async () => {
    const blockIds = ["shuffle_1_9_2", "shuffle_1_3_0", "shuffle_1_9_1"];
    const handler = new TestHandler((register) => register(["nine-two", "nine-one", "three"]));
    const { listener } = await fetch(handler, blockIds);
    await listener.toldOf(3);
    expect(Object.fromEntries(listener.successes)).toEqual({
      shuffle_1_9_2: "nine-two",
      shuffle_1_9_1: "nine-one",
      shuffle_1_3_0: "three",
    });
  });

  it("gives each of two equal names its answer", async () => {
    const handler = new TestHandler((register) => register(["first", "second"]));
    const answers: string[] = [];
    const client = await connect(handler);
    await new Promise<void>((resolve) => {
      new OneForOneBlockFetcher({
        client,
        appId: "app",
        execId: "2",
        blockIds: ["rdd_1_1", "rdd_1_1"],
        listener: {
          onBlockFetchSuccess: (blockId, data) => {
            answers.push(`${blockId}: ${data.size} bytes`);
            if (answers.length === 2) resolve();
          },
          onBlockFetchFailure: () => {},
        },
      }).start();
    });
    expect(answers).toEqual(["rdd_1_1: 5 bytes", "rdd_1_1: 6 bytes"]);
  });

  describe("given up", () => {
    it("closes a connection that nobody else waits on", async () => {
      const { client, given, listener } = await startSlow();
      given.abort(new Error("enough"));
      expect(listener.codeOf("rdd_1_1")).toBe("FETCH_ABORTED");
      await client.channel.closed;
      expect(listener.told).toBe(2);
    });

    it("leaves a connection to others who wait on it", async () => {
      const { answer, client, given, listener } = await startSlow();
      const other = client.sendRpc(Buffer.from("anything"));
      given.abort(new Error("enough"));
      expect(listener.told).toBe(2);
      expect(await other).toHaveLength(0);
      answer();
      // What comes all the same is dropped: an answer behind it shows that it came.
      await client.sendRpc(Buffer.from("anything"));
      expect([client.isActive, listener.told]).toEqual([true, 2]);
    });

    it("asks for nothing when it was given up before", async () => {
      const handler = new TestHandler(() => "no");
      const client = await connect(handler);
      const listener = new RecordingListener();
      const wanted = { appId: "app", execId: "2", blockIds: ["rdd_1_1"] };
      const signal = AbortSignal.abort();
      new OneForOneBlockFetcher({ client, listener, signal, ...wanted }).start();
      expect(listener.codeOf("rdd_1_1")).toBe("FETCH_ABORTED");
      expect(handler.messages).toEqual([]);
    });
  });

  it.each([
    ["fewer chunks than blocks", handle(1), "STREAM_HANDLE_INVALID"],
    ["more chunks than blocks", handle(2_147_483_647), "STREAM_HANDLE_INVALID"],
    ["a negative number of chunks", handle(-1), "STREAM_HANDLE_INVALID"],
    [
      "another message",
      encodeBlockTransferMessage({ type: "BlocksRemoved", numRemovedBlocks: 2 }),
      "STREAM_HANDLE_INVALID",
    ],
    ["nothing", Buffer.alloc(0), "MESSAGE_MALFORMED"],
    ["nonsense", Buffer.from("HTTP/1.1"), "MESSAGE_UNKNOWN"],
  ])("fails every block when the peer answers with %s", async (_, answer, code) => {
    const handler = new TestHandler(() => answer);
    const { listener } = await fetch(handler, ["rdd_1_1", "rdd_1_2"]);
    await listener.toldOf(2);
    expect([listener.codeOf("rdd_1_1"), listener.codeOf("rdd_1_2")]).toEqual([code, code]);
  });

  it("fails every block when the peer refuses", async () => {
    const { listener } = await fetch(new TestHandler(() => "not today"), ["rdd_1_1", "rdd_1_2"]);
    await listener.toldOf(2);
    expect(listener.failures.get("rdd_1_2")).toMatchObject({
      code: "REMOTE_FAILURE",
      message: "java.lang.RuntimeException: not today\n",
    });
  });

  it("fails the chunk that failed and all behind it, and takes none of these back", async () => {
    const handler = new TestHandler((register) => register(["zero", null, "two", "three"]));
    const blockIds = ["rdd_1_0", "rdd_1_1", "rdd_1_2", "rdd_1_3"];
    const { client, listener } = await fetch(handler, blockIds);
    await listener.toldOf(4);
    // The chunks behind the failed one arrive before the answer to this.
    await expect(client.sendRpc(Buffer.from("x"))).resolves.toBeDefined();
    expect([...listener.successes.keys()]).toEqual(["rdd_1_0"]);
    expect([...listener.failures.keys()]).toEqual(["rdd_1_1", "rdd_1_2", "rdd_1_3"]);
    expect(listener.codeOf("rdd_1_3")).toBe("CHUNK_FETCH_FAILED");
  });

  it("fails what is missing when the connection breaks half-way", async () => {
    const handler = new TestHandler((register) => register(["zero", "break", "two"]));
    const { listener } = await fetch(handler, ["rdd_1_0", "rdd_1_1", "rdd_1_2"]);
    await listener.toldOf(3);
    expect([...listener.successes.keys()]).toEqual(["rdd_1_0"]);
    expect(listener.codeOf("rdd_1_1")).toBe("CHANNEL_CLOSED");
    expect(listener.codeOf("rdd_1_2")).toBe("CHANNEL_CLOSED");
  });

  it("fails every block on a connection that is closed already", async () => {
    const client = await connect(new TestHandler(() => "no"));
    await client.close();
    const { listener } = start(client, ["rdd_1_0", "rdd_1_1"]);
    await listener.toldOf(2);
    expect(listener.codeOf("rdd_1_0")).toBe("CHANNEL_CLOSED");
  });
});

/** Contents of chunks; null is a chunk that cannot be had, "break" one that costs the connection. */
type Chunks = readonly (string | null)[];
/** Bytes to answer with, or the text of a failure. */
type Answer = (
  register: (chunks: Chunks) => Uint8Array,
  registerSource: (source: ChunkSource) => Uint8Array,
) => Uint8Array | string;

/** A peer that answers the first request as it is told, and every other one with nothing. */
class TestHandler extends RpcHandler {
  override readonly streamManager = new OneForOneStreamManager(random);
  readonly messages: BlockTransferMessage[] = [];
  readonly #answer: Answer;
  #isAnswered = false;

  constructor(answer: Answer) {
    super();
    this.#answer = answer;
  }

  override receive(client: TransportClient, bytes: Uint8Array, callback: RpcReplyCallback): void {
    if (this.#isAnswered) {
      callback.onSuccess(new Uint8Array(0));
      return;
    }
    this.#isAnswered = true;
    this.messages.push(decodeBlockTransferMessage(bytes));
    const answer = this.#answer(
      (chunks) => this.#register(client, chunks),
      (source) => this.#registerSource(client, source),
    );
    if (typeof answer === "string") throw new Error(answer);
    callback.onSuccess(answer);
  }

  #register(client: TransportClient, chunks: Chunks): Uint8Array {
    const source = {
      count: chunks.length,
      open: (index: number) => {
        const content = chunks[index] ?? null;
        if (content !== "break") {
          return content === null ? null : new BytesManagedBuffer(Buffer.from(content));
        }
        void client.close();
        return new Promise<null>(() => {});
      },
    };
    return this.#registerSource(client, source);
  }

  #registerSource(client: TransportClient, source: ChunkSource): Uint8Array {
    const streamId = this.streamManager.registerStream("app", source, client.channel);
    return handle(source.count, streamId);
  }
}

/** The names of the blocks that a request asks for, in its order. */
function namesIn(message: BlockTransferMessage): string[] {
  if (message.type === "OpenBlocks") return [...message.blockIds];
  if (message.type !== "FetchShuffleBlocks") throw new Error(message.type);
  const { batchFetchEnabled, mapIds, reduceIds, shuffleId } = message;
  return mapIds.flatMap((mapId, index) => {
    const numbers = reduceIds[index] ?? [];
    const prefix = `shuffle_${shuffleId}_${mapId}_`;
    return batchFetchEnabled
      ? [`${prefix}${numbers.join("_")}`]
      : numbers.map((reduceId) => `${prefix}${reduceId}`);
  });
}

function handle(numChunks: number, streamId = 1): Uint8Array {
  return encodeBlockTransferMessage({ type: "StreamHandle", streamId, numChunks });
}

async function connect(handler: TestHandler): Promise<TransportClient> {
  const server = await new TransportContext({ conf, rpcHandler: handler }).createServer({
    host: "127.0.0.1",
  });
  const rpcHandler = new NoOpRpcHandler(random);
  const clients = new TransportContext({ conf, rpcHandler }).createClientFactory();
  open.push(
    () => server.close(),
    () => clients.close(),
  );
  return clients.createClient("127.0.0.1", server.port);
}

async function fetch(handler: TestHandler, blockIds: readonly string[]) {
  return start(await connect(handler), blockIds);
}

/** A fetch whose chunks come when `answer` is called. */
async function startSlow() {
  const chunk = Promise.withResolvers<BytesManagedBuffer>();
  const asked = Promise.withResolvers<void>();
  const handler = new TestHandler((_register, registerSource) =>
    registerSource({
      count: 2,
      open: () => {
        asked.resolve();
        return chunk.promise;
      },
    }),
  );
  const client = await connect(handler);
  const listener = new RecordingListener();
  const given = new AbortController();
  const wanted = { appId: "app", execId: "2", blockIds: ["rdd_1_1", "rdd_1_2"] };
  new OneForOneBlockFetcher({ client, listener, signal: given.signal, ...wanted }).start();
  await asked.promise;
  const answer = (): void => chunk.resolve(new BytesManagedBuffer(Buffer.from("late")));
  return { answer, client, given, listener };
}

function start(client: TransportClient, blockIds: readonly string[]) {
  const listener = new RecordingListener();
  const wanted = { appId: "app", execId: "2", blockIds };
  const fetcher = new OneForOneBlockFetcher({ client, listener, ...wanted });
  fetcher.start();
  return { client, fetcher, listener };
}
