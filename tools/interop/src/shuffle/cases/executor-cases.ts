/** Executors: registration, where their files are, removal of blocks, why a block is corrupt. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { localFilePath } from "@bm/block";
import { outputsOf, partitionsOf, type RecordedOutput } from "../recorded-outputs.ts";
import { type Application, MERGER } from "../service-meeting.ts";
import type { ServiceCase } from "./case.ts";

const SET = "plain-adler32";
const MANAGER = "org.apache.spark.shuffle.sort.SortShuffleManager";

/** See the file comment. */
export const EXECUTOR_CASES: readonly ServiceCase[] = [
  {
    name: "an executor registers again with other directories",
    messages: ["RegisterExecutor"],
    run: async (application) => {
      const empty = [join(application.root, "empty")];
      await application.ask("register", { exec: "1", localDirs: empty, manager: MANAGER });
      await application.registerWith(SET);
      return application.fetch(firstPartitions(1));
    },
    expected: allRight(1),
  },
  {
    name: "a registration without the directory to merge into",
    messages: ["RegisterExecutor"],
    run: (application) => {
      const manager = `${MANAGER}:{"attemptId":"1"}}}`;
      return application.ask("register", { exec: "1", localDirs: application.localDirs, manager });
    },
    expected: "Failed to get the merge directory information",
  },
  {
    name: "where the files of executors and of merged partitions are",
    messages: ["GetLocalDirsForExecutors", "LocalDirsForExecutors"],
    run: async (application) => {
      await application.registerMerging();
      const dirs = await application.ask("dirs", { execs: ["1", MERGER] }, "dirs");
      return JSON.parse(JSON.stringify(dirs).replaceAll(application.root, "ROOT")) as unknown;
    },
    expected: {
      1: "ROOT/a/blockmgr,ROOT/b/blockmgr",
      [MERGER]: "ROOT/a/merge_manager,ROOT/b/merge_manager",
    },
  },
  {
    name: "where the files of an executor are that nobody knows",
    messages: ["GetLocalDirsForExecutors"],
    run: async (application) => {
      await application.registerWith(SET);
      return [
        await application.ask("dirs", { execs: ["1", "2"] }, "dirs"),
        await application.ask("dirs", { execs: [MERGER] }, "dirs"),
      ];
    },
    expected: ["Executor is not registered", "is not registered or NM was restarted"],
  },
  {
    name: "where the files of an executor are that is named twice",
    messages: ["GetLocalDirsForExecutors"],
    run: async (application) => {
      await application.registerWith(SET);
      const dirs = await application.ask("dirs", { execs: ["1", "1"] }, "dirs");
      return typeof dirs === "string" ? dirs : "given";
    },
    expected: "duplicate element",
  },
  {
    name: "blocks are removed and counted",
    messages: ["RemoveBlocks", "BlocksRemoved"],
    run: async (application) => {
      await application.registerWith(SET);
      const rdd = writeBlock(application, "rdd_1_2");
      const [output] = outputsOf(SET) as [RecordedOutput];
      const shuffleFiles = [basename(output.data), basename(output.index)];
      const blocks = ["rdd_1_2", "rdd_1_3", ...shuffleFiles];
      const removed = await application.ask("remove", { exec: "1", blocks }, "removed");
      const left = [rdd, ...shuffleFiles.map((name) => pathOf(application, name))];
      return { removed, left: left.filter((path) => existsSync(path)) };
    },
    expected: { removed: 3, left: [] },
  },
  {
    name: "blocks of an executor are removed that nobody knows",
    messages: ["RemoveBlocks"],
    run: (application) => application.ask("remove", { exec: "9", blocks: ["rdd_1_2"] }, "removed"),
    expected: 0,
  },
  ...(["plain-adler32", "lz4-crc32c"] as const).map((set): ServiceCase => {
    const algorithm = set.endsWith("crc32c") ? "CRC32C" : "ADLER32";
    return {
      name: `why a block is corrupt, by ${algorithm}`,
      messages: ["DiagnoseCorruption", "CorruptionCause"],
      run: async (application) => {
        await application.registerWith(set);
        const [output] = outputsOf(set) as [RecordedOutput];
        const part = output.partitions.find(({ length }) => length > 0);
        const block = { exec: "1", shuffleId: 0, mapId: 0, reduceId: part?.reduceId ?? 0 };
        const checksum = Number(part?.checksum);
        const diagnose = (changes: object): Promise<unknown> =>
          application.ask("diagnose", { ...block, checksum, algorithm, ...changes }, "cause");
        const causes = [
          await diagnose({}),
          await diagnose({ checksum: 1 }),
          await diagnose({ algorithm: "MD5" }),
          await diagnose({ algorithm: `../${algorithm}` }),
          await diagnose({ algorithm: "CRC32" }),
          await diagnose({ exec: "9" }),
          await diagnose({ reduceId: 1000 }),
        ];
        flipBytes(pathOf(application, basename(output.data)));
        causes.push(await diagnose({}));
        rmSync(pathOf(application, basename(output.checksum)));
        causes.push(await diagnose({}));
        return causes;
      },
      expected: [
        "CHECKSUM_VERIFY_PASS",
        "NETWORK_ISSUE",
        "UNSUPPORTED_CHECKSUM_ALGORITHM",
        "UNSUPPORTED_CHECKSUM_ALGORITHM",
        "UNKNOWN_ISSUE",
        "UNKNOWN_ISSUE",
        "UNKNOWN_ISSUE",
        "DISK_ISSUE",
        "UNKNOWN_ISSUE",
      ],
    };
  }),
];

/** The partitions of the first map outputs. */
export function firstPartitions(outputs: number): Map<string, Buffer> {
  return partitionsOf(outputsOf(SET).slice(0, outputs));
}

/** What a fetch of them reports. */
export function allRight(outputs: number): Readonly<Record<string, string>> {
  const names = [...firstPartitions(outputs).keys()].toSorted();
  return Object.fromEntries(names.map((name) => [name, "right"]));
}

/** Where executor 1 keeps a file. */
export function pathOf(application: Application, name: string): string {
  return localFilePath(application.localDirs, 64, name).path;
}

/** Writes a block of executor 1 that holds its own name. */
export function writeBlock(application: Application, name: string): string {
  const path = pathOf(application, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, name);
  return path;
}

function flipBytes(path: string): void {
  writeFileSync(
    path,
    readFileSync(path).map((byte) => byte ^ 1),
  );
}
