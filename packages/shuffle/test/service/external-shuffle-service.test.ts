import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { localFilePath } from "@bm/block";
import { BytesManagedBuffer } from "@bm/transport";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BlockTransferMessage, ExternalShuffleService } from "../../src/index.ts";
import { readVectors, VECTORS } from "../read-vectors.ts";
import {
  APP,
  Asker,
  endAll,
  failureOf,
  layOut,
  type RecordedOutput,
  recordedOutputs,
  startService,
  temporaryDirectory,
} from "./service-under-test.ts";

const SETS = ["plain-adler32", "lz4-crc32c"];

let root: string;
let localDirs: string[];
let service: ExternalShuffleService;
let asker: Asker;

beforeEach(async () => {
  root = await temporaryDirectory();
  localDirs = [join(root, "blockmgr-a"), join(root, "blockmgr-b")];
  service = await startService({ roots: [root] });
  asker = await Asker.connect(service.port);
  await asker.register("1", localDirs);
});
afterEach(endAll);

describe.each(SETS)("the files that a real executor wrote (%s)", (set) => {
  const outputs = recordedOutputs.filter((output) => output.set === set);
  beforeEach(() => layOut(set, localDirs));

  it.each(outputs.map((output) => [idsOf(output).name, output] as const))(
    "are served partition by partition: %s",
    async (_, output) => {
      const { mapId, shuffleId } = idsOf(output);
      const reduceIds = output.partitions.map(({ reduceId }) => reduceId);
      const handle = await asker.open(fetchOf(shuffleId, [mapId], [reduceIds]));
      expect(handle.numChunks).toBe(reduceIds.length);
      for (const [index, { length, offset }] of output.partitions.entries()) {
        const expected = dataOf(output).subarray(offset, offset + length);
        expect(await asker.chunk(handle.streamId, index)).toEqual(expected);
      }
      expect(service.parts.handler.streamManager.streamCount).toBe(0);
      expect(service.parts.handler.references.bytes).toBe(0);
    },
  );

  it("are served as runs of partitions", async () => {
    const [output] = outputs as [RecordedOutput];
    const { mapId, shuffleId } = idsOf(output);
    const end = output.partitions.length;
    const handle = await asker.open(fetchOf(shuffleId, [mapId], [[0, end]], true));
    expect(handle.numChunks).toBe(1);
    expect(await asker.chunk(handle.streamId, 0)).toEqual(dataOf(output));
  });

  it("are served as streams, too", async () => {
    const [output] = outputs as [RecordedOutput];
    const { mapId, shuffleId } = idsOf(output);
    const { streamId } = await asker.open(fetchOf(shuffleId, [mapId], [[0]]));
    const pieces: Uint8Array[] = [];
    const { promise, reject, resolve } = Promise.withResolvers<void>();
    asker.client.stream(`${streamId}_0`, {
      onData: (_id, bytes) => pieces.push(Uint8Array.from(bytes)),
      onComplete: () => resolve(),
      onFailure: (_id, error) => reject(error),
    });
    await promise;
    const { length, offset } = output.partitions[0]!;
    expect(Buffer.concat(pieces)).toEqual(dataOf(output).subarray(offset, offset + length));
  });

  it("are served by name to those who ask in the old way", async () => {
    const blockIds = outputs
      .filter((output) => idsOf(output).shuffleId === 0)
      .map((output) => `shuffle_0_${idsOf(output).mapId}_1`);
    const handle = await asker.open({ type: "OpenBlocks", appId: APP, execId: "1", blockIds });
    for (const [index, output] of outputs.slice(0, blockIds.length).entries()) {
      const { length, offset } = output.partitions[1]!;
      const expected = dataOf(output).subarray(offset, offset + length);
      expect(await asker.chunk(handle.streamId, index)).toEqual(expected);
    }
  });

  it("are found sound by a diagnosis, and the network guilty of another checksum", async () => {
    for (const output of outputs) {
      for (const { checksum, reduceId } of output.partitions) {
        expect(await diagnose(output, reduceId, BigInt(checksum))).toBe("CHECKSUM_VERIFY_PASS");
      }
    }
    expect(await diagnose(outputs[0]!, 1, 7n)).toBe("NETWORK_ISSUE");
  });

  it("have the disk to blame once a byte has changed there", async () => {
    const output = outputs[0]!;
    const { checksum, offset } = output.partitions[1]!;
    const bytes = Buffer.from(dataOf(output));
    bytes[offset] = bytes[offset]! ^ 1;
    await writeFile(pathOf(output.data), bytes);
    expect(await diagnose(output, 1, BigInt(checksum))).toBe("DISK_ISSUE");
    expect(service.metrics.diagnosedCorruption.get("DISK_ISSUE")).toBe(1);
  });
});

interface RecordedAnswers {
  readonly name: string;
  readonly replies: readonly { readonly reply: string; readonly error?: string }[];
}

const answersOfSpark = readVectors("service-errors.json") as RecordedAnswers[];

describe("a bad request is answered as Spark's service answers it", () => {
  beforeEach(() => layOut("plain-adler32", localDirs));

  it.each([
    ["fetch from unregistered executor", fetchOf(0, [0n], [[0]], false, "99")],
    ["open rdd missing", open("rdd_0_0")],
    ["open empty list", open()],
    ["open bad id", open("broadcast_0_piece0")],
    ["open mixed shuffle ids", open("shuffle_0_0_0", "shuffle_1_0_0")],
    ["open map id beyond int", open("shuffle_0_4294967296_0")],
    ["open batch id", open("shuffle_0_1_0_3")],
    ["getlocaldirs unknown executor", dirsOf("2")],
    ["getlocaldirs duplicate", dirsOf("1", "1")],
    ["getlocaldirs merger (no-op manager)", dirsOf("shuffle-push-merger")],
    ["removeblocks unregistered", removal("2", "rdd_0_0")],
    ["finalize (no-op manager)", merge("FinalizeShuffleMerge")],
    ["remove merge as rpc (no-op manager)", merge("RemoveShuffleMerge")],
  ] as const)("%s", async (name, message) => {
    const replies = answersOfSpark.find((answer) => answer.name === name)?.replies;
    const expected = replies?.findLast(({ error }) => error !== undefined)?.error;
    expect(expected).toBeDefined();
    const answer = asker.ask(message).then((handle) => {
      if (handle?.type !== "StreamHandle") throw new Error(`answered with ${handle?.type}`);
      return asker.chunk(handle.streamId, 0);
    });
    const text = await failureOf(answer);
    expect(text.replace(APP, "app-err")).toBe(expected);
  });

  it("a missing index, by its path", async () => {
    const { streamId } = await asker.open(fetchOf(9, [9n], [[0]]));
    const { path } = localFilePath(localDirs, 64, "shuffle_9_9_0.index");
    const text = `java.lang.RuntimeException: Failed to open file: ${path}`;
    expect(await failureOf(asker.chunk(streamId, 0))).toBe(text);
  });

  it("a diagnosis for an unknown executor", async () => {
    const text = await failureOf(diagnose(recordedOutputs[0]!, 0, 1n, "99"));
    expect(text).toMatch(/^java\.lang\.NullPointerException: /);
  });

  it("a push, with the connection closed", async () => {
    const golden = readVectors("shuffle-messages.json") as { type: string; hex: string }[];
    const header = golden.find(({ type }) => type === "PushBlockStream")!.hex;
    const data = new BytesManagedBuffer(Buffer.from("content"));
    const text = await failureOf(asker.client.uploadStream(Buffer.from(header, "hex"), data));
    expect(text).toBe("java.lang.UnsupportedOperationException: Cannot handle shuffle block merge");
    await asker.client.channel.closed;
  });
});

describe("ExternalShuffleService", () => {
  beforeEach(() => layOut("plain-adler32", localDirs));

  it("fails a missing block alone, and the next chunk is the next block", async () => {
    const { streamId } = await asker.open(fetchOf(0, [0n, 77n, 1n], [[1], [1], [1]]));
    const results = await Promise.allSettled([0, 1, 2].map((at) => asker.chunk(streamId, at)));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(service.metrics.failedChunks).toBe(1);
  });

  it("serves neighbours in their order, in whatever order their maps are found", async () => {
    const outputs = recordedOutputs.filter(({ set }) => set === "plain-adler32").slice(0, 3);
    const mapIds = outputs.map((output) => idsOf(output).mapId);
    const handle = await asker.open(
      fetchOf(
        0,
        mapIds,
        mapIds.map(() => [0, 1, 2, 3]),
      ),
    );
    const chunks = await Promise.all(
      Array.from({ length: handle.numChunks }, (_, index) => asker.chunk(handle.streamId, index)),
    );
    expect(Buffer.concat(chunks)).toEqual(Buffer.concat(outputs.map(dataOf)));
  });

  it("holds little for blocks that nobody fetches, and nothing once their connection is gone", async () => {
    const { references } = service.parts.handler;
    const maps = (count: number): bigint[] => Array.from({ length: count }, (_, at) => BigInt(at));
    const partitions = Array.from({ length: 100 }, (_, at) => at);
    const square = maps(100).map(() => partitions);
    expect((await asker.open(fetchOf(0, maps(100), square))).numChunks).toBe(10_000);
    expect(references.bytes).toBe(8 * 100 + 4 * 100);
    await asker.open(
      fetchOf(
        0,
        maps(200),
        maps(200).map(() => [7]),
      ),
    );
    expect(references.bytes).toBe(1200 + 8 * 200 + 4);
    await asker.open(fetchOf(0, maps(2), [[1, 2], [3]]));
    expect(references.bytes).toBe(2804 + 12 * 2 + 4 * 3);
    await asker.client.close();
    await expect.poll(() => references.bytes).toBe(0);
  });

  it.each([
    ["the same partitions of each map", [[1, 3, 2]], 3],
    ["other partitions of each map", [[0, 3], [2], [1, 0, 2]], 1],
  ])("gives the right block to each chunk: %s", async (_, lists, times) => {
    const outputs = recordedOutputs.filter(({ set }) => set === "plain-adler32").slice(0, 3);
    const reduceIds = Array.from({ length: times }, () => lists).flat();
    const mapIds = outputs.map((output) => idsOf(output).mapId);
    const { streamId } = await asker.open(fetchOf(0, mapIds, reduceIds));
    const wanted = outputs.flatMap((output, at) =>
      (reduceIds[at] ?? []).map((id) => dataOf(output).subarray(...rangeOf(output, id))),
    );
    for (const [index, block] of wanted.entries()) {
      expect(await asker.chunk(streamId, index)).toEqual(block);
    }
    const runs = await asker.open(
      fetchOf(
        0,
        mapIds,
        mapIds.map(() => [1, 3]),
        true,
      ),
    );
    for (const [index, output] of outputs.entries()) {
      const [start] = rangeOf(output, 1);
      const [, end] = rangeOf(output, 2);
      expect(await asker.chunk(runs.streamId, index)).toEqual(dataOf(output).subarray(start, end));
    }
  });

  it("gives the directories of executors", async () => {
    await asker.register("2", [join(root, "blockmgr-c")]);
    expect(await asker.ask(dirsOf("2", "1"))).toEqual({
      type: "LocalDirsForExecutors",
      localDirsByExec: new Map([
        ["2", [join(root, "blockmgr-c")]],
        ["1", localDirs],
      ]),
    });
  });

  it("removes blocks and counts those that were there", async () => {
    const names = ["shuffle_0_0_0.data", "shuffle_0_0_0.index", "shuffle_0_9_0.data"];
    expect(await asker.ask(removal("1", ...names))).toEqual({
      type: "BlocksRemoved",
      numRemovedBlocks: 2,
    });
    const { streamId } = await asker.open(fetchOf(0, [0n], [[0]]));
    expect(await failureOf(asker.chunk(streamId, 0))).toContain("Failed to open file");
  });

  it("serves blocks of RDDs that were persisted to disk", async () => {
    const { path, subDirPath } = localFilePath(localDirs, 64, "rdd_5_2");
    await mkdir(subDirPath, { recursive: true });
    await writeFile(path, "a cached partition");
    const { streamId } = await asker.open(open("rdd_5_1", "rdd_5_2"));
    expect(await failureOf(asker.chunk(streamId, 0))).toBe(
      "java.lang.IllegalStateException: Chunk was not found",
    );
    expect((await asker.chunk(streamId, 1)).toString()).toBe("a cached partition");
  });

  it("notices that a map output was written again", async () => {
    const output = recordedOutputs[0]!;
    expect(await firstPartition()).toEqual(dataOf(output).subarray(...rangeOf(output, 0)));
    const index = Buffer.alloc(16);
    index.writeBigInt64BE(4n, 8);
    await writeFile(pathOf(output.data), "anew");
    await writeFile(pathOf(output.index), index);
    expect((await firstPartition()).toString()).toBe("anew");
  });

  it("serves nothing of a data file that does not fit its index", async () => {
    const output = recordedOutputs[0]!;
    await writeFile(pathOf(output.data), dataOf(output).subarray(0, -1));
    expect(await failureOf(firstPartition())).toContain("its index says");
  });

  it("counts what it does", async () => {
    await firstPartition();
    const { metrics, parts } = service;
    expect(metrics.blockTransferRate.count).toBe(1);
    expect(metrics.blockTransferRateBytes.count).toBe(recordedOutputs[0]!.partitions[0]!.length);
    expect(metrics.registerExecutorRequestLatencyMillis.snapshot().count).toBe(1);
    expect(parts.registry.size).toBe(1);
    expect(metrics.numActiveConnections).toBe(1);
  });

  it("refuses to start where clients are to authenticate", async () => {
    for (const key of ["spark.authenticate", "spark.ssl.rpc.enabled"]) {
      await expect(startService({ conf: { [key]: "true" } })).rejects.toMatchObject({
        code: "OPTION_INVALID",
        message: expect.stringContaining(key) as string,
      });
    }
  });

  it("suggests the right name for a wrong key of ours", async () => {
    const conf = { "bm.service.lookup.max": "1" };
    await expect(startService({ conf })).rejects.toThrow("is bm.service.lookups.max meant?");
  });

  async function firstPartition(): Promise<Buffer> {
    const { streamId } = await asker.open(fetchOf(0, [0n], [[0]]));
    return asker.chunk(streamId, 0);
  }
});

function idsOf(output: RecordedOutput): { name: string; shuffleId: number; mapId: bigint } {
  const name = output.data.split("/").at(-1)!;
  const [, shuffleId, mapId] = name.split("_");
  return { name, shuffleId: Number(shuffleId), mapId: BigInt(mapId!) };
}

function rangeOf(output: RecordedOutput, reduceId: number): [number, number] {
  const { length, offset } = output.partitions[reduceId]!;
  return [offset, offset + length];
}

function dataOf(output: RecordedOutput): Buffer {
  return readFileSync(join(VECTORS, "shuffle-files", output.data));
}

function pathOf(file: string): string {
  return localFilePath(localDirs, 64, file.split("/").at(-1)!).path;
}

function fetchOf(
  shuffleId: number,
  mapIds: bigint[],
  reduceIds: number[][],
  batchFetchEnabled = false,
  execId = "1",
): BlockTransferMessage {
  const type = "FetchShuffleBlocks";
  return { type, appId: APP, execId, shuffleId, mapIds, reduceIds, batchFetchEnabled };
}

function open(...blockIds: string[]): BlockTransferMessage {
  return { type: "OpenBlocks", appId: APP, execId: "1", blockIds };
}

function dirsOf(...execIds: string[]): BlockTransferMessage {
  return { type: "GetLocalDirsForExecutors", appId: APP, execIds };
}

function removal(execId: string, ...blockIds: string[]): BlockTransferMessage {
  return { type: "RemoveBlocks", appId: APP, execId, blockIds };
}

function merge(type: "FinalizeShuffleMerge" | "RemoveShuffleMerge"): BlockTransferMessage {
  return { type, appId: APP, appAttemptId: -1, shuffleId: 0, shuffleMergeId: 0 };
}

async function diagnose(
  output: RecordedOutput,
  reduceId: number,
  checksum: bigint,
  execId = "1",
): Promise<string | undefined> {
  const { algorithm } = output;
  const { mapId, shuffleId } = idsOf(output);
  const type = "DiagnoseCorruption";
  const ids = { appId: APP, execId, shuffleId, mapId, reduceId };
  const answer = await asker.ask({ type, ...ids, checksum, algorithm });
  return answer?.type === "CorruptionCause" ? answer.cause : answer?.type;
}
