import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type BodyReader,
  BytesManagedBuffer,
  FileSegmentManagedBuffer,
  type Files,
  ManagedBuffer,
  nodePlatform,
  TransportError,
} from "@bm/transport";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DownloadFiles, type NettyBlockTransferService } from "../../src/index.ts";
import { RecordingListener } from "../fetch/recording-listener.ts";
import { MemoryBlockManager } from "../transfer/memory-block-manager.ts";
import { afterwards, closeAll, HOST, start } from "../transfer/start-service.ts";

const { files, random } = nodePlatform();
const LARGE = "0123456789abcdef".repeat(1_000_000);
const NAMES = ["shuffle_1_1_0", "shuffle_1_2_0", "shuffle_1_3_0"];

let directory = "";
let manager: MemoryBlockManager;
let server: NettyBlockTransferService;
let reader: NettyBlockTransferService;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "downloads-"));
  afterwards(() => rm(directory, { recursive: true }));
  manager = new MemoryBlockManager({
    [NAMES[0] ?? ""]: "small",
    [NAMES[1] ?? ""]: LARGE,
    [NAMES[2] ?? ""]: "last",
  });
  server = await start({ executorId: "2" }, manager);
  reader = await start({});
});

afterEach(closeAll);

describe("fetching into files", () => {
  it("brings blocks of all sizes to the byte, and leaves no file behind", async () => {
    const downloads = newDownloads();
    const kept: ManagedBuffer[] = [];
    await reader.fetchBlocks(
      HOST,
      server.port,
      "2",
      NAMES,
      {
        onBlockFetchSuccess: (_id, data) => void kept.push(data),
        onBlockFetchFailure: (_id, error) => {
          throw error;
        },
      },
      { downloads },
    );
    kept.sort((a, b) => a.size - b.size);
    expect(kept.map(({ size }) => size)).toEqual([4, 5, LARGE.length]);
    expect(kept.every((data) => data instanceof FileSegmentManagedBuffer)).toBe(true);
    expect(readdirSync(directory)).toHaveLength(3);
    expect(Buffer.from((await kept[2]?.bytes()) ?? []).toString() === LARGE).toBe(true);
    for (const data of kept) data.release();
    for (const data of kept) data.release();
    await vi.waitFor(() => expect(readdirSync(directory)).toEqual([]));
    expect(downloads.count).toBe(0);
  });

  it("deletes what was not released when it is closed", async () => {
    const downloads = newDownloads();
    const data = await reader.fetchBlockSync(HOST, server.port, "2", NAMES[0] ?? "", { downloads });
    await downloads.close();
    expect(readdirSync(directory)).toEqual([]);
    await expect(data.bytes()).rejects.toMatchObject({ code: "BODY_UNAVAILABLE" });
  });

  it("fails a missing block and those behind it", async () => {
    manager.blocks.delete(NAMES[1] ?? "");
    const downloads = newDownloads();
    const listener = await fetch(downloads);
    expect([...listener.successes]).toEqual([[NAMES[0], "small"]]);
    expect(listener.codeOf(NAMES[1] ?? "")).toBe("STREAM_FAILED");
    expect(listener.codeOf(NAMES[2] ?? "")).toBe("STREAM_FAILED");
    await downloads.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  it("fails a block that the disk does not take, and stays connected", async () => {
    const full: Files = {
      ...bound(files),
      open: async (path, mode) => {
        const file = await files.open(path, mode);
        return {
          read: (buffer, position) => file.read(buffer, position),
          readNow: (buffer, position) => file.readNow(buffer, position),
          statNow: () => file.statNow(),
          write: () => Promise.reject(new TransportError("FILE_FAILED", "no space left")),
          truncate: (bytes) => file.truncate(bytes),
          stat: () => file.stat(),
          sync: () => file.sync(),
          close: () => file.close(),
        };
      },
    };
    const downloads = newDownloads(full);
    const listener = await fetch(downloads);
    for (const name of NAMES) expect(listener.codeOf(name)).toBe("FILE_FAILED");
    await downloads.close();
    expect(readdirSync(directory)).toEqual([]);
    expect((await fetch(newDownloads())).successes.size).toBe(3);
  });

  it("tries again after a connection that broke in the middle of a block", async () => {
    let breaks = 1;
    manager.getLocalBlockData = ({ name }) => {
      const content = manager.blocks.get(name) ?? "";
      if (name !== NAMES[1] || breaks === 0) return new BytesManagedBuffer(Buffer.from(content));
      breaks -= 1;
      return new CutShort(content.length);
    };
    const downloads = newDownloads();
    const listener = await fetch(downloads);
    expect(listener.failures.size).toBe(0);
    expect(listener.successes.get(NAMES[1] ?? "") === LARGE).toBe(true);
    await downloads.close();
    expect(readdirSync(directory)).toEqual([]);
    expect(breaks).toBe(0);
  });

  it("leaves no file behind when it is closed while one is being made", async () => {
    let closing: Promise<void> = Promise.resolve();
    const downloads = newDownloads({
      ...bound(files),
      open: (path, mode) => {
        closing = downloads.close();
        return files.open(path, mode);
      },
    });
    const listener = new RecordingListener();
    const names = NAMES.slice(0, 1);
    const fetching = reader.fetchBlocks(HOST, server.port, "2", names, listener, { downloads });
    await vi.waitFor(() => expect(listener.told).toBe(1));
    await Promise.all([fetching, closing]);
    expect(readdirSync(directory)).toEqual([]);
    const late = reader.fetchBlockSync(HOST, server.port, "2", NAMES[0] ?? "", { downloads });
    await expect(late).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("keeps little in memory while the disk is slow", async () => {
    let most = 0;
    const slow: Files = {
      ...bound(files),
      open: async (path, mode) => {
        const file = await files.open(path, mode);
        return {
          read: (buffer, position) => file.read(buffer, position),
          readNow: (buffer, position) => file.readNow(buffer, position),
          statNow: () => file.statNow(),
          write: async (bytes, position) => {
            most = Math.max(most, downloads.backlog.bytes);
            await new Promise((resolve) => setTimeout(resolve, 1));
            await file.write(bytes, position);
          },
          truncate: (bytes) => file.truncate(bytes),
          stat: () => file.stat(),
          sync: () => file.sync(),
          close: () => file.close(),
        };
      },
    };
    const downloads = newDownloads(slow);
    const listener = await fetch(downloads);
    expect(listener.successes.get(NAMES[1] ?? "") === LARGE).toBe(true);
    // The mark, and what was read from the socket when it was reached.
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(5 * 1024 * 1024);
    expect(downloads.backlog.bytes).toBe(0);
  });
});

function newDownloads(on: Files = files): DownloadFiles {
  return new DownloadFiles({ files: on, random, directory });
}

async function fetch(downloads: DownloadFiles): Promise<RecordingListener> {
  const listener = new RecordingListener();
  await reader.fetchBlocks(HOST, server.port, "2", NAMES, listener, { downloads });
  // What was told may still be read from its file.
  await vi.waitFor(() => expect(downloads.count).toBe(0));
  return listener;
}

/** Methods of a class as a plain object, so that single ones can be replaced. */
function bound(on: Files): Files {
  return {
    open: (path, mode) => on.open(path, mode),
    openNow: (path) => on.openNow(path),
    readFile: (path) => on.readFile(path),
    readNow: (path, buffer, position, expected) => on.readNow(path, buffer, position, expected),
    writeFile: (path, bytes) => on.writeFile(path, bytes),
    stat: (path) => on.stat(path),
    makeDirectory: (path) => on.makeDirectory(path),
    makeTemporaryDirectory: (prefix) => on.makeTemporaryDirectory(prefix),
    list: (path) => on.list(path),
    rename: (from, to) => on.rename(from, to),
    remove: (path) => on.remove(path),
  };
}

/** Promises more bytes than it has: the server breaks the connection in the middle. */
class CutShort extends ManagedBuffer {
  readonly size: number;

  constructor(promised: number) {
    super();
    this.size = promised;
  }

  override async open(): Promise<BodyReader> {
    let isFirst = true;
    return {
      next: async () => {
        if (!isFirst) throw new TransportError("BODY_UNAVAILABLE", "cut short");
        isFirst = false;
        return Buffer.alloc(100_000);
      },
      close: async () => {},
    };
  }
}
