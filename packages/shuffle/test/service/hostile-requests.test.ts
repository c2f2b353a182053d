import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { localFilePath } from "@bm/block";
import { ByteWriter, type TransportClient } from "@bm/transport";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type BlockTransferMessage,
  type ExternalShuffleService,
  encodeBlockTransferMessage,
} from "../../src/index.ts";
import { readVectors } from "../read-vectors.ts";
import {
  APP,
  Asker,
  endAll,
  failureOf,
  layOut,
  startService,
  temporaryDirectory,
} from "./service-under-test.ts";

const INT_MIN = -(2 ** 31);
const INT_MAX = 2 ** 31 - 1;
const MAKE_PIPE = "mkfifo";
const SECRET = "not for you";

let root: string;
let outside: string;
let localDirs: string[];
let service: ExternalShuffleService;
let asker: Asker;

beforeEach(async () => {
  root = await temporaryDirectory();
  outside = await temporaryDirectory();
  await writeFile(join(outside, "secret"), SECRET);
  localDirs = [join(root, "blockmgr-a")];
  await mkdir(join(root, "blockmgr-a"));
  service = await startService({ roots: [root] });
  asker = await Asker.connect(service.port);
  await asker.register("1", localDirs);
  await layOut("plain-adler32", localDirs);
});
afterEach(endAll);

/** Whatever happened before, an honest client is served. */
async function expectAlive(): Promise<void> {
  const honest = await Asker.connect(service.port);
  const { streamId } = await honest.open(fetchOf(0, [0n], [[0]]));
  expect((await honest.chunk(streamId, 0)).length).toBeGreaterThan(0);
}

describe("registration", () => {
  it.each([
    ["a directory elsewhere", () => [outside]],
    ["the root directory", () => ["/"]],
    ["a way out by dots", () => [`${root}/../${outside.split("/").at(-1)}`]],
    ["a way out by dots behind what does not exist", () => [`${root}/none/../../etc`]],
    ["a neighbour with the same beginning", () => [`${root}-more/blockmgr`]],
    ["a relative path", () => ["blockmgr"]],
    ["dots alone", () => [".."]],
    ["an empty path", () => [""]],
    ["a good and a bad one", () => [localDirs[0]!, outside]],
    ["a NUL byte", () => [`${root}/a\0b`]],
    ["a path beyond every system's limit", () => [`${root}/${"a".repeat(5000)}`]],
    ["very many directories", () => Array.from({ length: 2000 }, () => localDirs[0]!)],
  ] as const)("refuses %s", async (_, dirs) => {
    const text = await failureOf(asker.register("evil", dirs()));
    expect(text).toMatch(/^java\.lang\.(?:IllegalArgument|Runtime)Exception: /);
    expect(service.parts.registry.size).toBe(1);
    await expectAlive();
  });

  it("refuses a link that leads out", async () => {
    await symlink(outside, join(root, "link"));
    expect(await failureOf(asker.register("evil", [join(root, "link")]))).toContain(
      "is not under any of the service's local directories",
    );
    expect(await failureOf(asker.register("evil", [join(root, "link", "none")]))).toContain(
      "is not under any of the service's local directories",
    );
  });

  it.each([0, -1, INT_MIN])("refuses %i sub-directories", async (subDirsPerLocalDir) => {
    const executorInfo = { localDirs, subDirsPerLocalDir, shuffleManager: "sort" };
    const register = { type: "RegisterExecutor", appId: APP, execId: "x", executorInfo } as const;
    expect(await failureOf(asker.ask(register))).toContain("IllegalArgumentException");
  });

  it.each([
    ["an application id", "x".repeat(2000), "1", "sort"],
    ["an executor id", APP, "x".repeat(2000), "sort"],
    ["a shuffle manager", APP, "x", "x".repeat(20_000)],
  ])("refuses %s of many bytes", async (_, appId, execId, shuffleManager) => {
    const executorInfo = { localDirs, subDirsPerLocalDir: 64, shuffleManager };
    const register = { type: "RegisterExecutor", appId, execId, executorInfo } as const;
    expect(await failureOf(asker.ask(register))).toContain("larger than this service takes");
  });

  it("takes no more executors than it may", async () => {
    const conf = { "bm.service.registeredExecutors.max": "2" };
    const small = await startService({ conf });
    const client = await Asker.connect(small.port);
    await client.register("1", localDirs);
    await client.register("2", localDirs);
    expect(await failureOf(client.register("3", localDirs))).toContain("no more are taken");
    expect(await failureOf(client.register("2", localDirs))).toBe("no failure");
  });
});

describe("paths", () => {
  it.each(["__proto__", "constructor", "../1", "1/../1", "", "1\0"])(
    "know no executor %j",
    async (execId) => {
      for (const appId of [APP, execId]) {
        const { streamId } = await asker.open(open(appId, execId, "shuffle_0_0_0"));
        expect(await failureOf(asker.chunk(streamId, 0))).toContain("Executor is not registered");
      }
    },
  );

  it.each([
    "../secret",
    "rdd_0_../../secret",
    "shuffle_0_0_0.data/../../secret",
    "shuffle_0_0_0\0.data",
    "/etc/passwd",
    "..",
    ".",
    "",
    "test_../../../secret",
    "test_log_1_../../x",
    "temp_local_1",
    "registeredExecutors.ldb",
    "rdd_007_1",
    "rdd_-1_0",
    "shuffle_0_0_0",
    "_".repeat(100_000),
    "shuffle_".repeat(20_000),
  ])("remove nothing under the name %.40j", async (name) => {
    await writeFile(join(root, "secret"), SECRET);
    const removal = { type: "RemoveBlocks", appId: APP, execId: "1", blockIds: [name] } as const;
    expect(await asker.ask(removal)).toEqual({ type: "BlocksRemoved", numRemovedBlocks: 0 });
    expect(existsSync(join(root, "secret"))).toBe(true);
    await expectAlive();
  });

  it.each([
    "rdd_0_../../secret",
    "rdd_0_0/../../secret",
    "shuffle_0_0_0/../x",
    "rdd_1e3_0",
    "rdd_0x1_0",
    "rdd_ 1_0",
    "rdd_1_",
    "rdd__1",
    `rdd_${"9".repeat(100_000)}_0`,
    "shuffle_0_0_0_0_0_0_0",
    "shuffleChunk_0_0_0",
    "shuffleChunk_a_0_0_0",
    "shuffleChunk_99999999999_0_0_0",
    "_".repeat(1_000_000),
    `${"_".repeat(1_000_000)}x`,
  ])("open nothing under the name %.40j", async (name) => {
    expect(await failureOf(asker.ask(open(APP, "1", name)))).toMatch(
      /^java\.lang\.(?:IllegalArgument|NumberFormat)Exception: /,
    );
    await expectAlive();
  });

  it("follow no link that was planted later", async () => {
    const { path, subDirPath } = localFilePath(localDirs, 64, "rdd_6_6");
    await mkdir(subDirPath, { recursive: true });
    await symlink(join(outside, "secret"), path);
    const { streamId } = await asker.open(open(APP, "1", "rdd_6_6"));
    expect(await failureOf(asker.chunk(streamId, 0))).toContain("not under a local directory");
    const removal = {
      type: "RemoveBlocks",
      appId: APP,
      execId: "1",
      blockIds: ["rdd_6_6"],
    } as const;
    await asker.ask(removal);
    expect(existsSync(join(outside, "secret"))).toBe(true);
  });

  it("follow no link in the place of a directory that was registered before it existed", async () => {
    const late = join(root, "late");
    await asker.register("late", [late]);
    await layOut("plain-adler32", [outside]);
    await symlink(outside, late);
    const { streamId } = await asker.open({ ...fetchOf(0, [0n], [[0]]), execId: "late" });
    expect(await failureOf(asker.chunk(streamId, 0))).toContain("not under a local directory");
  });

  it("open neither pipes nor directories", async () => {
    for (const name of ["rdd_8_0", "shuffle_8_8_0.index"]) {
      const { path, subDirPath } = localFilePath(localDirs, 64, name);
      await mkdir(subDirPath, { recursive: true });
      execFileSync(MAKE_PIPE, [path]);
    }
    await mkdir(localFilePath(localDirs, 64, "rdd_8_1").path, { recursive: true });
    const rdds = await asker.open(open(APP, "1", "rdd_8_0", "rdd_8_1"));
    expect(await failureOf(asker.chunk(rdds.streamId, 0))).toContain("Chunk was not found");
    expect(await failureOf(asker.chunk(rdds.streamId, 1))).toContain("Chunk was not found");
    const { streamId } = await asker.open(fetchOf(8, [8n], [[0]]));
    expect(await failureOf(asker.chunk(streamId, 0))).toContain("Failed to open file");
  });

  it("are not made from the name of an algorithm", async () => {
    const ids = { appId: APP, execId: "1", shuffleId: 0, mapId: 0n, reduceId: 0, checksum: 1n };
    for (const algorithm of ["../../secret", "adler32", "", "ADLER32\0", "__proto__"]) {
      const cause = "UNSUPPORTED_CHECKSUM_ALGORITHM";
      expect(await asker.ask({ type: "DiagnoseCorruption", ...ids, algorithm })).toEqual({
        type: "CorruptionCause",
        cause,
      });
    }
  });
});

describe("numbers", () => {
  it.each([
    ["a negative partition", 0, 0n, -1],
    ["the lowest partition", 0, 0n, INT_MIN],
    ["the highest partition", 0, 0n, INT_MAX],
    ["a partition behind the last", 0, 0n, 4],
    ["a negative shuffle", -1, 0n, 0],
    ["the lowest map", 0, -(2n ** 63n), 0],
    ["the highest map", 0, 2n ** 63n - 1n, 0],
  ])("out of range fail alone: %s", async (_, shuffleId, mapId, reduceId) => {
    const { streamId } = await asker.open(fetchOf(shuffleId, [mapId, 0n], [[reduceId], [0]]));
    expect(await failureOf(asker.chunk(streamId, 0))).toMatch(
      /^java\.lang\.(?:IndexOutOfBounds|Runtime)Exception: /,
    );
    await expectAlive();
  });

  it.each([
    [3, 2],
    [-1, 2],
    [0, 5],
    [0, INT_MAX],
    [INT_MAX, INT_MIN],
  ])("of a run from %i to %i are refused", async (start, end) => {
    const { streamId } = await asker.open(fetchOf(0, [0n], [[start, end]], true));
    expect(await failureOf(asker.chunk(streamId, 0))).toContain("IndexOutOfBoundsException");
  });

  it.each([-1, 0, 1, 7, INT_MAX, INT_MIN])("of chunk %i of no stream", async (index) => {
    expect(await failureOf(asker.client.fetchChunk(12_345, index))).toContain("is closed");
  });

  it("of a stream of another connection serve it once at most", async () => {
    const { streamId } = await asker.open(fetchOf(0, [0n], [[0, 1]]));
    const other = await Asker.connect(service.port);
    expect(await failureOf(other.chunk(streamId, 1))).toContain("out-of-order");
    expect(await failureOf(asker.chunk(streamId, 0))).toBe("no failure");
  });
});

describe("memory", () => {
  it("of a million opened blocks is a few bytes each, and comes back with the connection", async () => {
    const maps = Array.from({ length: 100 }, (_, map) => BigInt(map));
    const reduces = maps.map(() => Array.from({ length: 100 }, (_, reduce) => reduce));
    for (let stream = 0; stream < 100; stream += 1) {
      const { numChunks } = await asker.open(fetchOf(0, maps, reduces));
      expect(numChunks).toBe(10_000);
    }
    const { references, streamManager } = service.parts.handler;
    expect(references.bytes).toBeLessThan(5_000_000);
    expect(streamManager.streamCount).toBe(100);
    await asker.client.close();
    await expect.poll(() => references.bytes).toBe(0);
    expect(streamManager.streamCount).toBe(0);
  });

  it("for opened blocks has a limit, at which a connection is closed", async () => {
    const conf = { "bm.service.openReferences.size": "10k" };
    const small = await startService({ conf });
    const greedy = await Asker.connect(small.port);
    const patient = await Asker.connect(small.port);
    const many = fetchOf(0, [0n], [Array.from({ length: 2000 }, (_, reduce) => reduce)]);
    await greedy.open(many);
    await expect(greedy.ask(many)).rejects.toMatchObject({ name: "TransportError" });
    await expect.poll(() => small.parts.handler.references.bytes).toBe(0);
    expect((await patient.open(many)).numChunks).toBe(2000);
  });

  it.each([
    ["OpenBlocks", 0],
    ["RegisterExecutor", 2],
    ["RemoveBlocks", 7],
    ["FetchShuffleBlocks", 9],
    ["GetLocalDirsForExecutors", 10],
    ["FetchShuffleBlockChunks", 15],
  ])("is not reserved for a count that is not there: %s", async (_, type) => {
    for (const count of [INT_MAX, -1, INT_MIN, 1_000_000]) {
      const writer = new ByteWriter(64).writeInt8(type).writeString(APP).writeString("1");
      const bytes = writer.writeInt32(count).writeInt32(count).finish();
      expect(await failureOf(asker.client.sendRpc(bytes))).toMatch(/^java\.lang\./);
    }
    await expectAlive();
  });
});

describe("messages", () => {
  const golden = readVectors("shuffle-messages.json") as { name: string; hex: string }[];

  it("of every kind, cut anywhere or with a byte changed, are answered and do no harm", async () => {
    const mutation = fc.record({
      message: fc.constantFrom(...golden),
      cut: fc.nat(),
      at: fc.nat(),
      byte: fc.nat(255),
    });
    const property = fc.asyncProperty(mutation, async ({ at, byte, cut, message }) => {
      const bytes = Buffer.from(message.hex, "hex");
      bytes[at % bytes.length] = byte;
      await settled(asker.client, bytes.subarray(0, 1 + (cut % bytes.length)));
    });
    await fc.assert(property, { numRuns: 300 });
    await expectAlive();
  });

  it.each([4, 5, 20, 127, -1, -128])("of the unknown type %i are refused", async (type) => {
    const bytes = Buffer.from([type & 0xff]);
    const text = `java.lang.IllegalArgumentException: Unknown message type: ${type}`;
    expect(await failureOf(asker.client.sendRpc(bytes))).toBe(text);
  });

  it("without an answer that fail are logged and forgotten", async () => {
    for (const { hex } of golden) asker.client.send(Buffer.from(hex, "hex"));
    asker.client.send(encodeBlockTransferMessage(fetchOf(0, [0n], [[0]])));
    await expectAlive();
  });
});

/** Every request gets an answer, good or bad. */
async function settled(client: TransportClient, bytes: Uint8Array): Promise<void> {
  await Promise.allSettled([client.sendRpc(bytes)]);
  expect(client.channel.isActive).toBe(true);
}

function fetchOf(
  shuffleId: number,
  mapIds: readonly bigint[],
  reduceIds: readonly (readonly number[])[],
  batchFetchEnabled = false,
): BlockTransferMessage & { type: "FetchShuffleBlocks" } {
  const type = "FetchShuffleBlocks";
  return { type, appId: APP, execId: "1", shuffleId, mapIds, reduceIds, batchFetchEnabled };
}

function open(appId: string, execId: string, ...blockIds: string[]): BlockTransferMessage {
  return { type: "OpenBlocks", appId, execId, blockIds };
}
