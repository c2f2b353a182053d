/** A service of three event loops: whichever of them a peer reaches, it meets the same service. */
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { BytesManagedBuffer, nodePlatform, silentLogger } from "@bm/transport";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  decodeBlockTransferMessage,
  type ExternalShuffleService,
  encodeBlockTransferMessage,
  LevelExecutorStore,
} from "../../../src/index.ts";
import { VECTORS } from "../../read-vectors.ts";
import {
  APP,
  Asker,
  endAll,
  failureOf,
  layOut,
  recordedOutputs,
  SHUFFLE_MANAGER,
  startService,
  temporaryDirectory,
} from "../service-under-test.ts";

const THREADS = 3;
/** Spread by the system over three loops: all in one, or none in one, does not happen. */
const PEERS = 32;
const conf = {
  "bm.service.threads": String(THREADS),
  "spark.shuffle.push.server.mergedShuffleFileManagerImpl":
    "org.apache.spark.network.shuffle.RemoteBlockPushResolver",
};
const MERGING_MANAGER = `${SHUFFLE_MANAGER}:{"mergeDir":"merge_manager_1","attemptId":"1"}}}`;
const { files } = nodePlatform();

let root: string;
let service: ExternalShuffleService;
let peers: Asker[];

beforeEach(async () => {
  root = await temporaryDirectory();
  await start();
});
afterEach(endAll);

async function start(): Promise<void> {
  const path = join(root, "registrations");
  const store = await LevelExecutorStore.open({ path, files, logger: silentLogger });
  service = await startService({ conf, roots: [root], store });
  peers = await Promise.all(Array.from({ length: PEERS }, () => Asker.connect(service.port)));
}

function fromEach<T>(work: (peer: Asker, index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(peers.map(work));
}

function openOne(peer: Asker): Promise<unknown> {
  const ids = { appId: APP, execId: "0", shuffleId: 0, mapIds: [0n], reduceIds: [[0]] };
  return peer.open({ type: "FetchShuffleBlocks", ...ids, batchFetchEnabled: false });
}

/** Reads every partition of one recorded map output. */
async function readOutput(peer: Asker): Promise<Buffer[]> {
  const [output] = recordedOutputs;
  if (output === undefined) throw new Error("no recorded output");
  const [, shuffleId = "", mapId = ""] = basename(output.index).split("_");
  const reduceIds = output.partitions.map(({ reduceId }) => reduceId);
  const handle = await peer.open({
    type: "FetchShuffleBlocks",
    appId: APP,
    execId: "0",
    shuffleId: Number(shuffleId),
    mapIds: [BigInt(mapId)],
    reduceIds: [reduceIds],
    batchFetchEnabled: false,
  });
  return Promise.all(reduceIds.map((_, index) => peer.chunk(handle.streamId, index)));
}

describe("several event loops of one service", () => {
  it("all know an executor as soon as it has its answer", async () => {
    await layOut(recordedOutputs[0]?.set ?? "", [root]);
    await peers[0]?.register("0", [root]);
    const [output] = recordedOutputs;
    const data = readFileSync(join(VECTORS, "shuffle-files", output?.data ?? ""));
    for (const partitions of await fromEach(readOutput)) {
      expect(Buffer.concat(partitions)).toEqual(data);
    }
    await service.collect();
    const { blockTransferRate, blockTransferRateBytes } = service.metrics;
    expect(blockTransferRate.count).toBe(PEERS * (output?.partitions.length ?? 0));
    expect(blockTransferRateBytes.count).toBe(PEERS * data.length);
    expect(service.gauges).toMatchObject({ activeConnections: PEERS, openStreams: 0 });
    expect(service.parts.loops?.gauges).toHaveLength(THREADS - 1);
    for (const { activeConnections } of service.parts.loops?.gauges ?? []) {
      expect(activeConnections).toBeGreaterThan(0);
    }
  });

  it("take registrations anywhere, and find them all after a restart", async () => {
    await fromEach((peer, index) => peer.register(String(index), [join(root, String(index))]));
    expect(service.parts.registry.size).toBe(PEERS);
    await service.close();
    await start();
    const execIds = peers.map((_, index) => String(index));
    const answers = await fromEach((peer) =>
      peer.ask({ type: "GetLocalDirsForExecutors", appId: APP, execIds }),
    );
    for (const answer of answers) {
      const localDirsByExec = new Map(execIds.map((id) => [id, [join(root, id)]]));
      expect(answer).toEqual({ type: "LocalDirsForExecutors", localDirsByExec });
    }
  });

  it("take new limits alike while they serve", async () => {
    const { applied, postponed } = service.reload({
      ...conf,
      "bm.service.application.openStreams.max": "3",
      "spark.shuffle.service.index.cache.size": "1m",
    });
    expect(applied).toEqual(["bm.service.application.openStreams.max"]);
    expect(postponed).toEqual(["spark.shuffle.service.index.cache.size"]);
    const opened = peers.flatMap((peer) => [openOne(peer), openOne(peer)]);
    for (const one of opened) one.catch(() => {});
    const waiting = async (): Promise<number> => {
      await service.collect();
      return service.gauges.streamsWaiting;
    };
    // Each peer has one stream, and each loop's share is used up by the first of its peers.
    await expect.poll(waiting).toBe(PEERS);
    service.reload(conf);
    await Promise.all(opened);
    expect(await waiting()).toBe(0);
    expect(() => service.reload({ "bm.service.lookups.max": "x" })).toThrow("whole number");
  });

  it("refuse alike what is not to be had", async () => {
    const failures = await fromEach((peer) =>
      failureOf(peer.ask({ type: "GetLocalDirsForExecutors", appId: APP, execIds: ["9"] })),
    );
    const text = `java.lang.RuntimeException: Executor is not registered (appId=${APP}, execId=9)`;
    expect(new Set(failures)).toEqual(new Set([text]));
    const outside = await fromEach((peer) => failureOf(peer.register("x", ["/etc"])));
    expect(new Set(outside).size).toBe(1);
    expect(outside[0]).toContain("not under any of the service's local directories");
  });

  it("merge what is pushed to any of them into one file", async () => {
    await registerMerging();
    const answers = await fromEach((peer, index) => push(peer, index));
    expect(new Set(answers)).toEqual(new Set(["SUCCESS"]));
    expect(await push(peers[1] as Asker, 0)).toBe("SUCCESS");
    const finalized = await peers[2]?.ask({
      type: "FinalizeShuffleMerge",
      appId: APP,
      appAttemptId: 1,
      shuffleId: 0,
      shuffleMergeId: 0,
    });
    const size = BigInt(PEERS * BLOCK_BYTES);
    expect(finalized).toMatchObject({ type: "MergeStatuses", reduceIds: [0], sizes: [size] });
    const merged = await fromEach(readMerged);
    for (const bytes of merged) expect(bytes).toEqual(merged[0]);
    expect(mapsIn(merged[0] ?? Buffer.alloc(0))).toEqual(peers.map((_, index) => index));
    // A late one is let pass and refused, wherever it comes in.
    const late = await fromEach((peer, index) => push(peer, 100 + index));
    expect(new Set(late)).toEqual(new Set(["TOO_LATE_BLOCK_PUSH"]));
  });

  it("hold back pushes that come in faster than they are merged, and lose nothing", async () => {
    await registerMerging();
    const bytes = 12 * 1024 * 1024;
    const codes = await Promise.all(peers.slice(0, 6).map((peer, at) => push(peer, at, at, bytes)));
    expect(codes).toEqual(Array.from({ length: 6 }, () => "SUCCESS"));
    await service.collect();
    expect(service.metrics.blockBytesWritten.count).toBe(6 * bytes);
  });

  it("end together", async () => {
    await service.close();
    const failures = await fromEach((peer) => failureOf(peer.register("0", [root])));
    for (const failure of failures) expect(failure).toMatch(/closed/);
    await service.close();
  });
});

const BLOCK_BYTES = 1000;

async function registerMerging(): Promise<void> {
  for (let sub = 0; sub < 64; sub += 1) {
    const name = sub.toString(16).padStart(2, "0");
    await mkdir(join(root, "merge_manager_1", name), { recursive: true });
  }
  const executorInfo = {
    localDirs: [join(root, "blockmgr")],
    subDirsPerLocalDir: 64,
    shuffleManager: MERGING_MANAGER,
  };
  await peers[0]?.ask({ type: "RegisterExecutor", appId: APP, execId: "0", executorInfo });
}

async function push(
  peer: Asker,
  mapIndex: number,
  reduceId = 0,
  bytes = BLOCK_BYTES,
): Promise<string> {
  const header = encodeBlockTransferMessage({
    type: "PushBlockStream",
    appId: APP,
    appAttemptId: 1,
    shuffleId: 0,
    shuffleMergeId: 0,
    mapIndex,
    reduceId,
    index: 0,
  });
  for (;;) {
    const body = new BytesManagedBuffer(Buffer.alloc(bytes, mapIndex));
    const answer = decodeBlockTransferMessage(await peer.client.uploadStream(header, body));
    const code = answer.type === "BlockPushReturnCode" ? answer.returnCode : answer.type;
    // Two blocks of one partition that come at once collide, as Spark's do: the pusher tries again.
    if (code !== "BLOCK_APPEND_COLLISION_DETECTED") return code;
  }
}

async function readMerged(peer: Asker): Promise<Buffer> {
  const { numChunks } = await peer.client.mergedBlockMeta(APP, 0, 0, 0);
  const chunkIds = [Array.from({ length: numChunks }, (_, chunk) => chunk)];
  const handle = await peer.open({
    type: "FetchShuffleBlockChunks",
    appId: APP,
    execId: "0",
    shuffleId: 0,
    shuffleMergeId: 0,
    reduceIds: [0],
    chunkIds,
  });
  const chunks = (chunkIds[0] ?? []).map((chunk) => peer.chunk(handle.streamId, chunk));
  return Buffer.concat(await Promise.all(chunks));
}

/** Every block is whole, wherever it lies. */
function mapsIn(merged: Buffer): number[] {
  const maps: number[] = [];
  for (let at = 0; at < merged.length; at += BLOCK_BYTES) {
    const block = merged.subarray(at, at + BLOCK_BYTES);
    expect(new Set(block).size).toBe(1);
    maps.push(block[0] ?? -1);
  }
  return maps.toSorted((a, b) => a - b);
}
