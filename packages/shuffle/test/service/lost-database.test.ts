import { execFileSync } from "node:child_process";
import { mkdir, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BytesManagedBuffer, type Logger, nodePlatform } from "@bm/transport";
import { ManualClock } from "@bm/transport/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type ExternalShuffleService,
  encodeBlockTransferMessage,
  LevelExecutorStore,
  LevelRows,
} from "../../src/index.ts";
import {
  APP,
  Asker,
  afterwards,
  endAll,
  failureOf,
  startService,
  temporaryDirectory,
} from "./service-under-test.ts";

const { files, network, random } = nodePlatform();
const MERGING = {
  "spark.shuffle.push.server.mergedShuffleFileManagerImpl":
    "org.apache.spark.network.shuffle.RemoteBlockPushResolver",
};
const WATCH_MS = 10_000;
const LOOK_MS = 1000;
const MOUNT = "mount";
const UNMOUNT = "umount";

let root: string;
let database: string;
let clock: ManualClock;
let service: ExternalShuffleService;
let asker: Asker;
let lines: string[];

beforeEach(async () => {
  root = await temporaryDirectory();
  database = join(root, "db");
  lines = [];
});
afterEach(endAll);

async function start(): Promise<void> {
  const log = (line: string): unknown => lines.push(line);
  const logger: Logger = { debug: () => {}, info: log, warn: log, error: log };
  clock = new ManualClock();
  service = await startService({
    conf: MERGING,
    roots: [root],
    platform: { clock, files, network, random },
    store: await LevelExecutorStore.open({ path: database, files, logger, clock }),
    mergeStore: await LevelRows.open({ path: `${database}-merged`, files, logger, clock }),
    logger,
  });
  asker = await Asker.connect(service.port);
}

async function known(): Promise<string[]> {
  await service.close();
  await start();
  return [...service.parts.registry.executorsOf(APP).keys()].toSorted();
}

describe("a database that is deleted while it is used", () => {
  beforeEach(async () => {
    await start();
    for (const execId of ["1", "2"]) await asker.register(execId, [join(root, execId)]);
  });

  it("is written anew by the next registration, with everything that is known", async () => {
    await rm(database, { recursive: true });
    clock.advance(LOOK_MS);
    await asker.register("3", [join(root, "3")]);
    expect(lines.join("\n")).toContain("was deleted while it was used; it was written anew");
    // Not closed: what is on disk now is what a kill leaves.
    await rm(`${database}/LOCK`, { force: true });
    expect(await known()).toEqual(["1", "2", "3"]);
  });

  it("is written anew within ten seconds when nobody registers", async () => {
    await rm(database, { recursive: true });
    clock.advance(WATCH_MS);
    await expect.poll(() => lines.join("\n")).toContain("with the 2 rows that are known");
    expect(await known()).toEqual(["1", "2"]);
  });

  it.each(["", "MANIFEST-999999\n", "\0\0\0\0"])(
    "or whose first file is written over with %j, too",
    async (content) => {
      await writeFile(join(database, "CURRENT"), content);
      clock.advance(WATCH_MS);
      await expect.poll(() => lines.join("\n")).toContain("with the 2 rows that are known");
      expect(lines.join("\n")).toContain(`it was set aside as ${database}.damaged-1`);
      expect(await known()).toEqual(["1", "2"]);
    },
  );

  it("is written anew at the end at the latest", async () => {
    await rm(database, { recursive: true });
    expect(await known()).toEqual(["1", "2"]);
  });

  it("keeps what was merged", async () => {
    const shuffleManager = 'sort:{"mergeDir":"merge_manager"}';
    const executorInfo = { localDirs: [join(root, "b")], subDirsPerLocalDir: 64, shuffleManager };
    await asker.ask({ type: "RegisterExecutor", appId: APP, execId: "m", executorInfo });
    const ids = { appId: APP, appAttemptId: -1, shuffleMergeId: 0 };
    await asker.ask({ type: "FinalizeShuffleMerge", ...ids, shuffleId: 0 });
    await rm(`${database}-merged`, { recursive: true });
    clock.advance(LOOK_MS);
    await asker.ask({ type: "FinalizeShuffleMerge", ...ids, shuffleId: 1 });
    await known();
    for (const shuffleId of [0, 1]) {
      const again = asker.ask({ type: "FinalizeShuffleMerge", ...ids, shuffleId });
      expect(await failureOf(again)).toContain("stale shuffle finalize request");
    }
  });
});

/** A disk of a megabyte, in memory; only the superuser of a Linux may have one. */
const canMount = process.platform === "linux" && process.getuid?.() === 0 && tryMount();

function tryMount(): boolean {
  try {
    execFileSync(MOUNT, ["-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt"], { stdio: "ignore" });
    execFileSync(UNMOUNT, ["/mnt"]);
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!canMount)("a disk that is full", () => {
  let disk: string;
  let filler: string;

  beforeEach(async () => {
    disk = join(root, "disk");
    filler = join(disk, "filler");
    await mkdir(disk);
    execFileSync(MOUNT, ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]);
    afterwards(() => execFileSync(UNMOUNT, ["-l", disk]));
    database = join(disk, "db");
    for (let sub = 0; sub < 64; sub += 1) {
      const name = sub.toString(16).padStart(2, "0");
      await mkdir(join(disk, "merge_manager", name), { recursive: true });
    }
    await start();
    await asker.register("1", [join(root, "1")]);
  });

  /** Takes every block of the disk. */
  async function fill(): Promise<void> {
    const { bavail, bsize } = await statfs(disk);
    await writeFile(filler, Buffer.alloc(bavail * bsize));
  }

  function registerLarge(execId: string): Promise<unknown> {
    const shuffleManager = "x".repeat(16 * 1024);
    const executorInfo = { localDirs: [join(root, "x")], subDirsPerLocalDir: 64, shuffleManager };
    return asker.ask({ type: "RegisterExecutor", appId: APP, execId, executorInfo });
  }

  it("refuses registrations, serves the others, and takes them again when there is room", async () => {
    await fill();
    const failures: string[] = [];
    // What the database has reserved is used up first.
    for (let at = 0; at < 2000 && failures.length === 0; at += 1) {
      const failure = await failureOf(registerLarge(`more-${at}`));
      if (failure !== "no failure") failures.push(failure);
    }
    expect(failures[0]).toMatch(/the recovery database .* cannot be written: .*No space left/);
    expect(lines.join("\n")).toContain(
      "what comes is refused until it can, what is known is served",
    );
    const dirs = { type: "GetLocalDirsForExecutors", appId: APP, execIds: ["1"] } as const;
    expect(await asker.ask(dirs)).toMatchObject({ type: "LocalDirsForExecutors" });
    await rm(filler);
    await asker.register("2", [join(root, "2")]);
    expect(lines.join("\n")).toContain("can be written again");
    expect(await known()).toEqual(expect.arrayContaining(["1", "2"]));
  });

  it("fails pushed blocks that do not fit, and gives out exactly the others", async () => {
    const shuffleManager = 'sort:{"mergeDir":"merge_manager"}';
    const localDirs = [join(disk, "blockmgr-1")];
    const executorInfo = { localDirs, subDirsPerLocalDir: 64, shuffleManager };
    await asker.ask({ type: "RegisterExecutor", appId: APP, execId: "m", executorInfo });
    const ids = { appId: APP, appAttemptId: -1, shuffleId: 0, shuffleMergeId: 0 };
    const pushed: number[] = [];
    const push = async (mapIndex: number): Promise<void> => {
      const type = "PushBlockStream";
      const header = encodeBlockTransferMessage({ type, ...ids, mapIndex, reduceId: 0, index: 0 });
      const body = new BytesManagedBuffer(Buffer.alloc(64 * 1024, mapIndex + 1));
      const pusher = await Asker.connect(service.port);
      await pusher.client.uploadStream(header, body);
      pushed.push(mapIndex);
    };
    await push(0);
    await push(1);
    await fill();
    const refused = await failureOf(push(2));
    expect(refused).not.toBe("no failure");
    await rm(filler);
    await push(3);
    const statuses = await asker.ask({ type: "FinalizeShuffleMerge", ...ids });
    expect(statuses).toMatchObject({ sizes: [BigInt(pushed.length * 64 * 1024)] });
    const lists = { reduceIds: [0], chunkIds: [[0]] };
    const execId = "shuffle-push-merger";
    const chunks = { type: "FetchShuffleBlockChunks", ...ids, execId, ...lists } as const;
    const { streamId } = await asker.open(chunks);
    const bytes = await asker.chunk(streamId, 0);
    const expected = [0, 1, 3].map((mapIndex) => Buffer.alloc(64 * 1024, mapIndex + 1));
    expect(bytes.equals(Buffer.concat(expected))).toBe(true);
  });
});

if (!canMount) console.warn("A full disk is not tested: only root may mount one.");
