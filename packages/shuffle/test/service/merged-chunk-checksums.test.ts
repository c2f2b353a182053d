import { mkdir, open, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { localFilePath } from "@bm/block";
import { Adler32 } from "@bm/codec/checksum";
import { BytesManagedBuffer, type Logger, nodePlatform, silentLogger } from "@bm/transport";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type CorruptionCauseName,
  type ExternalShuffleService,
  encodeBlockTransferMessage,
  LevelRows,
  mergedChunkMapId,
} from "../../src/index.ts";
import {
  Asker,
  endAll,
  failureOf,
  startService,
  temporaryDirectory,
} from "./service-under-test.ts";

const { files } = nodePlatform();
const APP = "application_1_1";
const MERGING = {
  "spark.shuffle.push.server.mergedShuffleFileManagerImpl":
    "org.apache.spark.network.shuffle.RemoteBlockPushResolver",
  "spark.shuffle.push.server.minChunkSizeInMergedShuffleFile": "100",
};
/** Two blocks reach the size of a chunk. */
const BLOCKS = [0, 1, 2, 3, 4].map((map) => Buffer.alloc(60, map + 1));
const CHUNKS = [Buffer.concat(BLOCKS.slice(0, 2)), Buffer.concat(BLOCKS.slice(2, 4)), BLOCKS[4]!];

let root: string;
let service: ExternalShuffleService;
let asker: Asker;
let lines: string[];

beforeEach(async () => {
  root = await temporaryDirectory();
  lines = [];
  for (let sub = 0; sub < 64; sub += 1) {
    const name = sub.toString(16).padStart(2, "0");
    await mkdir(join(root, "merge_manager", name), { recursive: true });
  }
  await start();
  const shuffleManager = 'sort:{"mergeDir":"merge_manager"}}}';
  const executorInfo = { localDirs: [join(root, "blockmgr-1")], subDirsPerLocalDir: 64 };
  const info = { ...executorInfo, shuffleManager };
  await asker.ask({ type: "RegisterExecutor", appId: APP, execId: "1", executorInfo: info });
  for (const [map, block] of BLOCKS.entries()) await push(map, block);
  await finalize();
});
afterEach(endAll);

async function start(conf: Record<string, string> = {}): Promise<void> {
  const mergeStore = await LevelRows.open({ path: join(root, "db"), files, logger: silentLogger });
  const log = (line: string): unknown => lines.push(line);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  service = await startService({
    conf: { ...MERGING, ...conf },
    roots: [root],
    mergeStore,
    logger,
  });
  asker = await Asker.connect(service.port);
}

async function push(mapIndex: number, block: Buffer): Promise<void> {
  const ids = { appId: APP, appAttemptId: -1, shuffleId: 0, shuffleMergeId: 0, reduceId: 7 };
  const type = "PushBlockStream";
  const header = encodeBlockTransferMessage({ type, ...ids, mapIndex, index: 0 });
  await asker.client.uploadStream(header, new BytesManagedBuffer(block));
}

function finalize(): Promise<unknown> {
  const ids = { appId: APP, appAttemptId: -1, shuffleId: 0, shuffleMergeId: 0 };
  return asker.ask({ type: "FinalizeShuffleMerge", ...ids });
}

function pathOf(end: string): string {
  const name = `shuffleMerged_${APP}_0_0_7.${end}`;
  return localFilePath([join(root, "merge_manager")], 64, name).path;
}

/** What the service says to a reader that got `bytes` as a chunk. */
async function causeOf(
  chunkId: number,
  bytes: Buffer,
  algorithm = "ADLER32",
): Promise<CorruptionCauseName> {
  const checksum = BigInt(new Adler32().update(bytes).value);
  const answer = await asker.ask({
    type: "DiagnoseCorruption",
    appId: APP,
    execId: "shuffle-push-merger",
    shuffleId: 0,
    mapId: mergedChunkMapId(0, chunkId),
    reduceId: 7,
    checksum,
    algorithm,
  });
  if (answer?.type !== "CorruptionCause") throw new Error(`answered with ${answer?.type}`);
  return answer.cause;
}

async function flipByte(path: string, position: number): Promise<void> {
  const file = await open(path, "r+");
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, position);
  byte[0] = ~byte[0]!;
  await file.write(byte, 0, 1, position);
  await file.close();
}

async function chunk(chunkId: number): Promise<Buffer> {
  const ids = { appId: APP, execId: "shuffle-push-merger", shuffleId: 0, shuffleMergeId: 0 };
  const lists = { reduceIds: [7], chunkIds: [[chunkId]] };
  const handle = await asker.open({ type: "FetchShuffleBlockChunks", ...ids, ...lists });
  return asker.chunk(handle.streamId, 0);
}

describe("a merged chunk that arrived corrupt", () => {
  it("passes when the reader got what is on disk", async () => {
    for (const [id, bytes] of CHUNKS.entries()) {
      expect(await causeOf(id, bytes)).toBe("CHECKSUM_VERIFY_PASS");
    }
  });

  it("is the network's fault when the disk is right, after a restart too", async () => {
    expect(await causeOf(1, CHUNKS[0]!)).toBe("NETWORK_ISSUE");
    await service.close();
    await start();
    expect(await causeOf(1, CHUNKS[0]!)).toBe("NETWORK_ISSUE");
    expect(await causeOf(1, CHUNKS[1]!)).toBe("CHECKSUM_VERIFY_PASS");
  });

  it("is the disk's fault when a byte was turned over, and the log says in which file", async () => {
    await flipByte(pathOf("data"), 130);
    expect(await causeOf(1, CHUNKS[1]!)).toBe("DISK_ISSUE");
    expect(await causeOf(0, CHUNKS[0]!)).toBe("CHECKSUM_VERIFY_PASS");
    const line = lines.find((text) => text.includes("DISK_ISSUE"));
    expect(line).toContain(`shuffleChunk_0_0_7_1 of ${APP}`);
    expect(line).toContain(pathOf("data"));
    expect(service.metrics.diagnosedCorruption.get("DISK_ISSUE")).toBe(1);
  });

  it("has no known cause when checksums are missing, cut or damaged, and is served", async () => {
    const path = pathOf("checksums");
    await flipByte(path, 17);
    expect(await causeOf(1, CHUNKS[1]!)).toBe("UNKNOWN_ISSUE");
    await truncate(path, 20);
    expect(await causeOf(1, CHUNKS[1]!)).toBe("UNKNOWN_ISSUE");
    await writeFile(path, "");
    expect(await causeOf(1, CHUNKS[1]!)).toBe("UNKNOWN_ISSUE");
    await rm(path);
    expect(await causeOf(1, CHUNKS[1]!)).toBe("UNKNOWN_ISSUE");
    expect(lines.at(-1)).toContain("no checksum is set in");
    expect(await chunk(1)).toEqual(CHUNKS[1]);
  });

  it("is not diagnosed with an unknown algorithm, or when it is not there", async () => {
    expect(await causeOf(1, CHUNKS[1]!, "../MD5")).toBe("UNSUPPORTED_CHECKSUM_ALGORITHM");
    expect(await failureOf(causeOf(3, CHUNKS[1]!))).toContain("IndexOutOfBoundsException");
    expect(await failureOf(causeOf(-1, CHUNKS[1]!))).toContain("negative ids");
  });
});

describe("checksums of merged chunks", () => {
  it("cover what was committed, not what broke off or was written over", async () => {
    const header = { appId: APP, appAttemptId: -1, shuffleId: 1, shuffleMergeId: 0, reduceId: 7 };
    const { handler } = service.parts;
    const client = { clientId: null, channel: { pauseReading() {}, resumeReading() {} } };
    const receive = (mapIndex: number): ReturnType<typeof handler.receiveStream> =>
      handler.receiveStream(
        client as unknown as Parameters<typeof handler.receiveStream>[0],
        encodeBlockTransferMessage({ type: "PushBlockStream", ...header, mapIndex, index: 0 }),
      );
    const broken = receive(0);
    void broken.onData("", Buffer.alloc(90, 9));
    broken.onFailure("", new Error("connection lost"));
    const whole = receive(1);
    void whole.onData("", Buffer.alloc(50, 1));
    void whole.onData("", Buffer.alloc(60, 2));
    await whole.onComplete("");
    await asker.ask({ type: "FinalizeShuffleMerge", ...header });
    const answer = await asker.ask({
      type: "DiagnoseCorruption",
      appId: APP,
      execId: "shuffle-push-merger",
      shuffleId: 1,
      reduceId: 7,
      mapId: mergedChunkMapId(0, 0),
      checksum: BigInt(new Adler32().update(Buffer.alloc(50, 1)).update(Buffer.alloc(60, 2)).value),
      algorithm: "ADLER32",
    });
    expect(answer).toMatchObject({ cause: "CHECKSUM_VERIFY_PASS" });
  });

  it("go with the files of their partition", async () => {
    const ids = { appId: APP, appAttemptId: -1, shuffleId: 0, shuffleMergeId: -1 };
    expect((await readFile(pathOf("checksums"))).toString("latin1", 0, 8)).toBe("bmchunks");
    asker.client.send(encodeBlockTransferMessage({ type: "RemoveShuffleMerge", ...ids }));
    const left = async (): Promise<string[]> =>
      (await readdir(join(root, "merge_manager"), { recursive: true })).filter((name) =>
        name.includes("shuffleMerged"),
      );
    await expect.poll(left).toEqual([]);
  });
});

describe("a service that compares chunks before it serves them", () => {
  beforeEach(async () => {
    await service.close();
    await start({ "bm.service.verifyMergedChunks": "true" });
  });

  it("serves right ones, and those without a checksum", async () => {
    expect(await chunk(0)).toEqual(CHUNKS[0]);
    await rm(pathOf("checksums"));
    expect(await chunk(0)).toEqual(CHUNKS[0]);
  });

  it("fails a corrupt one, so that its reader turns to the blocks that were merged", async () => {
    await flipByte(pathOf("data"), 3);
    expect(await failureOf(chunk(0))).toMatch(/^java\.io\.IOException: .*shuffleChunk_0_0_7_0 of/);
    expect(await chunk(1)).toEqual(CHUNKS[1]);
    expect(service.metrics.corruptMergedChunks).toBe(1);
    expect(service.metrics.failedChunks).toBe(1);
    expect(lines.join("\n")).toContain(`${pathOf("data")} was written with CRC-32`);
  });
});
