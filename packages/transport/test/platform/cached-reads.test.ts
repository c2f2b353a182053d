import { execFileSync } from "node:child_process";
import { closeSync, readdirSync, readlinkSync, utimesSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { FileSegmentManagedBuffer } from "../../src/index.ts";
import { type CachedCalls, loadCachedCalls } from "../../src/platform/cached-calls.ts";
import { createNodeFiles } from "../../src/platform/node-files.ts";
import type { Files } from "../../src/platform/platform.ts";
import { pattern } from "../buffer/pieces.ts";

const calls = loadCachedCalls();
const content = pattern(300_000);

describe("the calls behind reads of what is in memory", () => {
  it("are not used when BM_NATIVE is 0", () => {
    vi.stubEnv("BM_NATIVE", "0");
    expect(loadCachedCalls()).toBeNull();
    vi.unstubAllEnvs();
  });

  it("are there on Linux", () => {
    const isWanted = process.platform === "linux" && process.env["BM_NATIVE"] !== "0";
    expect(calls !== null).toBe(isWanted);
  });
});

describe.skipIf(calls === null)("reads of what is in memory", () => {
  const real = calls as CachedCalls;
  let directory = "";
  let path = "";

  beforeAll(async () => {
    const files = createNodeFiles();
    directory = await files.makeTemporaryDirectory("bm-cached-");
    path = `${directory}/data`;
    await files.writeFile(path, content);
  });
  afterAll(() => createNodeFiles().remove(directory));

  const segment = (files: Files, length = 64 * 1024): FileSegmentManagedBuffer =>
    new FileSegmentManagedBuffer({ files, path, offset: 7, length });
  const expected = (length = 64 * 1024): Buffer => content.subarray(7, 7 + length);

  it("work by name once a file of the directory was read from memory", async () => {
    const files = createNodeFiles();
    const target = Buffer.alloc(64 * 1024);
    expect(readNow(segment(files), target)).toBe(false);
    expect(Buffer.from(await segment(files).bytes()).equals(expected())).toBe(true);
    expect(readNow(segment(files), target)).toBe(true);
    expect(target.equals(expected())).toBe(true);
    await files.writeFile(`${directory}/other`, Buffer.from("another file"));
    expect(files.readNow(`${directory}/other`, target, 0)).toBe(12);
  });

  it("look at an open file as Node does", async () => {
    const files = createNodeFiles();
    await segment(files).bytes();
    for (const [name, seconds] of [
      ["old", -12.345_678],
      ["new", 4_300_000_000.123_4],
      ["data", null],
    ] as const) {
      const at = `${directory}/${name}`;
      if (seconds !== null) {
        await files.writeFile(at, content.subarray(0, Math.abs(seconds) % 1000));
        utimesSync(at, seconds, seconds);
      }
      const opened = files.openNow(at);
      expect(opened?.statNow()).toEqual(await files.stat(at));
      await opened?.close();
      expect(opened?.statNow()).toBeNull();
    }
    const opened = files.openNow(`${directory}/old`);
    await files.remove(`${directory}/old`);
    expect(opened?.statNow()).toMatchObject({ links: 0, isFile: true });
    await opened?.close();
    const descriptor = real.open(directory);
    expect(real.stat(descriptor)).toEqual(await files.stat(directory));
    closeSync(descriptor);
    expect(real.stat(descriptor)).toBeNull();
  });

  it("see a file that took the place of another at once", async () => {
    const files = createNodeFiles();
    const replaced = `${directory}/replaced`;
    for (let round = 0; round < 50; round += 1) {
      await files.writeFile(`${replaced}.next`, Buffer.alloc(1000, round));
      await files.rename(`${replaced}.next`, replaced);
      const body = new FileSegmentManagedBuffer({ files, path: replaced, offset: 0, length: 1000 });
      const now = Buffer.alloc(1000);
      if (round > 0) expect(readNow(body, now)).toBe(true);
      else now.set(await body.bytes());
      expect(now.equals(Buffer.alloc(1000, round))).toBe(true);
    }
  });

  it("leave no descriptor open", async () => {
    const files = createNodeFiles();
    await segment(files).bytes();
    const target = Buffer.alloc(64 * 1024);
    // What went through the thread pool is closed there, a little later.
    await vi.waitFor(() => expect(openFiles(directory)).toBe(0), { timeout: 20_000 });
    for (let round = 0; round < 2000; round += 1) {
      expect(readNow(segment(files), target)).toBe(true);
      files.readNow(`${directory}/none`, target, 0);
    }
    expect(openFiles(directory)).toBe(0);
  });

  it("do not follow links and do not wait for pipes", async () => {
    const files = createNodeFiles();
    await segment(files).bytes();
    execFileSync("sh", ["-c", "mkfifo pipe && ln -s data link"], { cwd: directory });
    expect(files.readNow(`${directory}/pipe`, Buffer.alloc(10), 0)).toBe(0);
    expect(files.readNow(`${directory}/link`, Buffer.alloc(10), 0)).toBe(0);
    expect(Buffer.from(await files.readFile(`${directory}/link`)).equals(content)).toBe(true);
  });

  describe.each<[string, CachedCalls]>([
    ["nothing", { ...real, read: () => -1 }],
    ["no name", { ...real, open: () => -1 }],
    [
      "the first half of what is asked for",
      {
        ...real,
        read: (descriptor, buffer, position) =>
          real.read(descriptor, buffer.subarray(0, Math.ceil(buffer.length / 2)), position),
      },
    ],
  ])("when %s is in memory", (_, some) => {
    it.each([1, 64 * 1024, 290_000])("leave the rest of %d bytes to the disk", async (length) => {
      const files = createNodeFiles(() => some);
      for (let round = 0; round < 3; round += 1) {
        const body = segment(files, length);
        expect(Buffer.from(await body.bytes()).equals(expected(length))).toBe(true);
        const pieces: Buffer[] = [];
        for await (const piece of body.pieces()) pieces.push(Buffer.from(piece));
        expect(Buffer.concat(pieces).equals(expected(length))).toBe(true);
      }
    });
  });

  it("wait for the disk, off the event loop, when the system dropped the pages", async () => {
    const files = createNodeFiles();
    const file = await files.open(path, "read-write");
    await file.sync();
    await file.close();
    // GNU dd asks the system to drop the pages of a file that it reads nothing of.
    execFileSync("dd", [`if=${path}`, "iflag=nocache", "count=0"], { stdio: "ignore" });
    for (let round = 0; round < 2; round += 1) {
      expect(Buffer.from(await segment(files, 290_000).bytes()).equals(expected(290_000))).toBe(
        true,
      );
    }
  });
});

function readNow({ files, path, offset }: FileSegmentManagedBuffer, target: Buffer): boolean {
  return files.readNow(path, target, offset) === target.length;
}

/** Descriptors of this process in a directory. */
function openFiles(directory: string): number {
  return readdirSync("/proc/self/fd").filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(directory);
    } catch {
      return false;
    }
  }).length;
}
