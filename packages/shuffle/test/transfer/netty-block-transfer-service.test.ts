import { createServer, type Server } from "node:net";
import { StorageLevel } from "@bm/block";
import { BytesManagedBuffer } from "@bm/transport";
import { afterEach, describe, expect, it } from "vitest";
import {
  NettyBlockTransferService,
  type NettyBlockTransferServiceOptions,
} from "../../src/index.ts";
import { RecordingListener } from "../fetch/recording-listener.ts";
import { MemoryBlockManager } from "./memory-block-manager.ts";
import { afterwards, closeAll, conf, HOST, start } from "./start-service.ts";

afterEach(closeAll);

describe("fetching blocks of another executor", () => {
  it("brings shuffle blocks, whatever their order", async () => {
    const ids = ["shuffle_1_7_0", "shuffle_1_8_0", "shuffle_1_7_1", "shuffle_1_9_5"];
    const { manager, server, service } = await pair(contentsOf(ids));
    const listener = await fetch(service, server, ids);
    expect(Object.fromEntries(listener.successes)).toEqual(contentsOf(ids));
    // Asked for map by map, and looked up in that order.
    expect(manager.lookups).toEqual([ids[0], ids[2], ids[1], ids[3]]);
  });

  it("brings runs of shuffle blocks, also two of one map", async () => {
    const ids = ["shuffle_1_7_0_3", "shuffle_1_8_0_3", "shuffle_1_7_5_9"];
    const { manager, server, service } = await pair(contentsOf(ids));
    const listener = await fetch(service, server, ids);
    expect(Object.fromEntries(listener.successes)).toEqual(contentsOf(ids));
    expect(manager.lookups).toEqual(ids);
  });

  it("brings blocks of all other kinds by name", async () => {
    const ids = ["rdd_1_2", "broadcast_3_piece0", "taskresult_9", "shuffle_1_7_0"];
    const { manager, server, service } = await pair(contentsOf(ids));
    const listener = await fetch(service, server, ids);
    expect(Object.fromEntries(listener.successes)).toEqual(contentsOf(ids));
    expect(manager.lookups).toEqual(ids);
  });

  it("asks for shuffle blocks by name where the peer is old", async () => {
    const ids = ["shuffle_1_8_0", "shuffle_1_7_0", "shuffle_1_8_1"];
    const options = { conf: conf({ "spark.shuffle.useOldFetchProtocol": "true" }) };
    const { manager, server, service } = await pair(contentsOf(ids), options);
    const listener = await fetch(service, server, ids);
    expect(listener.successes.size).toBe(3);
    expect(manager.lookups).toEqual(ids);
  });

  it("keeps map ids above 2^53 to the last digit", async () => {
    const ids = ["shuffle_1_9223372036854775807_0", "shuffle_1_9007199254740993_0"];
    const { server, service } = await pair(contentsOf(ids));
    const listener = await fetch(service, server, ids);
    expect(Object.fromEntries(listener.successes)).toEqual(contentsOf(ids));
  });

  it("brings blocks of many sizes to the byte", async () => {
    const contents = Object.fromEntries(
      [1, 100, 65_536, 1_000_000, 5_000_000].map((size, map) => [
        `shuffle_1_${map}_0`,
        String.fromCharCode(97 + map).repeat(size),
      ]),
    );
    const { server, service } = await pair(contents);
    const listener = await fetch(service, server, Object.keys(contents));
    expect(Object.fromEntries(listener.successes)).toEqual(contents);
  });

  it("fails a missing block and those behind it, and brings those before it", async () => {
    const ids = ["shuffle_1_1_0", "shuffle_1_2_0", "shuffle_1_3_0"];
    const { server, service } = await pair(contentsOf([ids[0] ?? "", ids[2] ?? ""]));
    const listener = await fetch(service, server, ids);
    expect([...listener.successes.keys()]).toEqual([ids[0]]);
    expect(listener.codeOf("shuffle_1_2_0")).toBe("CHUNK_FETCH_FAILED");
    expect(listener.failures.get("shuffle_1_2_0")?.message).toContain(
      "org.apache.spark.storage.BlockNotFoundException: Block shuffle_1_2_0 not found",
    );
    expect(listener.failures.get("shuffle_1_3_0")).toBe(listener.failures.get("shuffle_1_2_0"));
  });

  it.each([
    ["a name of no block", ["nonsense"], "Failed to parse nonsense into a block ID"],
    ["a run of blocks by name", ["rdd_1_1", "shuffle_1_1_0_5"], "shuffle_1_1_0_5"],
  ])("fails every block when the peer refuses %s", async (_, ids, text) => {
    const { server, service } = await pair({});
    const listener = await fetch(service, server, ids);
    for (const id of ids) {
      expect(listener.codeOf(id)).toBe("REMOTE_FAILURE");
      expect(listener.failures.get(id)?.message).toContain(text);
    }
  });

  it.each([
    ["of two shuffles", ["shuffle_1_1_0", "shuffle_2_1_0"]],
    ["of two merges", ["shuffleChunk_1_1_0_0", "shuffleChunk_1_2_0_0"]],
    ["and runs of blocks", ["shuffle_1_1_0", "shuffle_1_1_1_3"]],
  ])("asks nobody for shuffle blocks %s at once", async (_, ids) => {
    const { server, service } = await pair({});
    const listener = await fetch(service, server, ids);
    for (const id of ids) expect(listener.codeOf(id)).toBe("BLOCK_IDS_INVALID");
  });

  it("asks for chunks of merged blocks in a message that an executor refuses", async () => {
    const ids = ["shuffleChunk_1_0_4_0", "shuffleChunk_1_0_4_1"];
    const { server, service } = await pair({});
    const listener = await fetch(service, server, ids);
    expect(listener.failures.get(ids[0] ?? "")?.message).toContain("FetchShuffleBlockChunks");
  });

  it("refuses to fetch nothing", async () => {
    const { server, service } = await pair({});
    await expect(
      service.fetchBlocks(HOST, server.port, "2", [], new RecordingListener()),
    ).rejects.toMatchObject({ code: "BLOCK_IDS_INVALID" });
  });

  it("gives one block as a promise", async () => {
    const { server, service } = await pair({ rdd_1_2: "content" });
    const block = await service.fetchBlockSync(HOST, server.port, "2", "rdd_1_2");
    expect(Buffer.from(await block.bytes()).toString()).toBe("content");
    await expect(service.fetchBlockSync(HOST, server.port, "2", "rdd_1_3")).rejects.toMatchObject({
      code: "CHUNK_FETCH_FAILED",
    });
  });

  it("fetches many times over one connection", async () => {
    const ids = Array.from({ length: 50 }, (_, map) => `shuffle_1_${map}_0`);
    const { server, service } = await pair(contentsOf(ids));
    const listeners = await Promise.all(ids.map((id) => fetch(service, server, [id])));
    expect(listeners.every(({ successes }) => successes.size === 1)).toBe(true);
  });
});

describe("an executor that cannot be reached", () => {
  it("fails every block once the retries are used up", async () => {
    const { service } = await pair({}, { conf: conf({ "spark.shuffle.io.maxRetries": "1" }) });
    const port = await closedPort();
    const listener = new RecordingListener();
    await service.fetchBlocks(HOST, port, "2", ["rdd_0_0", "rdd_0_1"], listener);
    expect(listener.told).toBe(2);
    expect(listener.codeOf("rdd_0_0")).toBe("CONNECT_FAILED");
  });

  it("fails its blocks at once when the driver says that it is dead", async () => {
    const asked: string[] = [];
    const isExecutorAlive = async (executorId: string): Promise<boolean> => {
      asked.push(executorId);
      return false;
    };
    const { service } = await pair({}, { isExecutorAlive });
    const listener = new RecordingListener();
    await service.fetchBlocks(HOST, await closedPort(), "2", ["rdd_0_0"], listener);
    expect(listener.failures.get("rdd_0_0")).toMatchObject({
      code: "EXECUTOR_DEAD",
      cause: { code: "CONNECT_FAILED" },
    });
    expect(asked).toEqual(["2"]);
  });

  it("is tried again when the driver cannot be asked", async () => {
    let asked = 0;
    const isExecutorAlive = (): Promise<boolean> => {
      asked += 1;
      return Promise.reject(new Error("no driver"));
    };
    const { service } = await pair({}, { isExecutorAlive });
    const listener = new RecordingListener();
    await service.fetchBlocks(HOST, await closedPort(), "2", ["rdd_0_0"], listener);
    expect(listener.codeOf("rdd_0_0")).toBe("CONNECT_FAILED");
    expect(asked).toBe(4);
  });
});

describe("bringing blocks to another executor", () => {
  it("stores a small block from one message", async () => {
    const { manager, server, service } = await pair({});
    await upload(service, server, "rdd_1_2", "content", StorageLevel.MEMORY_AND_DISK_SER_2);
    expect(manager.stored.get("rdd_1_2")).toEqual({
      content: "content",
      level: StorageLevel.MEMORY_AND_DISK_SER_2,
    });
  });

  it("stores a large block from a stream", async () => {
    const content = "0123456789".repeat(300_000);
    const { manager, server, service } = await pair({}, { messageUploadBytesMax: 1_000_000 });
    await upload(service, server, "rdd_1_2", content);
    expect(manager.stored.get("rdd_1_2")?.content === content).toBe(true);
  });

  it("brings shuffle files as streams, however small", async () => {
    const { manager, server, service } = await pair({});
    await upload(service, server, "shuffle_1_2_0.data", "");
    await upload(service, server, "shuffle_1_2_0.index", "offsets!");
    expect(manager.stored.get("shuffle_1_2_0.data")?.content).toBe("");
    expect(manager.stored.get("shuffle_1_2_0.index")?.content).toBe("offsets!");
  });

  it.each([
    ["in a message", 100],
    ["as a stream", 1],
  ])(
    "fails when the peer has no room for what came %s, and the connection lives on",
    async (_, messageUploadBytesMax) => {
      const { manager, server, service } = await pair({}, { messageUploadBytesMax });
      manager.isFull = true;
      await expect(upload(service, server, "rdd_1_2", "content")).rejects.toMatchObject({
        code: "REMOTE_FAILURE",
      });
      manager.isFull = false;
      await upload(service, server, "rdd_1_2", "content");
      expect(manager.stored.size).toBe(1);
    },
  );

  it("refuses a name of no block, and releases the data in any case", async () => {
    const { server, service } = await pair({});
    let released = 0;
    const data = new BytesManagedBuffer(Buffer.from("content"));
    data.release = () => {
      released += 1;
    };
    const level = StorageLevel.MEMORY_ONLY;
    await expect(
      service.uploadBlock(HOST, server.port, "2", "nonsense", data, level),
    ).rejects.toMatchObject({ code: "UNRECOGNIZED_BLOCK_ID" });
    expect(released).toBeGreaterThan(0);
  });
});

describe("an upload that is given up", () => {
  it.each([
    ["before it began", "rdd_1_2", 0],
    ["while the peer takes it in", "rdd_1_2", 1],
    ["while the peer takes it in as a stream", "shuffle_1_2_0.data", 1],
  ])("%s fails, and its data is released", async (_, blockId, turns) => {
    const service = await start({});
    const controller = new AbortController();
    const data = new BytesManagedBuffer(Buffer.from("content"));
    const released = new Promise<void>((resolve) => {
      data.release = resolve;
    });
    const port = await silentServer();
    const level = StorageLevel.MEMORY_ONLY;
    const uploaded = service.uploadBlock(HOST, port, "2", blockId, data, level, controller);
    const failed = expect(uploaded).rejects.toMatchObject({
      code: expect.stringMatching(/ABORTED$/) as string,
    });
    for (let turn = 0; turn < turns * 20; turn += 1) await new Promise(setImmediate);
    controller.abort();
    await failed;
    await released;
  });
});

describe("a block transfer service", () => {
  it("that is closed while it starts serves nobody", async () => {
    const service = new NettyBlockTransferService({ conf: conf(), appId: "app", executorId: "1" });
    const started = service.init(new MemoryBlockManager());
    await service.close();
    await started;
    expect(() => service.port).toThrow(expect.objectContaining({ code: "CLOSED" }));
  });

  it("makes no connection for a fetch that was given up", async () => {
    let connections = 0;
    const server = createServer(() => {
      connections += 1;
    });
    const port = await portOf(server);
    afterwards(() => server.close());
    const service = await start({});
    const fetched = service.fetchBlockSync(HOST, port, "2", "rdd_0_0", {
      signal: AbortSignal.abort(),
    });
    await expect(fetched).rejects.toMatchObject({ code: "FETCH_ABORTED" });
    expect(connections).toBe(0);
  });

  it("takes the next free port when its own is taken", async () => {
    const { server: taken } = await pair({});
    const service = await start({ port: taken.port, portMaxRetries: 5 });
    expect(service.port).toBeGreaterThan(taken.port);
    expect(service.port).toBeLessThanOrEqual(taken.port + 5);
  });

  it("gives up when all its ports are taken", async () => {
    const { server: taken } = await pair({});
    await expect(start({ port: taken.port, portMaxRetries: 0 })).rejects.toMatchObject({
      code: "BIND_FAILED",
    });
  });

  it.each([80, 65_536, -1, 1.5])("refuses port %s", async (port) => {
    await expect(start({ port })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });

  it("fails what is being fetched when it is closed", async () => {
    const silent = await silentServer();
    const service = await start({});
    const listener = new RecordingListener();
    const fetched = service.fetchBlocks(HOST, silent, "2", ["rdd_0_0"], listener);
    await service.close();
    await fetched;
    expect(listener.codeOf("rdd_0_0")).toBe("FETCH_ABORTED");
    await service.close();
  });

  it("gives up one fetch when its signal fires", async () => {
    const silent = await silentServer();
    const service = await start({});
    const controller = new AbortController();
    const fetched = service.fetchBlockSync(HOST, silent, "2", "rdd_0_0", controller);
    controller.abort();
    await expect(fetched).rejects.toMatchObject({ code: "FETCH_ABORTED" });
  });

  it("is of no use before it is started and after it is closed", async () => {
    const service = new NettyBlockTransferService({ conf: conf(), appId: "app", executorId: "1" });
    const closed = expect.objectContaining({ code: "CLOSED" });
    expect(() => service.port).toThrow(closed);
    await service.init(new MemoryBlockManager());
    await expect(service.init(new MemoryBlockManager())).rejects.toThrow(closed);
    await service.close();
    await expect(
      service.fetchBlocks(HOST, 1, "2", ["rdd_0_0"], new RecordingListener()),
    ).rejects.toThrow(closed);
    await expect(service.fetchBlockSync(HOST, 1, "2", "rdd_0_0")).rejects.toThrow(closed);
    await expect(service.init(new MemoryBlockManager())).rejects.toThrow(closed);
  });
});

function contentsOf(ids: readonly string[]): Record<string, string> {
  return Object.fromEntries(ids.map((id) => [id, `content of ${id}`]));
}

/** A service that holds blocks, and another to fetch from it. */
async function pair(
  blocks: Readonly<Record<string, string>>,
  options: Partial<NettyBlockTransferServiceOptions> = {},
) {
  const manager = new MemoryBlockManager(blocks);
  const server = await start({ executorId: "2" }, manager);
  const service = await start(options);
  return { manager, server, service };
}

async function fetch(
  service: NettyBlockTransferService,
  server: NettyBlockTransferService,
  blockIds: readonly string[],
): Promise<RecordingListener> {
  const listener = new RecordingListener();
  await service.fetchBlocks(HOST, server.port, "2", blockIds, listener);
  await listener.toldOf(blockIds.length);
  return listener;
}

function upload(
  service: NettyBlockTransferService,
  server: NettyBlockTransferService,
  blockId: string,
  content: string,
  level: StorageLevel = StorageLevel.MEMORY_ONLY,
): Promise<void> {
  const data = new BytesManagedBuffer(Buffer.from(content));
  return service.uploadBlock(HOST, server.port, "2", blockId, data, level);
}

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  const port = await portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A server that accepts and never answers. */
async function silentServer(): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    afterwards(() => socket.destroy());
  });
  afterwards(() => server.close());
  return portOf(server);
}

function portOf(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, HOST, () => {
      const address = server.address();
      resolve(address !== null && typeof address === "object" ? address.port : 0);
    });
  });
}
