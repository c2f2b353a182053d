import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Logger, nodePlatform, silentLogger } from "@bm/transport";
import { ClassicLevel } from "classic-level";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LevelExecutorStore, type RegisteredExecutor } from "../../src/index.ts";
import { readVectors } from "../read-vectors.ts";
import { afterwards, endAll, temporaryDirectory } from "./service-under-test.ts";

const { files } = nodePlatform();
const INFO = { localDirs: ["/d1/a", "/d2/b"], subDirsPerLocalDir: 64, shuffleManager: "sort" };

let path: string;
let errors: string[];
let logger: Logger;

beforeEach(async () => {
  path = join(await temporaryDirectory(), "registeredExecutors.ldb");
  errors = [];
  logger = { ...silentLogger, error: (message) => errors.push(message) };
});
afterEach(endAll);

describe("LevelExecutorStore", () => {
  it("gives back what was written, after it was closed and opened again", async () => {
    const store = await open();
    await store.write([
      put("1"),
      put("2"),
      put("3"),
      { kind: "remove", appId: "app", execId: "2" },
    ]);
    await store.close();
    expect(await loaded()).toEqual([
      { appId: "app", execId: "1", info: INFO },
      { appId: "app", execId: "3", info: INFO },
    ]);
    expect(errors).toEqual([]);
  });

  it("takes over the rows that Spark wrote", async () => {
    const tables = readVectors("shuffle-db.json") as Record<
      string,
      { key: string; value: string }[]
    >;
    const rows = tables["registeredExecutors.rdb"] ?? [];
    await fill(rows);
    const executors = await loaded();
    expect(executors).toHaveLength(rows.length - 1);
    expect(executors[0]).toEqual({
      appId: "app-20240101000000-0000",
      execId: "0",
      info: {
        localDirs: ["/d1/blockmgr-a", "/d2/blockmgr-b"],
        subDirsPerLocalDir: 64,
        shuffleManager: "org.apache.spark.shuffle.sort.SortShuffleManager",
      },
    });
  });

  it("writes the rows that Spark would have written", async () => {
    const tables = readVectors("shuffle-db.json") as Record<
      string,
      { key: string; value: string }[]
    >;
    const expected = tables["registeredExecutors.rdb"] ?? [];
    await fill(expected);
    const executors = await loaded();
    path += "-copy";
    const store = await open();
    await store.write(executors.map((executor) => ({ kind: "put" as const, ...executor })));
    await store.close();
    const database = new ClassicLevel(path);
    const rows = await database.iterator().all();
    await database.close();
    expect(rows).toEqual(expected.map(({ key, value }) => [key, value]));
  });

  it("refuses a database of another major version", async () => {
    await fill([{ key: "StoreVersion", value: '{"major":2,"minor":0}' }]);
    await expect(open()).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining(
        "incompatible with current version StoreVersion[1.0]",
      ) as string,
    });
  });

  it("refuses a database that is in use", async () => {
    await open();
    await expect(open()).rejects.toThrow("another process uses it");
  });

  it("ignores damaged rows and keeps the others", async () => {
    const store = await open();
    await store.write([put("1")]);
    await store.close();
    await fill([
      { key: 'AppExecShuffleInfo;{"appId":"app"', value: "{}" },
      { key: 'AppExecShuffleInfo;{"appId":"app","execId":"7"}', value: "null" },
      { key: 'AppExecShuffleInfo;{"appId":"app","execId":"8"}', value: '{"localDirs":[1]}' },
    ]);
    expect(await loaded()).toHaveLength(1);
    expect(errors).toEqual([expect.stringContaining("3 rows cannot be read")]);
  });

  it.each([
    ["CURRENT names nothing", "CURRENT", "garbage"],
    ["CURRENT is empty", "CURRENT", ""],
    ["the manifest is garbage", "MANIFEST", "garbage garbage garbage garbage"],
    ["the manifest is empty", "MANIFEST", ""],
    ["a table is garbage", ".ldb", "garbage"],
  ])("sets a damaged database aside and begins anew: %s", async (_, name, content) => {
    await damage(name, content);
    expect(await loaded()).toEqual([]);
    expect(errors).toEqual([expect.stringMatching(/is damaged .* set aside as .*\.damaged-1/)]);
    const store = await open();
    await store.write([put("9")]);
    await store.close();
    expect(await loaded()).toHaveLength(1);
  });

  it("sets a file aside that stands where the database belongs", async () => {
    await writeFile(path, "a file");
    expect(await loaded()).toEqual([]);
    expect(await readFile(`${path}.damaged-1`, "utf8")).toBe("a file");
  });

  it("makes the folders above the database", async () => {
    path = join(path, "deeper", "registered");
    await mkdir(join(path, ".."), { recursive: true });
    expect(await loaded()).toEqual([]);
  });
});

function open(): Promise<LevelExecutorStore> {
  const opened = LevelExecutorStore.open({ path, files, logger });
  afterwards(() => opened.then((store) => store.close()).catch(() => {}));
  return opened;
}

async function loaded(): Promise<RegisteredExecutor[]> {
  const store = await open();
  const executors: RegisteredExecutor[] = [];
  await store.load((executor) => executors.push(executor));
  await store.close();
  return executors;
}

function put(execId: string): { kind: "put" } & RegisteredExecutor {
  return { kind: "put", appId: "app", execId, info: INFO };
}

async function fill(rows: readonly { key: string; value: string }[]): Promise<void> {
  const database = new ClassicLevel(path);
  await database.batch(rows.map((row) => ({ type: "put" as const, ...row })));
  await database.close();
}

/** Opened once more, so that LevelDB moves its log into a table. */
async function damage(name: string, content: string): Promise<void> {
  const store = await open();
  await store.write([put("1")]);
  await store.close();
  const database = new ClassicLevel(path);
  await database.open();
  await database.compactRange("\0", "\u{10ffff}");
  await database.close();
  const targets = (await readdir(path)).filter((file) => file.includes(name));
  expect(targets).not.toEqual([]);
  for (const file of targets) await writeFile(join(path, file), content);
}
