import { existsSync } from "node:fs";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Logger, nodePlatform } from "@bm/transport";
import { ManualClock } from "@bm/transport/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  cleanOrphans,
  type DirectoryTree,
  type ExternalShuffleService,
  nodeDirectoryTree,
  type Orphan,
} from "../../src/index.ts";
import {
  APP,
  Asker,
  afterwards,
  endAll,
  startService,
  temporaryDirectory,
} from "./service-under-test.ts";

const { files, network, random } = nodePlatform();
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const UUID = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
const OTHER = "ffffffff-0000-1111-2222-333333333333";

const EXECUTOR = `spark-${UUID}/executor-${UUID}`;
const DELETING = { "bm.service.cleanup.delete": "true" };

let root: string;
let lines: string[];

beforeEach(async () => {
  root = await temporaryDirectory();
  lines = [];
});
afterEach(endAll);

/** Makes files of ten bytes under the root. */
async function lay(...paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), "ten bytes.");
  }
}

/** Looks at the root as if it were so many days later. */
async function clean(
  days: number,
  policy: { keepBytes?: number; isDeleting?: boolean } = { isDeleting: true },
  owned: readonly string[] = [],
  tree: DirectoryTree = nodeDirectoryTree,
): Promise<Orphan[]> {
  const orphans: Orphan[] = [];
  await cleanOrphans({
    tree,
    roots: [root],
    ownedDirectories: () => owned,
    nowMs: () => Date.now() + days * DAY_MS,
    policy: { ageMs: 7 * DAY_MS, keepBytes: 0, isDeleting: false, ...policy },
    onOrphan: (orphan) => orphans.push(orphan),
    onUnreadable: () => {},
  });
  return orphans;
}

function outcomes(orphans: readonly Orphan[]): Record<string, string> {
  const byPath = orphans.map(({ outcome, path }) => [path.slice(root.length + 1), outcome]);
  return Object.fromEntries(byPath) as Record<string, string>;
}

describe("what is cleaned", () => {
  it.each([
    ["an executor's directory", EXECUTOR, `blockmgr-${UUID}/0c/shuffle_0_0_0.data`],
    ["blocks of a driver", `blockmgr-${UUID}`, "0c/rdd_1_1"],
    ["blocks in a directory of an application", `spark-${UUID}/blockmgr-${UUID}`, "0c/rdd_1_1"],
    ["merged shuffles", "merge_manager", "0c/shuffleMerged_a_0_0_0.data"],
    [
      "merged shuffles of an attempt on YARN",
      "usercache/ann/appcache/application_1700000000000_0001/merge_manager_2",
      "0c/shuffleMerged_a_0_0_0.data",
    ],
    [
      "blocks of a container on YARN",
      `usercache/ann/appcache/application_1700000000000_0001/blockmgr-${UUID}`,
      "0c/rdd_1_1",
    ],
  ])("is %s, and what is around it stays", async (_, orphan, file) => {
    await lay(`${orphan}/${file}`);
    const [found] = await clean(8);
    expect(found).toMatchObject({ outcome: "deleted", bytes: 10, entries: 1 });
    expect(outcomes([found!])).toEqual({ [orphan]: "deleted" });
    expect(existsSync(join(root, orphan))).toBe(false);
    expect(existsSync(dirname(join(root, orphan)))).toBe(true);
  });

  it.each([
    "important/file",
    "blockmgr/file",
    "blockmgr-1/file",
    `blockmgr-${UUID}x/file`,
    `blockmgr-${UUID.toUpperCase()}/file`,
    `executor-${UUID}/file`,
    `spark-${UUID}/userFiles-${UUID}/app.jar`,
    `spark-${UUID}/file`,
    `deeper/blockmgr-${UUID}/file`,
    `spark-${UUID}/spark-${UUID}/executor-${UUID}/file`,
    "merge_manager_x/file",
    "merge_manager.old/file",
    `usercache/ann/blockmgr-${UUID}/file`,
    `usercache/ann/appcache/other/blockmgr-${UUID}/file`,
    "bm-registered-executors.ldb/000003.log",
  ])("is nothing of another shape: %s", async (path) => {
    await lay(path);
    expect(await clean(10_000)).toEqual([]);
    expect(existsSync(join(root, path))).toBe(true);
  });

  it("is nothing that is a file under the name of a directory, or holds no file", async () => {
    await writeFile(join(root, `blockmgr-${UUID}`), "a file");
    await mkdir(join(root, `blockmgr-${OTHER}`, "0c"), { recursive: true });
    expect(await clean(8)).toEqual([]);
  });

  it("is nothing in which anything is younger than the age", async () => {
    await lay(`${EXECUTOR}/blockmgr-${UUID}/0c/rdd_1_1`);
    expect(await clean(6)).toEqual([]);
    expect(await clean(-1)).toEqual([]);
    expect(outcomes(await clean(8, { isDeleting: false }))).toEqual({ [EXECUTOR]: "found" });
    expect(existsSync(join(root, EXECUTOR))).toBe(true);
  });

  it("keeps the most recently touched up to a size", async () => {
    const [first, second, third] = [UUID, OTHER, UUID.replace("0", "1")].map(
      (uuid) => `blockmgr-${uuid}`,
    ) as [string, string, string];
    for (const path of [first, second, third]) {
      await lay(`${path}/0c/rdd_1_1`);
      // A file system may tell times in steps of ten milliseconds.
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    expect(outcomes(await clean(8, { isDeleting: true, keepBytes: 25 }))).toEqual({
      [first]: "deleted",
      [second]: "kept",
      [third]: "kept",
    });
  });
});

describe("what somebody owns", () => {
  const file = `${EXECUTOR}/blockmgr-${UUID}/0c/rdd_1_1`;

  it.each([
    ["a directory in it", `${EXECUTOR}/blockmgr-${UUID}`],
    ["itself", EXECUTOR],
    ["the directory around it", `spark-${UUID}`],
    ["the root", ""],
  ])("is left alone: %s", async (_, owned) => {
    await lay(file);
    expect(await clean(10_000, { isDeleting: true }, [join(root, owned)])).toEqual([]);
    expect(existsSync(join(root, file))).toBe(true);
  });

  it("is left alone when its owner names it through a link", async () => {
    await lay(file);
    await symlink(join(root, `spark-${UUID}`), join(root, "link"));
    const owned = [join(root, "link", `executor-${UUID}`, `blockmgr-${UUID}`)];
    expect(await clean(10_000, { isDeleting: true }, owned)).toEqual([]);
  });

  it("keeps merged shuffles beside it, and not those of others", async () => {
    const application = "usercache/ann/appcache/application_1_1";
    await lay(`${application}/merge_manager_1/00/x.data`, "merge_manager_1/00/x.data");
    const owned = [join(root, application, `blockmgr-${UUID}`)];
    expect(outcomes(await clean(8, { isDeleting: true }, owned))).toEqual({
      merge_manager_1: "deleted",
    });
  });

  it("includes what a running process was told to use", async () => {
    await lay(file);
    const directoriesOfProcesses = (): Promise<string[]> => Promise.resolve([join(root, EXECUTOR)]);
    const tree = { ...nodeDirectoryTree, directoriesOfProcesses };
    expect(await clean(8, { isDeleting: true }, [], tree)).toEqual([]);
  });

  it("is everything when it cannot be known", async () => {
    await lay(file);
    const realPath = (path: string): Promise<string | null> =>
      path.endsWith("owned") ? Promise.reject(new Error("EIO")) : nodeDirectoryTree.realPath(path);
    const tree = { ...nodeDirectoryTree, realPath };
    await expect(clean(8, { isDeleting: true }, [join(root, "owned")], tree)).rejects.toThrow(
      "EIO",
    );
    expect(existsSync(join(root, file))).toBe(true);
  });
});

describe("links", () => {
  it("are not followed on the way to an orphan, or in one", async () => {
    const outside = await temporaryDirectory();
    const precious = join(outside, `executor-${UUID}`, "precious");
    await mkdir(dirname(precious));
    await writeFile(precious, "precious");
    await symlink(outside, join(root, `spark-${UUID}`));
    await symlink(join(outside, `executor-${UUID}`), join(root, `blockmgr-${UUID}`));
    await lay(`blockmgr-${OTHER}/0c/rdd_1_1`);
    await symlink(outside, join(root, `blockmgr-${OTHER}`, "0c", "link"));
    expect(outcomes(await clean(8))).toEqual({ [`blockmgr-${OTHER}`]: "deleted" });
    expect(existsSync(precious)).toBe(true);
  });

  it("that took the place of a step meanwhile save what they lead to", async () => {
    await lay(`${EXECUTOR}/blockmgr-${UUID}/0c/rdd_1_1`);
    let looks = 0;
    const realPath = async (path: string): Promise<string | null> => {
      if (path.endsWith(EXECUTOR)) looks += 1;
      return path.endsWith(EXECUTOR) ? "/elsewhere" : nodeDirectoryTree.realPath(path);
    };
    const orphans = await clean(8, { isDeleting: true }, [], { ...nodeDirectoryTree, realPath });
    expect(outcomes(orphans)).toEqual({ [EXECUTOR]: "spared" });
    expect(looks).toBe(1);
  });
});

describe("a service", () => {
  let clock: ManualClock;
  let service: ExternalShuffleService;

  async function start(conf: Record<string, string> = {}): Promise<void> {
    clock = new ManualClock({ wallTimeMs: Date.now() });
    const log = (line: string): unknown => lines.push(line);
    const logger: Logger = { debug: () => {}, info: log, warn: log, error: log };
    const platform = { clock, files, network, random };
    service = await startService({ platform, roots: [root], conf, logger });
  }

  /** A clock that jumps does no work in between: each day has a look of its own. */
  async function passDays(count: number): Promise<void> {
    clock.advance(count * DAY_MS);
    await service.parts.orphans.runOnce();
  }

  it("reports each orphan once and deletes none of them, unless it is told to", async () => {
    await lay(`${EXECUTOR}/blockmgr-${UUID}/0c/rdd_1_1`);
    await start();
    await passDays(8);
    await passDays(1);
    expect(lines.filter((line) => line.includes("orphan"))).toEqual([
      `orphan, would be deleted: ${join(root, EXECUTOR)}, an executor's directory, 10 bytes in 1 file, untouched for 8 d`,
    ]);
    expect(service.parts.orphans.left).toEqual({ count: 1, bytes: 10 });
    expect(existsSync(join(root, EXECUTOR))).toBe(true);
  });

  it("deletes when it is told to, except what its executors registered", async () => {
    const registered = `spark-${OTHER}/executor-${OTHER}/blockmgr-${OTHER}`;
    await lay(`${EXECUTOR}/blockmgr-${UUID}/0c/rdd_1_1`, `${registered}/0c/rdd_1_1`);
    await start(DELETING);
    const asker = await Asker.connect(service.port);
    await asker.register("1", [join(root, registered)]);
    await passDays(8);
    expect(await readdir(root)).toEqual(expect.arrayContaining([`spark-${UUID}`]));
    expect(existsSync(join(root, EXECUTOR))).toBe(false);
    expect(existsSync(join(root, registered, "0c/rdd_1_1"))).toBe(true);
    expect(service.parts.orphans.deleted).toEqual({ count: 1, bytes: 10 });
    expect(lines.join("\n")).toContain(`orphan deleted: ${join(root, EXECUTOR)}`);
    expect(service.parts.registry.executorsOf(APP).size).toBe(1);
  });

  it("looks by itself every hour", async () => {
    await lay(`blockmgr-${UUID}/0c/rdd_1_1`);
    await start(DELETING);
    clock.advance(8 * DAY_MS);
    await expect.poll(() => existsSync(join(root, `blockmgr-${UUID}`))).toBe(false);
  });

  it("refuses to delete what is younger than an hour", async () => {
    const conf = { ...DELETING, "bm.service.cleanup.age": "59min" };
    await expect(startService({ conf })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });
});

describe("a process", () => {
  it("that runs is asked where it was told to write", async () => {
    const { spawn } = await import("node:child_process");
    const env = { ...process.env, SPARK_EXECUTOR_DIRS: join(root, EXECUTOR) };
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { env });
    afterwards(() => child.kill());
    await expect
      .poll(() => nodeDirectoryTree.directoriesOfProcesses())
      .toContain(join(root, EXECUTOR));
  });
});
