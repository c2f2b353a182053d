/** Map outputs that are written anew, removed or left alone while a service serves them. */
import { readdirSync, readlinkSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { localFilePath } from "@bm/block";
import { type Files, nodePlatform } from "@bm/transport";
import { createMemoryFiles, ManualClock } from "@bm/transport/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ExternalShuffleService } from "../../src/index.ts";
import {
  APP,
  Asker,
  endAll,
  failureOf,
  startService,
  temporaryDirectory,
} from "./service-under-test.ts";

const TOTAL_BYTES = 40_000;
const platform = nodePlatform();
const isNative = process.platform === "linux" && process.env["BM_NATIVE"] !== "0";

let root: string;
let asker: Asker;

const data = (): string => localFilePath([root], 64, "shuffle_0_5_0.data").path;
const index = (): string => localFilePath([root], 64, "shuffle_0_5_0.index").path;

/** Two partitions: `split` bytes of one value, and the rest of another. All attempts are as long. */
function contentOf(attempt: number): { data: Buffer; index: Buffer; split: number } {
  const split = 1000 + attempt;
  const content = Buffer.alloc(TOTAL_BYTES, 2 * attempt).fill(2 * attempt + 1, split);
  const offsets = [0, split, TOTAL_BYTES].map(BigInt);
  return { data: content, index: Buffer.from(new BigInt64Array(offsets).buffer).swap64(), split };
}

async function fetchBoth(): Promise<Buffer[]> {
  const handle = await asker.open({
    type: "FetchShuffleBlocks",
    appId: APP,
    execId: "1",
    shuffleId: 0,
    mapIds: [5n],
    reduceIds: [[0, 1]],
    batchFetchEnabled: false,
  });
  return Promise.all([0, 1].map((at) => asker.chunk(handle.streamId, at)));
}

async function expectAttempt(attempt: number): Promise<void> {
  const { data: content, split } = contentOf(attempt);
  expect(await fetchBoth()).toEqual([content.subarray(0, split), content.subarray(split)]);
}

afterEach(endAll);

describe("a map output on the machine's disk", () => {
  let service: ExternalShuffleService;
  let clock: ManualClock;

  beforeEach(async () => {
    root = await temporaryDirectory();
    clock = new ManualClock();
    service = await startService({ platform: { ...platform, clock } });
    asker = await Asker.connect(service.port);
    await asker.register("1", [root]);
    for (const path of [data(), index()]) await mkdir(dirname(path), { recursive: true });
    await commit(0);
  });

  it("is served as it is now, each time that it was written anew", async () => {
    for (let attempt = 0; attempt < 20; attempt += 1) {
      if (attempt > 0) await commit(attempt);
      for (let time = 0; time < 3; time += 1) await expectAttempt(attempt);
    }
  });

  it("is not served any more once it is removed", async () => {
    for (let time = 0; time < 3; time += 1) await expectAttempt(0);
    await Promise.all([rm(data()), rm(index())]);
    expect(await failureOf(fetchBoth())).toContain("Failed to open file");
    await expect.poll(openFiles).toBe(0);
  });

  it("does not stay open when nobody asks for it any more", async () => {
    for (let time = 0; time < 3; time += 1) await expectAttempt(0);
    // Closing takes a trip to the thread pool.
    await expect.poll(openFiles).toBe(isNative ? 1 : 0);
    clock.advance(2000);
    await expectAttempt(0);
    clock.advance(2000);
    await expect.poll(openFiles).toBe(isNative ? 1 : 0);
    clock.advance(2000);
    await expect.poll(openFiles).toBe(0);
    await expectAttempt(0);
  });

  /** As a writer does it: the index first. */
  async function commit(attempt: number): Promise<void> {
    const content = contentOf(attempt);
    await writeFile(`${index()}.next`, content.index);
    await writeFile(`${data()}.next`, content.data);
    await rename(`${index()}.next`, index());
    await rename(`${data()}.next`, data());
  }
});

describe("a map output that is written anew while its index is read", () => {
  it.each([1, 2])("is served by the offsets of the new one (%d times)", async (times) => {
    await serveRewritten(times);
    for (let time = 0; time < 3; time += 1) await expectAttempt(times);
  });

  it("fails alone when that goes on without end", async () => {
    const service = await serveRewritten(Number.POSITIVE_INFINITY);
    expect(await failureOf(fetchBoth())).toContain("is written again and again");
    expect(service.metrics.failedChunks).toBeGreaterThan(0);
    expect(asker.client.isActive).toBe(true);
  });

  /** It happens between the reading of the index and the look at the data file. */
  async function serveRewritten(times: number): Promise<ExternalShuffleService> {
    root = "/blocks";
    const disk = createMemoryFiles({ isCached: true });
    for (const path of [data(), index()]) await disk.makeDirectory(dirname(path));
    await put(disk, 0);
    let looks = 0;
    const files = withStat(disk, async (path) => {
      if (path === data()) looks += 1;
      // The first look is at what is there before anything is read.
      if (path === data() && looks > 1 && looks <= times + 1) await put(disk, looks - 1);
      return disk.stat(path);
    });
    const realPath = (path: string): Promise<string> => Promise.resolve(path);
    const service = await startService({ platform: { ...platform, files }, realPath });
    asker = await Asker.connect(service.port);
    await asker.register("1", [root]);
    return service;
  }
});

function withStat(on: Files, stat: Files["stat"]): Files {
  return {
    stat,
    open: (path, mode) => on.open(path, mode),
    openNow: (path) => on.openNow(path),
    readFile: (path) => on.readFile(path),
    readNow: (path, buffer, position, expected) => on.readNow(path, buffer, position, expected),
    writeFile: (path, bytes) => on.writeFile(path, bytes),
    makeDirectory: (path) => on.makeDirectory(path),
    makeTemporaryDirectory: (prefix) => on.makeTemporaryDirectory(prefix),
    list: (path) => on.list(path),
    rename: (from, to) => on.rename(from, to),
    remove: (path) => on.remove(path),
  };
}

async function put(disk: Files, attempt: number): Promise<void> {
  const content = contentOf(attempt);
  for (const [path, bytes] of [
    [index(), content.index],
    [data(), content.data],
  ] as const) {
    await disk.writeFile(`${path}.next`, bytes);
    await disk.rename(`${path}.next`, path);
  }
}

/** Descriptors of this process for data files under the root; removed ones count too. */
function openFiles(): number {
  if (process.platform !== "linux") return 0;
  return readdirSync("/proc/self/fd").filter((descriptor) => {
    try {
      const path = readlinkSync(join("/proc/self/fd", descriptor));
      return path.startsWith(root) && path.includes(".data");
    } catch {
      return false;
    }
  }).length;
}
