import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { localFilePath } from "@bm/block";
import type { ManagedBuffer } from "@bm/transport";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BlockTransferMessage, ExternalShuffleService } from "../../src/index.ts";
import {
  APP,
  Asker,
  endAll,
  layOut,
  startService,
  temporaryDirectory,
} from "./service-under-test.ts";

const MIB = 1024 * 1024;
/** More than sockets keep for a reader that does not read. */
const LARGE_BYTES = 8 * MIB;
const BLOCKS = 8;
const OTHER = "app-other";

let localDirs: string[];
let service: ExternalShuffleService;

beforeEach(async () => {
  localDirs = [await temporaryDirectory()];
});
afterEach(endAll);

async function start(conf: Record<string, string>): Promise<void> {
  service = await startService({ conf });
  const asker = await Asker.connect(service.port);
  await asker.register("1", localDirs);
  await asker.register("1", localDirs, OTHER);
}

async function layOutRdds(bytes: number): Promise<void> {
  for (let split = 0; split < BLOCKS; split += 1) {
    const { path } = localFilePath(localDirs, 64, `rdd_0_${split}`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, Buffer.alloc(bytes, split + 1));
  }
}

function rdds(appId: string, splits: readonly number[]): BlockTransferMessage {
  const blockIds = splits.map((split) => `rdd_0_${split}`);
  return { type: "OpenBlocks", appId, execId: "1", blockIds };
}

function shuffleBlock(appId = APP): BlockTransferMessage {
  const ids = { appId, execId: "1", shuffleId: 0, mapIds: [0n], reduceIds: [[0]] };
  return { type: "FetchShuffleBlocks", ...ids, batchFetchEnabled: false };
}

describe("an application with a quota of bytes being sent", () => {
  it("gets every block, however many it asks for, and never has more than its share", async () => {
    await layOutRdds(MIB);
    await start({ "bm.service.application.sending.size": "1m" });
    const { sending } = service.parts.quotas;
    const most: number[] = [];
    const readers = await Promise.all([1, 2].map(() => Asker.connect(service.port)));
    const read = async (asker: Asker): Promise<void> => {
      const splits = Array.from({ length: BLOCKS }, (_, split) => split);
      const { streamId } = await asker.open(rdds(APP, splits));
      await Promise.all(
        splits.map(async (split) => {
          const bytes = await asker.chunk(streamId, split);
          most.push(Math.max(0, ...[...sending.held()].map(([, held]) => held)));
          expect(bytes.length).toBe(MIB);
          expect(bytes[MIB - 1]).toBe(split + 1);
        }),
      );
    };
    await Promise.all(readers.map(read));
    expect(sending.waits).toBeGreaterThan(0);
    // One block of each connection: the second holds nothing and is let through.
    expect(Math.max(...most)).toBeLessThanOrEqual(2 * MIB);
    await expect.poll(() => [sending.waiting, [...sending.held()]]).toEqual([0, []]);
  });

  it("holds up no other application, nor its other connections, when it does not read", async () => {
    await layOutRdds(LARGE_BYTES);
    await start({ "bm.service.application.sending.size": "8m" });
    const { sending } = service.parts.quotas;
    const lazy = await Asker.connect(service.port);
    const { streamId } = await lazy.open(rdds(APP, [0, 1, 2, 3]));
    lazy.client.channel.pauseReading();
    const unread = [0, 1, 2, 3].map((index) => lazy.client.fetchChunk(streamId, index));
    for (const chunk of unread) chunk.catch(() => {});
    await expect.poll(() => sending.waiting).toBe(3);
    for (const appId of [OTHER, APP]) {
      const reader = await Asker.connect(service.port);
      const handle = await reader.open(rdds(appId, [4, 5]));
      for (const index of [0, 1]) {
        expect((await reader.chunk(handle.streamId, index)).length).toBe(LARGE_BYTES);
      }
    }
    lazy.client.abort(new Error("enough"));
    await expect.poll(() => [sending.waiting, [...sending.held()]]).toEqual([0, []]);
  });
});

describe("an application with a quota of open streams", () => {
  beforeEach(async () => {
    await layOut("plain-adler32", localDirs);
    await start({ "bm.service.application.openStreams.max": "2" });
  });

  it("waits for its third stream until one of the others was read", async () => {
    const { streams } = service.parts.quotas;
    const asker = await Asker.connect(service.port);
    const [first] = await Promise.all([asker.open(shuffleBlock()), asker.open(shuffleBlock())]);
    const third = asker.open(shuffleBlock());
    await expect.poll(() => streams.waiting).toBe(1);
    expect((await asker.open(shuffleBlock(OTHER))).numChunks).toBe(1);
    await asker.chunk(first.streamId, 0);
    expect((await asker.chunk((await third).streamId, 0)).length).toBeGreaterThan(0);
    expect(streams.waiting).toBe(0);
  });

  it("gets back what a connection had that ended, and its memory", async () => {
    const { handler, quotas } = service.parts;
    const leaving = await Asker.connect(service.port);
    await leaving.open(shuffleBlock());
    await leaving.open(shuffleBlock());
    leaving.open(shuffleBlock()).catch(() => {});
    await expect.poll(() => quotas.streams.waiting).toBe(1);
    await leaving.client.close();
    await expect.poll(() => [...quotas.streams.held()]).toEqual([]);
    expect(quotas.streams.waiting).toBe(0);
    expect(handler.references.bytes).toBe(0);
    expect(handler.streamManager.streamCount).toBe(0);
  });

  it("does not fill the memory with requests that wait", async () => {
    const conf = {
      "bm.service.application.openStreams.max": "1",
      "bm.service.openReferences.size": "10k",
    };
    await start(conf);
    const greedy = await Asker.connect(service.port);
    const requests = Array.from({ length: 100 }, () => greedy.ask(shuffleBlock()));
    const results = await Promise.allSettled(requests);
    expect(results.some(({ status }) => status === "rejected")).toBe(true);
    await expect.poll(() => service.parts.handler.references.bytes).toBe(0);
  });
});

it("frees what a reader dropped without looking at it", async () => {
  await layOutRdds(LARGE_BYTES);
  await start({ "bm.service.application.sending.size": "1m" });
  const asker = await Asker.connect(service.port);
  const { streamId } = await asker.open(rdds(APP, [0]));
  const body: ManagedBuffer = await asker.client.fetchChunk(streamId, 0);
  body.release();
  await expect.poll(() => [...service.parts.quotas.sending.held()]).toEqual([]);
});
