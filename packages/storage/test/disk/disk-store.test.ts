import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { rddBlockId, testBlockId } from "@bm/block";
import {
  BytesManagedBuffer,
  type Files,
  nodePlatform,
  StreamManagedBuffer,
  TransportError,
} from "@bm/transport";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DiskBlockManager, DiskStore } from "../../src/index.ts";

const platform = nodePlatform();
let root = "";
let blocks: DiskBlockManager;
let store: DiskStore;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "bm-disk-"));
  blocks = await DiskBlockManager.create({ platform, roots: [join(root, "a"), join(root, "b")] });
  store = new DiskStore(platform.files, blocks);
});

afterEach(() => rm(root, { recursive: true, force: true }));

describe("DiskStore", () => {
  for (const size of [0, 1, 100_000, 3_000_001]) {
    it(`keeps a block of ${size} bytes`, async () => {
      const id = rddBlockId(1, 2);
      const content = Buffer.alloc(size, "block");
      expect(await store.put(id, new BytesManagedBuffer(content))).toBe(size);
      expect(await store.contains(id)).toBe(true);
      expect(store.sizeOf(id)).toBe(size);
      const buffer = await store.get(id);
      expect(content.equals((await buffer?.bytes()) ?? Buffer.alloc(1))).toBe(true);
      expect(await store.remove(id)).toBe(true);
      expect(await store.remove(id)).toBe(false);
      expect(await store.get(id)).toBeNull();
    });
  }

  it("keeps a block that comes in borrowed pieces", async () => {
    const piece = Buffer.alloc(1000);
    const data = new StreamManagedBuffer({
      size: 5000,
      open: async function* () {
        for (let value = 1; value <= 5; value += 1) yield await Promise.resolve(piece.fill(value));
      },
    });
    await store.put(testBlockId("pieces"), data);
    const bytes = await (await store.get(testBlockId("pieces")))?.bytes();
    expect([0, 1000, 2000, 3000, 4000].map((offset) => bytes?.[offset])).toEqual([1, 2, 3, 4, 5]);
  });

  it("leaves nothing behind when the body breaks off", async () => {
    const data = new StreamManagedBuffer({
      size: 10,
      open: async function* () {
        yield await Promise.resolve(Buffer.from("abc"));
        throw new TransportError("BODY_UNAVAILABLE", "gone");
      },
    });
    await expect(store.put(testBlockId("broken"), data)).rejects.toMatchObject({
      code: "BODY_UNAVAILABLE",
    });
    expect(await blocks.listFiles()).toEqual([]);
  });

  it("notices that a file became shorter", async () => {
    const id = testBlockId("cut");
    await store.put(id, new BytesManagedBuffer(Buffer.alloc(10)));
    await truncate(blocks.pathOf(id.name), 4);
    await expect(store.get(id)).rejects.toMatchObject({ code: "BLOCK_DAMAGED" });
  });

  it("writes to the file system of the block, whichever directories there are", async () => {
    const renamed: [string, string][] = [];
    const { files } = platform;
    const watched: Files = {
      ...files,
      rename: (from, to) => {
        renamed.push([dirname(from), dirname(to)]);
        return files.rename(from, to);
      },
    };
    const watching = new DiskStore(watched, blocks);
    for (let index = 0; index < 20; index += 1) {
      await watching.put(testBlockId(`${index}`), new BytesManagedBuffer(Buffer.alloc(1)));
    }
    expect(renamed).toHaveLength(20);
    expect(renamed.every(([from, to]) => from === to)).toBe(true);
  });

  it("calls a full disk by its name and leaves nothing behind", async () => {
    const full = new DiskStore(fullDisk(), blocks);
    await expect(
      full.put(testBlockId("big"), new BytesManagedBuffer(Buffer.alloc(10))),
    ).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(await blocks.listFiles()).toEqual([]);
  });
});

describe("DiskBlockManager", () => {
  it("lists the blocks among its files", async () => {
    await store.put(rddBlockId(1, 2), new BytesManagedBuffer(Buffer.alloc(1)));
    await writeFile(await blocks.fileFor("not-a-block"), "x");
    expect((await blocks.listBlockIds()).map(({ name }) => name)).toEqual(["rdd_1_2"]);
    expect((await blocks.listFiles()).toSorted()).toEqual(["not-a-block", "rdd_1_2"]);
  });

  for (const name of ["a/../../../../x", "/etc/passwd", "a\\b", "a\0b"]) {
    it(`does not follow ${JSON.stringify(name)} out of its directories`, async () => {
      const id = testBlockId(name);
      await expect(store.put(id, new BytesManagedBuffer(Buffer.alloc(1)))).rejects.toMatchObject({
        code: "FILE_NAME_INVALID",
      });
      expect(await blocks.listFiles()).toEqual([]);
    });
  }

  it("leaves out files that are not complete", async () => {
    await writeFile(await blocks.tempFileFor("test_half"), "x");
    expect(await blocks.listFiles()).toHaveLength(1);
    expect(await blocks.listBlockIds()).toEqual([]);
  });

  it("makes nothing once it is closed", async () => {
    const making = blocks.fileFor("test_a");
    await blocks.close();
    await making;
    await expect(blocks.fileFor("test_b")).rejects.toMatchObject({ code: "CLOSED" });
    expect(await readdir(join(root, "a"))).toEqual([]);
    expect(await readdir(join(root, "b"))).toEqual([]);
  });

  it("works with the directories that can be used, and says when none can", async () => {
    const file = join(root, "file");
    await writeFile(file, "in the way");
    const some = await DiskBlockManager.create({ platform, roots: [join(file, "x"), root] });
    expect(some.localDirs).toHaveLength(1);
    await expect(
      DiskBlockManager.create({ platform, roots: [join(file, "x")] }),
    ).rejects.toMatchObject({ code: "NO_LOCAL_DIR" });
  });

  it("deletes its directories at the end, unless a service needs them", async () => {
    const kept = await DiskBlockManager.create({
      platform,
      roots: [join(root, "kept")],
      deletesFilesOnClose: false,
    });
    await Promise.all([blocks.close(), blocks.close(), kept.close()]);
    expect(await readdir(join(root, "a"))).toEqual([]);
    expect(await readdir(join(root, "kept"))).toHaveLength(1);
    await mkdir(root, { recursive: true });
  });
});

function fullDisk(): Files {
  const { files } = platform;
  return {
    ...files,
    stat: (path) => files.stat(path),
    remove: (path) => files.remove(path),
    open: async (path, mode) => {
      const file = await files.open(path, mode);
      return {
        read: (buffer, position) => file.read(buffer, position),
        readNow: (buffer, position) => file.readNow(buffer, position),
        statNow: () => file.statNow(),
        truncate: (bytes) => file.truncate(bytes),
        stat: () => file.stat(),
        sync: () => file.sync(),
        close: () => file.close(),
        write: () => {
          const cause = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
          return Promise.reject(new TransportError("FILE_FAILED", "write failed", { cause }));
        },
      };
    },
  };
}
