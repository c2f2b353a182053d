import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shuffleBlockBatchId, shuffleBlockId } from "@bm/block";
import { nodePlatform } from "@bm/transport";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { IndexShuffleBlockResolver } from "../../src/index.ts";

const { files, random } = nodePlatform();
const MAP = 5_000_000_000n;
let root: string;
let resolver: IndexShuffleBlockResolver;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "resolver-"));
  resolver = newResolver();
});
afterEach(() => rm(root, { recursive: true }));

describe("a committed map output", () => {
  it("is read back partition by partition", async () => {
    const committed = await commit(["alpha", "", "beta", "gamma"]);
    expect(committed).toEqual({ lengths: [5, 0, 4, 5], checksums: [], isAdopted: false });
    expect(await read(0)).toBe("alpha");
    expect(await read(1)).toBe("");
    expect(await read(3)).toBe("gamma");
    expect(await readRun(1, 4)).toBe("betagamma");
    expect(await readRun(0, 4)).toBe("alphabetagamma");
  });

  it("leaves nothing but its files behind", async () => {
    await commit(["alpha"], [1]);
    expect(await filesBelow(root)).toEqual([
      `shuffle_3_${MAP}_0.checksum.ADLER32`,
      `shuffle_3_${MAP}_0.data`,
      `shuffle_3_${MAP}_0.index`,
    ]);
  });

  it("of nothing but empty partitions has an index and no data", async () => {
    await resolver.writeIndexFileAndCommit(3, MAP, { lengths: [0, 0], dataTempFile: null });
    expect(await filesBelow(root)).toEqual([`shuffle_3_${MAP}_0.index`]);
    expect(await read(1)).toBe("");
  });

  it("is kept when a second attempt comes", async () => {
    await commit(["alpha", "beta"], [11, 22]);
    const second = await commit(["other", "data!"], [33, 44]);
    expect(second).toEqual({ lengths: [5, 4], checksums: [11, 22], isAdopted: true });
    expect(await readRun(0, 2)).toBe("alphabeta");
    expect(await filesBelow(root)).toHaveLength(3);
  });

  it("gets missing checksums from an attempt with the same lengths", async () => {
    await commit(["alpha", "beta"]);
    const second = await commit(["ALPHA", "BETA"], [33, 44]);
    expect(second).toEqual({ lengths: [5, 4], checksums: [33, 44], isAdopted: true });
    expect(await files.stat(resolver.getChecksumFile(3, MAP))).toMatchObject({ bytes: 16 });
  });

  it("gets no checksums of data that is not its own", async () => {
    await commit(["alpha", "beta"]);
    const second = await commit(["a", "b"], [33, 44]);
    expect(second).toEqual({ lengths: [5, 4], checksums: [], isAdopted: true });
    expect(await files.stat(resolver.getChecksumFile(3, MAP))).toBeNull();
  });

  it("is published once when attempts race", async () => {
    const outputs = await Promise.all(
      ["aa", "bbb", "cccc", "ddddd"].map((text) => commit([text, text])),
    );
    expect(outputs.filter(({ isAdopted }) => !isAdopted)).toHaveLength(1);
    expect(new Set(outputs.map(({ lengths }) => lengths.join())).size).toBe(1);
    expect((await read(0)).length).toBe(outputs[0]?.lengths[0]);
    expect(await filesBelow(root)).toHaveLength(2);
  });

  it("is gone after its removal", async () => {
    await commit(["alpha"], [1]);
    expect(await resolver.removeDataByMap(3, MAP)).toBe(true);
    expect(await filesBelow(root)).toEqual([]);
    expect(await resolver.removeDataByMap(3, MAP)).toBe(false);
    await expect(read(0)).rejects.toMatchObject({ code: "BLOCK_NOT_FOUND" });
  });
});

describe("an incomplete map output is replaced", () => {
  it("when its index has another number of partitions", async () => {
    await commit(["alpha"]);
    expect(await commit(["a", "b"])).toMatchObject({ lengths: [1, 1], isAdopted: false });
    expect(await readRun(0, 2)).toBe("ab");
  });

  it("when its data file is too short", async () => {
    await commit(["alpha", "beta"]);
    await files.writeFile(resolver.getDataFile(3, MAP), Buffer.from("alph"));
    expect(await commit(["a", "b"])).toMatchObject({ isAdopted: false });
    expect(await readRun(0, 2)).toBe("ab");
  });

  it("when its index makes no sense", async () => {
    await commit(["alpha"]);
    await files.writeFile(resolver.getIndexFile(3, MAP), Buffer.alloc(16, 0xff));
    expect(await commit(["a"])).toMatchObject({ isAdopted: false });
    expect(await read(0)).toBe("a");
  });

  it("by an empty one, whose old data goes", async () => {
    await commit(["alpha"]);
    await files.writeFile(resolver.getIndexFile(3, MAP), Buffer.alloc(5));
    await resolver.writeIndexFileAndCommit(3, MAP, { lengths: [0], dataTempFile: null });
    expect(await files.stat(resolver.getDataFile(3, MAP))).toBeNull();
  });
});

describe("a commit is refused", () => {
  it("when the lengths do not add up to the data", async () => {
    const dataTempFile = await tempFile("alphabeta");
    const output = { lengths: [5, 5], dataTempFile };
    await expect(resolver.writeIndexFileAndCommit(3, MAP, output)).rejects.toMatchObject({
      code: "COMMIT_INVALID",
    });
    expect(await files.stat(dataTempFile)).toMatchObject({ bytes: 9 });
    await expect(read(0)).rejects.toMatchObject({ code: "BLOCK_NOT_FOUND" });
  });

  it("when there are not as many checksums as partitions", async () => {
    const output = { lengths: [5, 4], checksums: [1], dataTempFile: await tempFile("alphabeta") };
    await expect(resolver.writeIndexFileAndCommit(3, MAP, output)).rejects.toMatchObject({
      code: "COMMIT_INVALID",
    });
  });

  it("and leaves no index without data when the data cannot be moved", async () => {
    const dataPath = resolver.getDataFile(3, MAP);
    await files.makeDirectory(join(dataPath, "in-the-way"));
    const output = { lengths: [5], dataTempFile: await tempFile("alpha") };
    await expect(resolver.writeIndexFileAndCommit(3, MAP, output)).rejects.toMatchObject({
      code: "FILE_FAILED",
    });
    expect(await files.stat(resolver.getIndexFile(3, MAP))).toBeNull();
  });
});

describe("a damaged map output is never served", () => {
  it("when the index points behind the end of the data", async () => {
    await commit(["alpha", "beta"]);
    await files.writeFile(resolver.getDataFile(3, MAP), Buffer.from("alphab"));
    expect(await read(0)).toBe("alpha");
    await expect(read(1)).rejects.toMatchObject({ code: "INDEX_INVALID" });
  });

  it("when the data file is missing", async () => {
    await commit(["alpha", ""]);
    await files.remove(resolver.getDataFile(3, MAP));
    await expect(read(0)).rejects.toMatchObject({ code: "INDEX_INVALID" });
  });

  it("when the partition is not in the index", async () => {
    await commit(["alpha"]);
    await expect(read(1)).rejects.toMatchObject({ code: "BLOCK_NOT_FOUND" });
    await expect(readRun(0, 2)).rejects.toMatchObject({ code: "BLOCK_NOT_FOUND" });
    await expect(readRun(1, 0)).rejects.toMatchObject({ code: "BLOCK_NOT_FOUND" });
  });
});

function newResolver(): IndexShuffleBlockResolver {
  const localDirs = ["a", "b", "c"].map((name) => join(root, name));
  return new IndexShuffleBlockResolver({ files, random, localDirs });
}

async function tempFile(content: string): Promise<string> {
  const path = await resolver.createTempFile(resolver.getDataFile(3, MAP));
  await files.writeFile(path, Buffer.from(content));
  return path;
}

async function commit(
  partitions: readonly string[],
  checksums?: readonly number[],
): ReturnType<IndexShuffleBlockResolver["writeIndexFileAndCommit"]> {
  const lengths = partitions.map((text) => text.length);
  const dataTempFile = await tempFile(partitions.join(""));
  return resolver.writeIndexFileAndCommit(3, MAP, { lengths, checksums, dataTempFile });
}

async function read(reduceId: number): Promise<string> {
  return text(await resolver.getBlockData(shuffleBlockId(3, MAP, reduceId)));
}

async function readRun(start: number, end: number): Promise<string> {
  return text(await resolver.getBlockData(shuffleBlockBatchId(3, MAP, start, end)));
}

async function text(block: Awaited<ReturnType<typeof resolver.getBlockData>>): Promise<string> {
  const bytes = await block.bytes();
  block.release();
  return Buffer.from(bytes).toString();
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
    .toSorted();
}
