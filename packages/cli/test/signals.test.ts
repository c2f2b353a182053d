import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlockTransferMessage } from "@bm/shuffle";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type Connection,
  connect,
  ended,
  killAll,
  type ServeProcess,
  startServe,
} from "./started-serve.ts";

const BLOCK_BYTES = 32 * 1024 * 1024;

let root: string;
let conf: string;
let serve: ServeProcess;
let connections: Connection[];

beforeEach(async () => {
  connections = [];
  root = await realpath(await mkdtemp(join(tmpdir(), "signals-")));
  conf = join(root, "spark-defaults.conf");
  // Where Spark's hash of the name puts it.
  await mkdir(join(root, "14"));
  await writeFile(join(root, "14", "rdd_0_0"), Buffer.alloc(BLOCK_BYTES));
});
afterEach(async () => {
  killAll();
  await Promise.all(connections.map(({ close }) => close()));
  await rm(root, { recursive: true, force: true });
});

async function start(...lines: readonly string[]): Promise<void> {
  await writeConf(...lines);
  serve = await startServe("--port", "0", "--dir", root, "--conf", conf);
}

function writeConf(...lines: readonly string[]): Promise<void> {
  return writeFile(conf, lines.join("\n"));
}

/** A connection with a registered executor. */
async function reader(): Promise<Connection> {
  const connection = await connect(serve.port);
  connections.push(connection);
  const executorInfo = { localDirs: [root], subDirsPerLocalDir: 64, shuffleManager: "sort" };
  await connection.ask({ type: "RegisterExecutor", appId: "app", execId: "1", executorInfo });
  return connection;
}

const OPEN: BlockTransferMessage = {
  type: "OpenBlocks",
  appId: "app",
  execId: "1",
  blockIds: ["rdd_0_0"],
};

async function get(path: string): Promise<string> {
  const response = await fetch(`http://${serve.http}${path}`);
  return response.text();
}

describe("SIGHUP", () => {
  it("brings new limits into force, and names what has to wait for a restart", async () => {
    await start("bm.service.log.level warn", "spark.executor.memory 1g");
    await writeConf(
      "bm.service.application.openStreams.max 1",
      "bm.service.log.level debug",
      "spark.shuffle.io.connectionTimeout 60s",
      "spark.executor.memory 2g",
    );
    serve.child.kill("SIGHUP");
    await expect.poll(serve.printed).toContain("in force when the service starts again");
    expect(serve.printed()).toContain(
      `read ${conf} again, now in force: bm.service.application.openStreams.max, bm.service.log.level\n`,
    );
    expect(serve.printed()).toContain(
      "spark.shuffle.io.connectionTimeout: in force when the service starts again",
    );
    const connection = await reader();
    await connection.ask(OPEN);
    const second = connection.ask(OPEN);
    second.catch(() => {});
    await expect
      .poll(() => get("/metrics"))
      .toContain('bm_shuffle_quota_waiting{quota="streams"} 1');
    await writeConf();
    serve.child.kill("SIGHUP");
    expect(await second).toMatchObject({ type: "StreamHandle" });
  });

  it.each([
    ["a value that cannot be read", "bm.service.lookups.max many"],
    ["an unknown key of ours", "bm.service.lookup.max 1"],
    ["an unknown level", "bm.service.log.level loud"],
    ["what is not served", "spark.ssl.rpc.enabled true"],
  ])("with %s changes nothing", async (_, line) => {
    await start();
    await writeConf("bm.service.application.openStreams.max 1", line);
    serve.child.kill("SIGHUP");
    await expect.poll(serve.printed).toMatch(/ERROR read .* every setting stays\n/);
    const connection = await reader();
    await connection.ask(OPEN);
    expect(await connection.ask(OPEN)).toMatchObject({ type: "StreamHandle" });
  });

  it("without a file, or when it is gone, changes nothing", async () => {
    await start();
    await rm(conf);
    serve.child.kill("SIGHUP");
    await expect.poll(serve.printed).toContain("every setting stays");
    expect(await get("/readyz")).toBe("ready\n");
  });
});

describe("SIGTERM", () => {
  it("lets what runs finish, while nothing new is taken", async () => {
    await start();
    const connection = await reader();
    const handle = await connection.ask(OPEN);
    connection.pause();
    const block = connection.fetch(handle);
    await expect.poll(() => get("/metrics")).toContain("bm_shuffle_chunks_being_sent 1");
    serve.child.kill("SIGTERM");
    await expect.poll(() => get("/readyz")).toBe("draining\n");
    await expect(connect(serve.port)).rejects.toThrow(/connect/i);
    connection.resume();
    expect((await block).length).toBe(BLOCK_BYTES);
    expect(await ended(serve)).toBe(0);
    expect(serve.printed()).toContain("SIGTERM: no more connections, finishing what runs\n");
  });

  it("a second time ends at once, whatever runs", async () => {
    await start();
    const connection = await reader();
    const handle = await connection.ask(OPEN);
    connection.pause();
    connection.fetch(handle).catch(() => {});
    await expect.poll(() => get("/metrics")).toContain("bm_shuffle_chunks_being_sent 1");
    serve.child.kill("SIGTERM");
    await expect.poll(() => get("/readyz")).toBe("draining\n");
    serve.child.kill("SIGTERM");
    expect(await ended(serve)).toBe(0);
  });
});
