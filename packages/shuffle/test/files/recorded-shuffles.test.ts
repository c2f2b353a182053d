import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { shuffleBlockBatchId, shuffleBlockId } from "@bm/block";
import { nodePlatform } from "@bm/transport";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { IndexShuffleBlockResolver, ShuffleIndexFile } from "../../src/index.ts";
import { readVectors, VECTORS } from "../read-vectors.ts";
import { adler32 } from "./adler32.ts";

interface RecordedCase {
  readonly case: string;
  readonly files: readonly {
    readonly path: string;
    readonly name: string;
    readonly length: number;
    readonly file: string;
    readonly offsets?: readonly number[];
    readonly checksums?: readonly number[];
  }[];
}

interface RecordedOutput {
  readonly set: string;
  readonly index: string;
  readonly data: string;
  readonly checksum: string;
  readonly algorithm: string;
  readonly partitions: readonly {
    readonly reduceId: number;
    readonly offset: number;
    readonly length: number;
    readonly checksum: string;
  }[];
}

const { cases } = readVectors("shuffle-files/manifest.json") as { cases: RecordedCase[] };
const { sort } = readVectors("shuffle-files/network-manifest.json") as { sort: RecordedOutput[] };
const { files, random } = nodePlatform();

describe.each(cases)("the local directory of a real executor ($case)", (recorded) => {
  let root: string;
  let resolver: IndexShuffleBlockResolver;
  const checksumFile = recorded.files.find(({ checksums }) => checksums !== undefined);
  const checksumAlgorithm = checksumFile?.name.split(".").at(-1);

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "shuffle-"));
    for (const { file, path } of recorded.files) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await copyFile(join(VECTORS, "shuffle-files", file), join(root, path));
    }
    const localDirs = [join(root, "blockmgr-UUID")];
    resolver = new IndexShuffleBlockResolver({ files, random, localDirs, checksumAlgorithm });
  });
  afterAll(() => rm(root, { recursive: true }));

  it("has its files where the resolver looks for them", () => {
    const paths = [0n, 1n].flatMap((mapId) => [
      resolver.getDataFile(0, mapId),
      resolver.getIndexFile(0, mapId),
      resolver.getChecksumFile(0, mapId),
    ]);
    const recordedPaths = recorded.files.map(({ path }) => join(root, path));
    expect(paths.toSorted()).toEqual(recordedPaths.toSorted());
  });

  it.each([0n, 1n])("gives every partition of map %s to the byte", async (mapId) => {
    const offsets = find(recorded, `shuffle_0_${mapId}_0.index`).offsets ?? [];
    const data = await files.readFile(resolver.getDataFile(0, mapId));
    for (let reduceId = 0; reduceId < offsets.length - 1; reduceId += 1) {
      const block = await resolver.getBlockData(shuffleBlockId(0, mapId, reduceId));
      const expected = data.subarray(offsets[reduceId], offsets[reduceId + 1]);
      expect(block.size).toBe(expected.length);
      expect(Buffer.compare(await block.bytes(), expected)).toBe(0);
      block.release();
    }
  });

  it.each([0n, 1n])("gives runs of partitions of map %s", async (mapId) => {
    const { offsets = [] } = find(recorded, `shuffle_0_${mapId}_0.index`);
    const data = await files.readFile(resolver.getDataFile(0, mapId));
    const run = await resolver.getBlockData(shuffleBlockBatchId(0, mapId, 2, 7));
    expect(Buffer.compare(await run.bytes(), data.subarray(offsets[2], offsets[7]))).toBe(0);
    const all = await resolver.getBlockData(shuffleBlockBatchId(0, mapId, 0, 12));
    expect(Buffer.compare(await all.bytes(), data)).toBe(0);
  });

  it("is adopted when the same map runs again", async () => {
    const { offsets = [] } = find(recorded, "shuffle_0_0_0.index");
    const checksumName = `shuffle_0_0_0.checksum.${checksumAlgorithm}`;
    const dataTempFile = await resolver.createTempFile(resolver.getDataFile(0, 0n));
    await files.writeFile(dataTempFile, Buffer.alloc(12));
    const lengths = Array.from({ length: 12 }, () => 1);
    const checksums = lengths;
    const committed = await resolver.writeIndexFileAndCommit(0, 0n, {
      lengths,
      checksums,
      dataTempFile,
    });
    expect(committed).toEqual({
      lengths: offsets.slice(1).map((end, index) => end - (offsets[index] ?? 0)),
      checksums: find(recorded, checksumName).checksums,
      isAdopted: true,
    });
    expect(await files.stat(dataTempFile)).toBeNull();
  });
});

describe.each(sort)("index $index", (recorded) => {
  it("has the recorded partitions, and is written as it is read", async () => {
    const index = await ShuffleIndexFile.read(files, vectorPath(recorded.index));
    expect(index.partitionCount).toBe(recorded.partitions.length);
    for (const { reduceId, offset, length } of recorded.partitions) {
      expect(index.segment(reduceId, reduceId + 1)).toEqual({ offset, length });
    }
    const bytes = Buffer.from(await files.readFile(vectorPath(recorded.index)));
    expect(ShuffleIndexFile.fromLengths(index.lengths).toBytes()).toEqual(bytes);
  });
});

it.each(sort.filter(({ algorithm }) => algorithm === "ADLER32"))(
  "index $index cuts the data where it was summed up",
  async (recorded) => {
    const index = await ShuffleIndexFile.read(files, vectorPath(recorded.index));
    const data = await files.readFile(vectorPath(recorded.data));
    for (const { reduceId, checksum } of recorded.partitions) {
      const { offset, length } = index.segment(reduceId, reduceId + 1);
      expect(String(adler32(data.subarray(offset, offset + length)))).toBe(checksum);
    }
  },
);

function vectorPath(name: string): string {
  return join(VECTORS, "shuffle-files", name);
}

function find(recorded: RecordedCase, name: string): RecordedCase["files"][number] {
  const file = recorded.files.find((candidate) => candidate.name === name);
  if (file === undefined) throw new Error(`${name} was not recorded`);
  return file;
}
