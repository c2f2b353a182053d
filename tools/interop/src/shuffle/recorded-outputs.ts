/** Files that a real Spark wrote, laid out as an executor of ours would have written them. */
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { localFilePath } from "@bm/block";

const ROOT: string = join(import.meta.dirname, "..", "..", "..", "..");
const VECTORS: string = join(ROOT, "packages", "shuffle", "test", "vectors", "shuffle-files");
const SUB_DIRS = 64;

/** One map output: where its files are recorded, and what they hold. */
export interface RecordedOutput {
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

/** A block that was pushed, and where it lies in the merged file. */
export interface RecordedPush {
  readonly mapIndex: number;
  readonly offset: number;
  readonly length: number;
}

/** Blocks of one shuffle that Spark's merge manager merged. */
export interface RecordedMerge {
  readonly appId: string;
  readonly attemptId: number;
  readonly shuffleId: number;
  readonly shuffleMergeId: number;
  readonly mergeDir: string;
  readonly blocksInOrder: readonly {
    readonly reduceId: number;
    readonly blocks: readonly RecordedPush[];
  }[];
}

const { sort } = JSON.parse(readFileSync(join(VECTORS, "network-manifest.json"), "utf8")) as {
  readonly sort: readonly RecordedOutput[];
};

/** Copies the files of a set to where `localDirs` place them. */
export function layOut(set: string, localDirs: readonly string[]): void {
  for (const output of outputsOf(set)) {
    for (const file of [output.index, output.data, output.checksum]) {
      const { path } = localFilePath(localDirs, SUB_DIRS, basename(file));
      mkdirSync(dirname(path), { recursive: true });
      copyFileSync(join(VECTORS, file), path);
    }
  }
}

/** The map outputs of a set. */
export function outputsOf(set: string): readonly RecordedOutput[] {
  return sort.filter((output) => output.set === set);
}

/** The bytes of every partition that is not empty, by the name of its block. */
export function partitionsOf(outputs: readonly RecordedOutput[]): Map<string, Buffer> {
  return new Map(
    outputs.flatMap(({ data, partitions }) => {
      const bytes = readFileSync(join(VECTORS, data));
      const prefix = basename(data).replace(/_0\.data$/, "");
      return partitions
        .filter(({ length }) => length > 0)
        .map(({ length, offset, reduceId }) => {
          const content = bytes.subarray(offset, offset + length);
          return [`${prefix}_${reduceId}`, content] as const;
        });
    }),
  );
}

/** The bytes of a pushed block, by the recorded rule. */
export function pushedBytes(mapIndex: number, reduceId: number, length: number): Buffer {
  return Buffer.from(
    Array.from({ length }, (_, index) => (31 * mapIndex + 7 * reduceId + index) & 0xff),
  );
}
