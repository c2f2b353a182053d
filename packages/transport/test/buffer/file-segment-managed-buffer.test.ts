import { beforeAll, describe, expect, it } from "vitest";
import { BufferPool } from "../../src/buffer/buffer-pool.ts";
import { FileSegmentManagedBuffer } from "../../src/buffer/file-segment-managed-buffer.ts";
import { createNodeFiles } from "../../src/platform/node-files.ts";
import { nodePlatform } from "../../src/platform/node-platform.ts";
import type { Files, OpenFile } from "../../src/platform/platform.ts";
import { createMemoryFiles } from "../../src/testing/memory-files.ts";
import { pattern, readOverlapped } from "./pieces.ts";

const PIECE_BYTES = 512 * 1024;
const MIB = 1024 * 1024;
const content = pattern(4 * MIB + 17);

/** Files that differ from real ones in what `change` replaces, and that are never in memory. */
function filesWith(files: Files, change: (file: OpenFile) => Partial<OpenFile>): Files {
  const open: Files["open"] = async (path, mode) => {
    const file = await files.open(path, mode);
    const real: OpenFile = {
      read: (buffer, position) => file.read(buffer, position),
      readNow: () => 0,
      statNow: () => null,
      write: (bytes, position) => file.write(bytes, position),
      truncate: (bytes) => file.truncate(bytes),
      stat: () => file.stat(),
      sync: () => file.sync(),
      close: () => file.close(),
    };
    return { ...real, ...change(file) };
  };
  return Object.assign(Object.create(files) as Files, {
    open,
    openNow: () => null,
    readNow: () => 0,
  });
}

describe.each([
  ["node", nodePlatform().files],
  ["node, portable", createNodeFiles(() => null)],
  ["memory", createMemoryFiles()],
  ["memory, cached", createMemoryFiles({ isCached: true })],
])("FileSegmentManagedBuffer on %s files", (_, files) => {
  let path = "";

  beforeAll(async () => {
    path = `${await files.makeTemporaryDirectory("bm-segment-")}/data`;
    await files.writeFile(path, content);
    return () => files.remove(path.slice(0, -"/data".length));
  });

  const segment = (offset: number, length: number, pool?: BufferPool): FileSegmentManagedBuffer =>
    new FileSegmentManagedBuffer({ files, path, offset, length, pool });

  const lengths = [
    0,
    1,
    64 * 1024 - 1,
    64 * 1024,
    64 * 1024 + 1,
    PIECE_BYTES - 1,
    PIECE_BYTES,
    PIECE_BYTES + 1,
    2 * PIECE_BYTES,
    2 * PIECE_BYTES + 1,
    4 * MIB,
  ];

  it.each(lengths)("gives the %d bytes at its offset, in pieces and whole", async (length) => {
    const body = segment(13, length);
    const expected = content.subarray(13, 13 + length);
    expect(body.size).toBe(length);
    expect((await readOverlapped(body)).equals(expected)).toBe(true);
    expect(Buffer.from(await body.bytes()).equals(expected)).toBe(true);
    const streamed: Buffer[] = [];
    for await (const piece of body.pieces()) streamed.push(Buffer.from(piece));
    expect(Buffer.concat(streamed).equals(expected)).toBe(true);
    expect(streamed.every((piece) => piece.length > 0)).toBe(true);
  });

  it("reaches to the last byte of the file", async () => {
    const body = segment(content.length - 5, 5);
    expect(Buffer.from(await body.bytes()).equals(content.subarray(-5))).toBe(true);
    await expect(segment(content.length - 5, 6).open()).rejects.toMatchObject({
      code: "BODY_UNAVAILABLE",
      message: expect.stringContaining(`${path} has ${content.length} bytes, too few for 6 bytes`),
    });
    expect(await readOverlapped(segment(content.length, 0))).toHaveLength(0);
    await expect(segment(content.length + 1, 0).open()).rejects.toMatchObject({
      code: "BODY_UNAVAILABLE",
    });
  });

  it("does not open where the file is missing, and says which", async () => {
    const missing = new FileSegmentManagedBuffer({
      files,
      path: `${path}.no`,
      offset: 0,
      length: 0,
    });
    const expected = {
      code: "BODY_UNAVAILABLE",
      message: `${path}.no`,
      cause: { code: "FILE_FAILED", cause: { code: "ENOENT" } },
    };
    await expect(missing.open()).rejects.toMatchObject(expected);
    await expect(missing.bytes()).rejects.toMatchObject(expected);
  });

  it("can be read twice, and twice at the same time", async () => {
    const body = segment(7, 2 * MIB);
    const [one, other] = await Promise.all([readOverlapped(body), readOverlapped(body)]);
    expect(one.equals(other)).toBe(true);
    expect((await readOverlapped(body)).equals(one)).toBe(true);
  });

  it("fails instead of padding when the file is cut while it is read", async () => {
    const victim = `${path}.victim`;
    await files.writeFile(victim, content.subarray(0, 3 * PIECE_BYTES));
    const options = { files, path: victim, offset: 0, length: 3 * PIECE_BYTES };
    const reader = await new FileSegmentManagedBuffer(options).open();
    expect((await reader.next())?.length).toBe(PIECE_BYTES);
    const file = await files.open(victim, "read-write");
    await file.truncate(PIECE_BYTES + 100);
    await file.close();
    await expect(reader.next()).rejects.toMatchObject({
      code: "BODY_UNAVAILABLE",
      message: expect.stringContaining(`ended at ${PIECE_BYTES + 100}`),
    });
    await expect(reader.next()).rejects.toMatchObject({ code: "BODY_UNAVAILABLE" });
    await reader.close();
    await reader.close();
  });

  it("is never read from a file that was replaced", async () => {
    const replaced = `${path}.replaced`;
    for (let round = 0; round < 10; round += 1) {
      await files.writeFile(`${replaced}.next`, pattern(100_000, round));
      await files.rename(`${replaced}.next`, replaced);
      const options = { files, path: replaced, offset: 10, length: 90_000 };
      const expected = pattern(100_000, round).subarray(10, 90_010);
      const body = new FileSegmentManagedBuffer(options);
      const now = Buffer.alloc(90_000);
      const count = files.readNow(replaced, now, 10);
      expect(now.subarray(0, count).equals(expected.subarray(0, count))).toBe(true);
      expect(Buffer.from(await body.bytes()).equals(expected)).toBe(true);
    }
  });

  it("is read from the one file that is wanted, or not at all", async () => {
    const victim = `${path}.wanted`;
    await files.writeFile(victim, content.subarray(0, 400_000));
    const file = (await files.stat(victim)) ?? undefined;
    for (const length of [1, 100_000, 300_000]) {
      const body = new FileSegmentManagedBuffer({ files, path: victim, offset: 10, length, file });
      expect(Buffer.from(await body.bytes()).equals(content.subarray(10, 10 + length))).toBe(true);
    }
    await files.writeFile(`${victim}.next`, content.subarray(0, 400_000));
    await files.rename(`${victim}.next`, victim);
    for (const length of [1, 100_000, 300_000]) {
      const body = new FileSegmentManagedBuffer({ files, path: victim, offset: 10, length, file });
      const refusal = {
        code: "BODY_UNAVAILABLE",
        message: `${victim} was written anew meanwhile`,
      };
      expect(files.readNow(victim, Buffer.alloc(length), 10, file)).toBe(0);
      await expect(body.bytes()).rejects.toMatchObject(refusal);
      await expect(body.open()).rejects.toMatchObject(refusal);
    }
  });

  it("is not given in part where the file was cut", async () => {
    const victim = `${path}.short`;
    await files.writeFile(victim, content.subarray(0, 1000));
    const whole = new FileSegmentManagedBuffer({ files, path: victim, offset: 0, length: 1000 });
    await whole.bytes();
    const file = await files.open(victim, "read-write");
    await file.truncate(999);
    await file.close();
    expect(files.readNow(victim, Buffer.alloc(1000), 0)).toBeLessThan(1000);
    await expect(whole.bytes()).rejects.toMatchObject({
      code: "BODY_UNAVAILABLE",
      message: `${victim} has 999 bytes, too few for 1000 bytes at 0`,
    });
  });

  it("goes on reading a file whose name was removed after opening", async () => {
    const victim = `${path}.removed`;
    await files.writeFile(victim, content.subarray(0, 1000));
    const reader = await new FileSegmentManagedBuffer({
      files,
      path: victim,
      offset: 0,
      length: 1000,
    }).open();
    await files.remove(victim);
    expect((await reader.next())?.length).toBe(1000);
    await reader.close();
  });

  describe("and its buffers", () => {
    const pool = (): BufferPool => new BufferPool({ bufferBytes: 4096, maxFree: 8 });

    it("alternates between two, or needs one in memory, however long the segment is", async () => {
      const buffers = pool();
      const expected = content.subarray(0, 100_000);
      const reader = await segment(0, 4097, pool()).open();
      await reader.next();
      const needed = reader.isInMemory ? 1 : 2;
      await reader.close();
      expect((await readOverlapped(segment(0, 100_000, buffers))).equals(expected)).toBe(true);
      expect(buffers.allocatedCount).toBe(needed);
      expect(buffers.freeCount).toBe(needed);
      await readOverlapped(segment(0, 100_000, buffers));
      expect(buffers.allocatedCount).toBe(needed);
      expect(buffers.reusedCount).toBe(needed);
    });

    it("takes one for one piece, and none for a small segment", async () => {
      const buffers = pool();
      await readOverlapped(segment(0, 4096, buffers));
      expect(buffers.allocatedCount).toBe(1);
      await readOverlapped(segment(0, 4095, buffers));
      expect(buffers.allocatedCount + buffers.reusedCount).toBe(1);
    });

    it("leaves a piece alone until the second following call, when it was not in memory", async () => {
      const buffers = pool();
      const reader = await new FileSegmentManagedBuffer({
        files: filesWith(files, () => ({})),
        path,
        offset: 0,
        length: 5 * 4096,
        pool: buffers,
      }).open();
      const first = await reader.next();
      const second = await reader.next();
      expect(first && Buffer.from(first).equals(content.subarray(0, 4096))).toBe(true);
      await reader.next();
      expect(second && Buffer.from(second).equals(content.subarray(4096, 8192))).toBe(true);
      await reader.close();
    });

    it("does not hand them on when a reading breaks off: they may still be sent", async () => {
      const buffers = pool();
      const reader = await segment(0, 100_000, buffers).open();
      await reader.next();
      await reader.next();
      await reader.close();
      expect(buffers.freeCount).toBe(0);
      await expect(reader.next()).rejects.toMatchObject({ code: "BODY_RELEASED" });
    });
  });

  it("waits for a read that is under way before it closes the file", async () => {
    const log: string[] = [];
    const gate = Promise.withResolvers<void>();
    const slow = filesWith(files, (file) => ({
      read: async (buffer, position) => {
        await gate.promise;
        const count = await file.read(buffer, position);
        log.push("read");
        return count;
      },
      close: async () => {
        log.push("close");
        await file.close();
      },
    }));
    const reader = await new FileSegmentManagedBuffer({
      files: slow,
      path,
      offset: 0,
      length: 300_000,
    }).open();
    const reading = reader.next();
    const closing = reader.close();
    gate.resolve();
    await Promise.all([reading, closing]);
    expect(log).toEqual(["read", "close"]);
  });

  it("closes the file when it refuses to open the body", async () => {
    let closes = 0;
    const counting = filesWith(files, (file) => ({
      close: async () => {
        closes += 1;
        await file.close();
      },
    }));
    const tooLong = { files: counting, path, offset: 0, length: content.length + 1 };
    await expect(new FileSegmentManagedBuffer(tooLong).open()).rejects.toThrow(/too few/);
    await expect(new FileSegmentManagedBuffer(tooLong).bytes()).rejects.toThrow(/too few/);
    expect(closes).toBe(2);
  });

  it("passes on what the disk says, as the cause", async () => {
    const broken = filesWith(files, () => ({ read: () => Promise.reject(new Error("EIO")) }));
    const failure = { code: "BODY_UNAVAILABLE", cause: { message: "EIO" } };
    const small = { files: broken, path, offset: 0, length: 10 };
    await expect(new FileSegmentManagedBuffer(small).open()).rejects.toMatchObject(failure);
    const large = { files: broken, path, offset: 0, length: 300_000 };
    const reader = await new FileSegmentManagedBuffer(large).open();
    await expect(reader.next()).rejects.toMatchObject(failure);
    await reader.close();
  });
});

describe("FileSegmentManagedBuffer", () => {
  it.each([
    [-1, 1],
    [0, -1],
    [0.5, 1],
    [0, Number.NaN],
    [Number.MAX_SAFE_INTEGER, 1],
  ])("is not made with offset %d and length %d", (offset, length) => {
    const options = { files: createMemoryFiles(), path: "/x", offset, length };
    expect(() => new FileSegmentManagedBuffer(options)).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
  });
});
