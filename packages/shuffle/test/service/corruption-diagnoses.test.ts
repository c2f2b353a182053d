/** Why blocks arrived corrupt, whether their files are in memory or have to be waited for. */
import { dirname } from "node:path";
import { localFilePath } from "@bm/block";
import { CHECKSUM_ALGORITHMS, createChecksum } from "@bm/codec/checksum";
import { type Files, nodePlatform, silentLogger } from "@bm/transport";
import { createMemoryFiles, ManualClock } from "@bm/transport/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { APP, Asker, endAll, failureOf, startService } from "./service-under-test.ts";

const ROOT = "/blocks";
const PIECE = 256 * 1024;
const LARGE = 12 * 1024 * 1024;
/** Of the partitions of the map output; they meet and pass what is read at once. */
const LENGTHS = [0, 1, 16_384, PIECE - 1, PIECE, PIECE + 1, LARGE];
const OTHER_APP = "app-20240101000000-0001";

const pathOf = (name: string): string => localFilePath([ROOT], 64, `shuffle_0_5_0.${name}`).path;
const partitions = LENGTHS.map((length, reduceId) => Buffer.alloc(length, `partition ${reduceId}`));

let disk: Files;
let clock: ManualClock;
let asker: Asker;
let lines: string[];

afterEach(endAll);

async function serve(files: Files): Promise<void> {
  clock = new ManualClock();
  lines = [];
  const logger = { ...silentLogger, warn: (line: string) => lines.push(line) };
  const realPath = (path: string): Promise<string> => Promise.resolve(path);
  const platform = { ...nodePlatform(), files, clock };
  const service = await startService({ platform, realPath, logger });
  asker = await Asker.connect(service.port);
  for (const app of [APP, OTHER_APP]) await asker.register("1", [ROOT], app);
}

async function writeMapOutput(): Promise<void> {
  await put("data", Buffer.concat(partitions));
  await put("index", longs([0, ...LENGTHS.map((_, at) => sum(LENGTHS.slice(0, at + 1)))]));
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    await put(`checksum.${algorithm}`, longs(partitions.map((bytes) => sumOf(algorithm, bytes))));
  }
}

async function put(name: string, bytes: Uint8Array): Promise<void> {
  await disk.makeDirectory(dirname(pathOf(name)));
  await disk.writeFile(`${pathOf(name)}.next`, bytes);
  await disk.rename(`${pathOf(name)}.next`, pathOf(name));
}

/** Asks, and gives the turns that the answer takes. */
function diagnose(reduceId: number, checksum: number, algorithm = "ADLER32"): Promise<unknown> {
  return withTurns(ask(reduceId, checksum, algorithm));
}

async function ask(
  reduceId: number,
  checksum: number,
  algorithm = "ADLER32",
  appId = APP,
): Promise<unknown> {
  const ids = { appId, execId: "1", shuffleId: 0, mapId: 5n, reduceId };
  const question = { ...ids, checksum: BigInt(checksum), algorithm };
  const answer = await asker.ask({ type: "DiagnoseCorruption", ...question });
  return answer?.type === "CorruptionCause" ? answer.cause : answer;
}

/** Gives turns until the work is done. */
async function withTurns<T>(work: Promise<T>): Promise<T> {
  const end = work.then(
    () => true,
    () => true,
  );
  while ((await Promise.race([end, clock.settle()])) !== true);
  return work;
}

describe.each([
  ["in memory", true],
  ["not in memory", false],
])("a block whose files are %s", (_, isCached) => {
  beforeEach(async () => {
    disk = createMemoryFiles({ isCached });
    await writeMapOutput();
    await serve(disk);
  });

  it.each(CHECKSUM_ALGORITHMS)("is judged by its %s, however long it is", async (algorithm) => {
    for (const [reduceId, bytes] of partitions.entries()) {
      const right = sumOf(algorithm, bytes);
      expect(await diagnose(reduceId, right, algorithm)).toBe("CHECKSUM_VERIFY_PASS");
      expect(await diagnose(reduceId, right + 1, algorithm)).toBe("NETWORK_ISSUE");
    }
  });

  it.each([...LENGTHS.entries()].filter(([, length]) => length > 0))(
    "has the disk to blame for one bit of partition %d, of %d bytes",
    async (reduceId, length) => {
      const right = sumOf("ADLER32", partitions[reduceId]!);
      expect(await diagnose(reduceId, right)).toBe("CHECKSUM_VERIFY_PASS");
      const bytes = Buffer.concat(partitions);
      const last = sum(LENGTHS.slice(0, reduceId)) + length - 1;
      bytes[last] = bytes[last]! ^ 1;
      await put("data", bytes);
      expect(await diagnose(reduceId, right)).toBe("DISK_ISSUE");
    },
  );

  it("has no known cause without a checksum of its writer", async () => {
    await put("checksum.CRC32", longs([1]));
    await disk.remove(pathOf("checksum.CRC32C"));
    expect(await diagnose(2, 1, "CRC32")).toBe("UNKNOWN_ISSUE");
    expect(await diagnose(2, 1, "CRC32C")).toBe("UNKNOWN_ISSUE");
  });

  it("has no known cause where the algorithm is not known, and fails where there is no block", async () => {
    expect(await diagnose(2, 1, "adler32")).toBe("UNSUPPORTED_CHECKSUM_ALGORITHM");
    expect(await diagnose(6, 1, "../x")).toBe("UNSUPPORTED_CHECKSUM_ALGORITHM");
    expect(await failureOf(ask(LENGTHS.length, 1))).toContain("partitions 7 to 8");
  });

  it("is diagnosed for many at once, and others are answered meanwhile", async () => {
    const right = sumOf("ADLER32", partitions[6]!);
    let answered = 0;
    const answers = Array.from({ length: 40 }, async (__, at) => {
      const appId = at % 4 === 0 ? OTHER_APP : APP;
      const cause = await ask(6, right, "ADLER32", appId);
      answered += 1;
      return cause;
    });
    const dirs = { type: "GetLocalDirsForExecutors", appId: APP, execIds: ["1"] } as const;
    expect(await asker.ask(dirs)).toMatchObject({ type: "LocalDirsForExecutors" });
    // A large block takes more turns than one, and the clock has not given any.
    expect(answered).toBe(0);
    expect(new Set(await withTurns(Promise.all(answers)))).toEqual(
      new Set(["CHECKSUM_VERIFY_PASS"]),
    );
  });

  it("is logged once a minute for each cause, with the number of those left out", async () => {
    for (const reduceId of [1, 2, 3, 4]) await diagnose(reduceId, 7);
    await diagnose(2, sumOf("ADLER32", partitions[2]!));
    clock.advance(60_000);
    await diagnose(2, 7);
    const about = (reduceId: number, cause: string): string =>
      `a reader got shuffle_0_5_${reduceId} of ${APP}, executor 1, corrupt: ${cause}`;
    expect(lines.filter((line) => line.startsWith("a reader got"))).toEqual([
      about(1, "NETWORK_ISSUE"),
      about(2, "CHECKSUM_VERIFY_PASS"),
      `${about(2, "NETWORK_ISSUE")} (and 3 more before)`,
    ]);
  });
});

describe("a block whose file changes while it is diagnosed", () => {
  it("has no known cause when the file is written anew, or cut short", async () => {
    disk = createMemoryFiles();
    await writeMapOutput();
    let before = (): Promise<void> => Promise.resolve();
    await serve({
      ...bound(disk),
      open: async (path, mode) => {
        if (path === pathOf("data")) await before();
        return disk.open(path, mode);
      },
    });
    const right = sumOf("ADLER32", partitions[6]!);
    expect(await diagnose(6, right)).toBe("CHECKSUM_VERIFY_PASS");
    before = () => put("data", Buffer.concat(partitions));
    expect(await diagnose(6, right)).toBe("UNKNOWN_ISSUE");
    before = () => disk.writeFile(pathOf("data"), Buffer.alloc(1000));
    expect(await diagnose(6, right)).toBe("UNKNOWN_ISSUE");
  });
});

/** Its methods apart from it. */
function bound(files: Files): Files {
  return {
    open: (path, mode) => files.open(path, mode),
    openNow: (path) => files.openNow(path),
    stat: (path) => files.stat(path),
    readFile: (path) => files.readFile(path),
    readNow: (path, buffer, position, expected) => files.readNow(path, buffer, position, expected),
    writeFile: (path, bytes) => files.writeFile(path, bytes),
    makeDirectory: (path) => files.makeDirectory(path),
    makeTemporaryDirectory: (prefix) => files.makeTemporaryDirectory(prefix),
    list: (path) => files.list(path),
    rename: (from, to) => files.rename(from, to),
    remove: (path) => files.remove(path),
  };
}

function longs(values: readonly number[]): Buffer {
  return Buffer.from(new BigInt64Array(values.map(BigInt)).buffer).swap64();
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function sumOf(algorithm: string, bytes: Uint8Array): number {
  return createChecksum(algorithm).update(bytes).value;
}
