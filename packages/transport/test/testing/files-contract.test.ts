import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createNodeFiles } from "../../src/platform/node-files.ts";
import { nodePlatform } from "../../src/platform/node-platform.ts";
import { type Files, isSameFile } from "../../src/platform/platform.ts";
import { createMemoryFiles } from "../../src/testing/memory-files.ts";
import { pattern } from "./recorder.ts";

const implementations: readonly (readonly [string, Files])[] = [
  ["node", nodePlatform().files],
  ["node, portable", createNodeFiles(() => null)],
  ["memory", createMemoryFiles()],
  ["memory, cached", createMemoryFiles({ isCached: true })],
];

/** What every Files promises. */
describe.each(implementations)("%s files", (_name, files) => {
  let directory = "";
  const at = (path: string): string => `${directory}/${path}`;
  const text = async (path: string): Promise<string> =>
    Buffer.from(await files.readFile(at(path))).toString();
  const put = (path: string, content: string): Promise<void> =>
    files.writeFile(at(path), Buffer.from(content));
  const failure = (code: string): object => ({ code: "FILE_FAILED", cause: { code } });

  beforeEach(async () => {
    directory = await files.makeTemporaryDirectory("bm-files-");
  });
  afterEach(async () => {
    await files.remove(directory);
  });

  describe("whole files", () => {
    it("are read back as written, and replaced whole", async () => {
      await put("a", "a longer text");
      expect(await text("a")).toBe("a longer text");
      await put("a", "short");
      expect(await text("a")).toBe("short");
      await put("a", "");
      expect(await text("a")).toBe("");
    });

    it("that are missing cannot be read", async () => {
      await expect(files.readFile(at("none"))).rejects.toMatchObject({
        ...failure("ENOENT"),
        message: expect.stringContaining(`${at("none")}: there is no such file`),
      });
      await expect(files.readFile(at("no/such"))).rejects.toMatchObject(failure("ENOENT"));
      await expect(files.writeFile(at("no/such"), Buffer.alloc(1))).rejects.toMatchObject(
        failure("ENOENT"),
      );
    });

    it("are no directories, and the other way round", async () => {
      await put("file", "x");
      await expect(files.readFile(directory)).rejects.toMatchObject(failure("EISDIR"));
      await expect(files.list(at("file"))).rejects.toMatchObject(failure("ENOTDIR"));
      await expect(files.readFile(at("file/below"))).rejects.toMatchObject(failure("ENOTDIR"));
      await expect(files.writeFile(directory, Buffer.alloc(1))).rejects.toMatchObject(
        failure("EISDIR"),
      );
    });
  });

  describe("stat", () => {
    it("tells files, directories and nothing apart", async () => {
      await put("file", "12345");
      expect(await files.stat(at("file"))).toMatchObject({
        bytes: 5,
        isFile: true,
        isDirectory: false,
        modifiedMs: expect.any(Number),
      });
      expect(await files.stat(directory)).toMatchObject({ isFile: false, isDirectory: true });
      expect(await files.stat(at("none"))).toBeNull();
      expect(await files.stat(at("none/below"))).toBeNull();
      expect(await files.stat(at("file/below"))).toBeNull();
    });
  });

  describe("identity", () => {
    it("goes with a file when it is renamed, and is another for one that takes its place", async () => {
      await put("a", "first");
      await put("b", "other");
      const first = await files.stat(at("a"));
      const other = await files.stat(at("b"));
      expect(first?.device).toBe(other?.device);
      expect(first?.inode).not.toBe(other?.inode);
      const file = await files.open(at("a"), "read");
      await files.rename(at("b"), at("a"));
      expect(await files.stat(at("a"))).toMatchObject({ inode: other?.inode });
      expect(await file.stat()).toMatchObject({ device: first?.device, inode: first?.inode });
      await file.close();
    });
  });

  describe("directories", () => {
    it("are made with their parents, also when they exist", async () => {
      await files.makeDirectory(at("a/b/c"));
      await files.makeDirectory(at("a/b/c"));
      await put("a/b/c/file", "x");
      expect(await files.list(at("a/b"))).toEqual(["c"]);
    });

    it("are not made where a file is", async () => {
      await put("file", "x");
      await expect(files.makeDirectory(at("file"))).rejects.toMatchObject(failure("EEXIST"));
      await expect(files.makeDirectory(at("file/below"))).rejects.toMatchObject(failure("ENOTDIR"));
    });

    it("list their entries", async () => {
      expect(await files.list(directory)).toEqual([]);
      await put("one", "");
      await files.makeDirectory(at("two"));
      expect((await files.list(directory)).toSorted()).toEqual(["one", "two"]);
      await expect(files.list(at("none"))).rejects.toMatchObject(failure("ENOENT"));
    });

    it("for temporary use are fresh each time", async () => {
      const other = await files.makeTemporaryDirectory("bm-files-");
      expect(other).not.toBe(directory);
      expect(other).toMatch(/\/bm-files-/);
      expect(await files.list(other)).toEqual([]);
      await files.remove(other);
      const inside = await files.makeTemporaryDirectory(at("part-"));
      expect(inside.startsWith(at("part-"))).toBe(true);
    });
  });

  describe("rename", () => {
    it("moves files and trees, replacing a file", async () => {
      await put("a", "new");
      await put("b", "old");
      await files.rename(at("a"), at("b"));
      expect(await text("b")).toBe("new");
      expect(await files.stat(at("a"))).toBeNull();
      await files.makeDirectory(at("tree/below"));
      await files.rename(at("tree"), at("moved"));
      expect(await files.list(at("moved"))).toEqual(["below"]);
    });

    it("refuses what would lose something", async () => {
      await put("file", "x");
      await files.makeDirectory(at("full/entry"));
      await files.makeDirectory(at("other"));
      await expect(files.rename(at("none"), at("b"))).rejects.toMatchObject(failure("ENOENT"));
      await expect(files.rename(at("other"), at("full"))).rejects.toMatchObject(
        failure("ENOTEMPTY"),
      );
      await expect(files.rename(at("file"), at("other"))).rejects.toMatchObject(failure("EISDIR"));
      await expect(files.rename(at("other"), at("file"))).rejects.toMatchObject(failure("ENOTDIR"));
      await expect(files.rename(at("full"), at("full/entry/x"))).rejects.toMatchObject(
        failure("EINVAL"),
      );
    });
  });

  describe("remove", () => {
    it("deletes files and trees and says whether something was there", async () => {
      await put("file", "x");
      await files.makeDirectory(at("tree/below"));
      await put("tree/below/file", "x");
      expect(await files.remove(at("file"))).toBe(true);
      expect(await files.remove(at("file"))).toBe(false);
      expect(await files.remove(at("tree"))).toBe(true);
      expect(await files.remove(at("no/such/path"))).toBe(false);
      expect(await files.list(directory)).toEqual([]);
    });
  });

  describe("what is in memory", () => {
    it("is read right or not at all, by name and from an open file", async () => {
      const content = pattern(100_000);
      await files.writeFile(at("a"), content);
      const file = await files.open(at("a"), "read");
      for (const position of [0, 50_000, 99_990, 100_000, 200_000]) {
        const buffer = Buffer.alloc(1000, "-");
        const expected = content.subarray(position, position + 1000);
        const readers = [
          () => file.readNow(buffer, position),
          () => files.readNow(at("a"), buffer, position),
        ];
        for (const readNow of readers) {
          const count = readNow();
          expect([0, expected.length]).toContain(count);
          expect(buffer.subarray(0, count).equals(expected.subarray(0, count))).toBe(true);
          expect(buffer.subarray(count).every((byte) => byte === "-".charCodeAt(0))).toBe(true);
          buffer.fill("-");
        }
      }
      await file.close();
      expect(file.readNow(Buffer.alloc(1), 0)).toBe(0);
    });

    it("tells of a file that is open whether its path still leads to it, as it was", async () => {
      await put("a", "content");
      // A directory may have to be known before.
      const known = await files.open(at("a"), "read");
      known.readNow(Buffer.alloc(1), 0);
      expect(known.statNow()?.links ?? 1).toBe(1);
      await known.close();
      const opened = files.openNow(at("a"));
      const stat = await files.stat(at("a"));
      if (opened === null || stat === null) return;
      expect(opened.statNow()).toEqual(stat);
      await put("b", "another");
      await files.rename(at("b"), at("a"));
      const now = opened.statNow();
      expect(now?.links).toBe(0);
      expect(now !== null && isSameFile(now, stat)).toBe(false);
      expect(files.readNow(at("a"), Buffer.alloc(7), 0, stat)).toBe(0);
      await opened.close();
      expect(opened.statNow()).toBeNull();
    });

    it("does not include what is no file, or cannot be read", async () => {
      const buffer = Buffer.alloc(10);
      await put("a", "content");
      for (const path of ["none", "a/below", ".", "a\0", ""]) {
        expect(files.readNow(at(path), buffer, 0)).toBe(0);
      }
      const writing = await files.open(at("a"), "write");
      expect(writing.readNow(buffer, 0)).toBe(0);
      await writing.close();
    });
  });

  describe("open files", () => {
    it("read anywhere, less only at the end", async () => {
      const content = pattern(100_000);
      await files.writeFile(at("a"), content);
      const file = await files.open(at("a"), "read");
      const buffer = Buffer.alloc(1000);
      expect(await file.read(buffer, 50_000)).toBe(1000);
      expect(buffer.equals(content.subarray(50_000, 51_000))).toBe(true);
      expect(await file.read(buffer, 99_990)).toBe(10);
      expect(await file.read(buffer, 100_000)).toBe(0);
      expect(await file.read(buffer, 200_000)).toBe(0);
      expect(await file.read(Buffer.alloc(0), 0)).toBe(0);
      expect((await file.stat()).bytes).toBe(100_000);
      await file.close();
    });

    it("write at a position, and at the end without one", async () => {
      const file = await files.open(at("a"), "write");
      await file.write(Buffer.from("hello"), null);
      await file.write(Buffer.from("J"), 0);
      await file.write(Buffer.from(" there"), null);
      await file.write(Buffer.from("!"), 13);
      await file.sync();
      await file.close();
      expect(await text("a")).toBe("Jello there\0\0!");
    });

    it.each(["write", "append", "create-new", "read-write"] as const)(
      "keep the order of writes at the end that were not waited for (%s)",
      async (mode) => {
        const file = await files.open(at("a"), mode);
        const parts = Array.from({ length: 50 }, (_, i) => pattern(1 + ((i * 997) % 5000), i));
        await Promise.all(parts.map((part) => file.write(part, null)));
        await file.close();
        expect(Buffer.from(await files.readFile(at("a"))).equals(Buffer.concat(parts))).toBe(true);
      },
    );

    it("start empty for write, at the end for append, with what there is for read-write", async () => {
      await put("a", "before");
      await (await files.open(at("a"), "append")).close();
      expect(await text("a")).toBe("before");
      const appending = await files.open(at("a"), "append");
      await appending.write(Buffer.from("+"), null);
      await appending.close();
      const both = await files.open(at("a"), "read-write");
      await both.write(Buffer.from("B"), 0);
      await both.write(Buffer.from("!"), null);
      const seen = Buffer.alloc(20);
      expect(await both.read(seen, 0)).toBe(8);
      await both.close();
      expect(seen.toString("utf8", 0, 8)).toBe("Before+!");
      await (await files.open(at("a"), "write")).close();
      expect(await text("a")).toBe("");
    });

    it("are made where missing, except for reading", async () => {
      for (const mode of ["write", "append", "create-new", "read-write"] as const) {
        await (await files.open(at(mode), mode)).close();
        expect(await text(mode)).toBe("");
      }
      await expect(files.open(at("none"), "read")).rejects.toMatchObject(failure("ENOENT"));
      await expect(files.open(at("write"), "create-new")).rejects.toMatchObject(failure("EEXIST"));
      await expect(files.open(directory, "write")).rejects.toMatchObject(failure("EISDIR"));
    });

    it("can be cut and extended", async () => {
      const file = await files.open(at("a"), "read-write");
      await file.write(Buffer.from("123456"), null);
      await file.truncate(3);
      await file.write(Buffer.from("x"), null);
      await file.truncate(6);
      await file.close();
      expect(await text("a")).toBe("123x\0\0");
    });

    it("refuse what their mode does not allow", async () => {
      await put("a", "x");
      const reading = await files.open(at("a"), "read");
      await expect(reading.write(Buffer.from("y"), 0)).rejects.toMatchObject(failure("EBADF"));
      const writing = await files.open(at("a"), "write");
      await expect(writing.read(Buffer.alloc(1), 0)).rejects.toMatchObject(failure("EBADF"));
      await reading.close();
      await writing.close();
    });

    it("outlive their name", async () => {
      await put("a", "still here");
      const file = await files.open(at("a"), "read");
      await files.remove(at("a"));
      const buffer = Buffer.alloc(10);
      expect(await file.read(buffer, 0)).toBe(10);
      expect(buffer.toString()).toBe("still here");
      await file.close();
    });

    it("are closed once, however often that is said, and then refuse", async () => {
      const file = await files.open(at("a"), "write");
      await file.close();
      await file.close();
      await expect(file.write(Buffer.from("x"), 0)).rejects.toMatchObject(failure("EBADF"));
      await expect(file.stat()).rejects.toMatchObject(failure("EBADF"));
      await expect(file.sync()).rejects.toMatchObject(failure("EBADF"));
    });
  });
});
