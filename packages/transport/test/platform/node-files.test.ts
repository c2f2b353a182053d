import { symlink } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { nodePlatform } from "../../src/platform/node-platform.ts";

const { files } = nodePlatform();

describe("node files", () => {
  it("removes a symbolic link and never what it points at", async () => {
    const directory = await files.makeTemporaryDirectory("bm-links-");
    const treasure = `${directory}/treasure`;
    await files.makeDirectory(treasure);
    await files.writeFile(`${treasure}/coin`, Buffer.from("gold"));
    for (const spelling of ["link", "link/", "link//", "link/."]) {
      await symlink(treasure, `${directory}/link`);
      expect(await files.remove(`${directory}/${spelling}`)).toBe(true);
      expect(await files.stat(`${directory}/link`)).toBeNull();
    }
    await files.makeDirectory(`${directory}/tree`);
    await symlink(treasure, `${directory}/tree/link`);
    expect(await files.remove(`${directory}/tree`)).toBe(true);
    expect(await files.list(treasure)).toEqual(["coin"]);
    await files.remove(directory);
  });

  it("calls a dangling link nothing", async () => {
    const directory = await files.makeTemporaryDirectory("bm-links-");
    await symlink(`${directory}/none`, `${directory}/link`);
    expect(await files.stat(`${directory}/link`)).toBeNull();
    await files.remove(directory);
  });
});

describe("node files that are closed while reads are under way", () => {
  it("finish those reads from the right file first", async () => {
    const directory = await files.makeTemporaryDirectory("bm-close-");
    await files.writeFile(`${directory}/right`, Buffer.alloc(200_000, "r"));
    await files.writeFile(`${directory}/wrong`, Buffer.alloc(200_000, "w"));
    for (let round = 0; round < 20; round += 1) {
      const file = await files.open(`${directory}/right`, "read");
      const buffers = Array.from({ length: 20 }, () => Buffer.alloc(200_000));
      const reads = buffers.map((buffer) => file.read(buffer, 0));
      const closing = file.close();
      // Were the descriptor free already, these would get its number.
      const others = [1, 2, 3].map(() => files.open(`${directory}/wrong`, "read"));
      expect(new Set(await Promise.all(reads))).toEqual(new Set([200_000]));
      await closing;
      expect(buffers.every((buffer) => !buffer.includes("w"))).toBe(true);
      for (const other of await Promise.all(others)) await other.close();
    }
    await files.remove(directory);
  });
});
