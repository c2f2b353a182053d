import { existsSync } from "node:fs";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connect, ended, killAll, runBm, startServe } from "./started-serve.ts";

const EXECUTOR = "spark-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9/executor-";
const OWNED = `${EXECUTOR}00000000-0000-0000-0000-000000000000`;
const ORPHAN = `${EXECUTOR}11111111-1111-1111-1111-111111111111`;

let root: string;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "clean-")));
  for (const directory of [OWNED, ORPHAN]) {
    await mkdir(join(root, directory, "blockmgr", "0c"), { recursive: true });
    await writeFile(join(root, directory, "blockmgr", "0c", "rdd_1_1"), "ten bytes.");
  }
});
afterEach(async () => {
  killAll();
  await rm(root, { recursive: true, force: true });
});

/** A service with one executor, in the first directory. */
async function serve(): ReturnType<typeof startServe> {
  const service = await startServe("--port", "0", "--dir", root);
  const { ask, close } = await connect(service.port);
  const localDirs = [join(root, OWNED, "blockmgr")];
  const executorInfo = { localDirs, subDirsPerLocalDir: 64, shuffleManager: "sort" };
  await ask({ type: "RegisterExecutor", appId: "app-1", execId: "1", executorInfo });
  await close();
  return service;
}

describe("bm clean", () => {
  it("finds nothing that is younger than a week, unless it is told to", async () => {
    expect(await runBm("clean", "--dir", root)).toEqual({ code: 0, text: "no orphans\n" });
  });

  it("says what it would delete, and deletes it when told to, but nothing registered", async () => {
    const service = await serve();
    const args = ["clean", "--dir", root, "--older-than", "0s", "--service"];
    const dry = await runBm(...args, `http://${service.http}`);
    expect(dry.code).toBe(0);
    expect(dry.text).toContain(`orphan, would be deleted: ${join(root, ORPHAN)}`);
    expect(dry.text).toContain("orphans: 1 would be deleted with --delete (10 bytes)\n");
    expect(existsSync(join(root, ORPHAN))).toBe(true);
    const real = await runBm(...args, `http://${service.http}`, "--delete");
    expect(real.text).toContain(`orphan deleted: ${join(root, ORPHAN)}`);
    expect(existsSync(join(root, ORPHAN))).toBe(false);
    expect(existsSync(join(root, OWNED))).toBe(true);
  });

  it("reads the database of a service that does not run, and only then", async () => {
    const service = await serve();
    const args = ["clean", "--dir", root, "--older-than", "0s", "--delete"];
    const refused = await runBm(...args);
    expect(refused.code).toBe(1);
    expect(refused.text).toContain("another process uses it (if a service is running, name it");
    service.child.kill("SIGTERM");
    await ended(service);
    expect((await runBm(...args)).text).toContain("orphans: 1 deleted (10 bytes)\n");
    expect(existsSync(join(root, OWNED))).toBe(true);
  });

  it("deletes nothing beside a database of Spark's own service", async () => {
    await mkdir(join(root, "registeredExecutors.rdb"));
    const args = ["clean", "--dir", root, "--older-than", "0s"];
    expect((await runBm(...args, "--delete")).text).toContain("is of Spark's own service");
    expect((await runBm(...args)).text).toContain("orphans: 2 would be deleted");
  });

  it.each([
    ["a missing directory", ["--dir", "/no/such/directory"], "there is no such directory"],
    ["a time that is none", ["--dir", tmpdir(), "--older-than", "soon"], "--older-than soon"],
    ["a size that is none", ["--dir", tmpdir(), "--keep", "-1"], "--keep -1"],
    [
      "a service that is not there",
      ["--dir", tmpdir(), "--service", "http://127.0.0.1:1"],
      "fetch",
    ],
    ["a missing database", ["--dir", tmpdir(), "--db", "/no/db"], "there is no such database"],
  ])("refuses %s with one line", async (_, args, text) => {
    const result = await runBm("clean", ...args);
    expect(result.code).toBe(1);
    expect(result.text).toContain(text);
    expect(result.text.trim().split("\n")).toHaveLength(1);
  });
});
