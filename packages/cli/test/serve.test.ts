import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import type { BlockTransferMessage } from "@bm/shuffle";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  type Connection,
  connect,
  ended,
  killAll,
  runBm,
  type ServeProcess,
  startServe,
} from "./started-serve.ts";

const BLOCK = Buffer.from("the only partition");
const FETCH: BlockTransferMessage = {
  type: "FetchShuffleBlocks",
  appId: "app-1",
  execId: "7",
  shuffleId: 0,
  mapIds: [0n],
  reduceIds: [[0]],
  batchFetchEnabled: false,
};

let root: string;
let connection: Connection | undefined;
const knocked: Socket[] = [];

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "serve-")));
  const index = Buffer.alloc(16);
  index.writeBigInt64BE(BigInt(BLOCK.length), 8);
  await mkdir(join(root, "blockmgr-1", "30"), { recursive: true });
  await mkdir(join(root, "blockmgr-1", "0c"), { recursive: true });
  await writeFile(join(root, "blockmgr-1", "30", "shuffle_0_0_0.index"), index);
  await writeFile(join(root, "blockmgr-1", "0c", "shuffle_0_0_0.data"), BLOCK);
});
afterEach(async () => {
  await connection?.close();
  for (const socket of knocked.splice(0)) socket.destroy();
  killAll();
  vi.unstubAllEnvs();
});
afterAll(() => rm(root, { recursive: true }));

describe("bm serve", () => {
  it("says first what it serves, and ends with 0 when it is told to", async () => {
    const serve = await startServe("--port", "0", "--dir", root);
    expect(serve.printed()).toMatch(/shuffle +port \d+ on every interface/);
    expect(serve.printed()).toContain(`dirs      ${root}`);
    expect(serve.printed()).toContain("security  none");
    expect(serve.printed()).toContain(join(root, "bm-registered-executors.ldb"));
    serve.child.kill("SIGTERM");
    expect(await ended(serve)).toBe(0);
  });

  it("goes on when nobody reads what it says any more", async () => {
    const serve = await startServe("--port", "0", "--dir", root, "--log-level", "debug");
    serve.child.stdout?.destroy();
    serve.child.stderr?.destroy();
    connection = await connect(serve.port);
    await register(connection);
    expect(await connection.chunk(FETCH)).toEqual(BLOCK);
    serve.child.kill("SIGTERM");
    expect(await ended(serve)).toBe(0);
  });

  it("that is killed finds every executor when it starts again", async () => {
    const first = await startServe("--port", "0", "--dir", root);
    connection = await connect(first.port);
    await register(connection);
    expect(await connection.chunk(FETCH)).toEqual(BLOCK);
    first.child.kill("SIGKILL");
    await ended(first);
    await connection.close();

    const second = await startServe(
      "--port",
      String(first.port),
      "--http-port",
      "0",
      "--dir",
      root,
    );
    expect(second.printed()).toContain("1 executors of 1 applications");
    connection = await connect(second.port);
    expect(await connection.chunk(FETCH)).toEqual(BLOCK);
  });

  it("keeps each registration that was answered before it was killed", async () => {
    const first = await startServe("--port", "0", "--dir", root);
    connection = await connect(first.port);
    const { ask } = connection;
    const answered: string[] = [];
    const registrations = Array.from({ length: 300 }, async (_, index) => {
      await ask(registration(`many-${index}`));
      answered.push(`many-${index}`);
      if (answered.length === 100) first.child.kill("SIGKILL");
    });
    await Promise.allSettled(registrations);
    await connection.close();
    expect(answered.length).toBeGreaterThanOrEqual(100);

    const second = await startServe("--port", "0", "--dir", root);
    connection = await connect(second.port);
    const execIds = answered;
    const answer = await connection.ask({
      type: "GetLocalDirsForExecutors",
      appId: "app-1",
      execIds,
    });
    expect(answer).toMatchObject({ type: "LocalDirsForExecutors" });
  });

  it("answers health checks and shows its figures", async () => {
    const serve = await startServe("--port", "0", "--dir", root, "--set", "spark.local.dir=/none");
    connection = await connect(serve.port);
    await register(connection);
    await connection.chunk(FETCH);
    expect(await get(serve, "/healthz")).toEqual([200, "ok\n"]);
    expect(await get(serve, "/readyz")).toEqual([200, "ready\n"]);
    expect((await get(serve, "/nothing"))[0]).toBe(404);
    const [status, text] = await get(serve, "/metrics");
    expect(status).toBe(200);
    expect(text).toContain("metrics_shuffleService_blockTransferRate_Count 1\n");
    expect(text).toContain(`metrics_shuffleService_blockTransferRateBytes_Count ${BLOCK.length}\n`);
    expect(text).toMatch(/metrics_shuffleService_registeredExecutorsSize_Value \d+\n/);
    expect(text).toContain("metrics_shuffleService_registerExecutorRequestLatencyMillis_Count 1\n");
    expect(text).toContain("metrics_shuffleService_numActiveConnections_Count 1\n");
    for (const quota of ["lookups", "sending", "streams"]) {
      expect(text).toContain(`bm_shuffle_quota_waiting{quota="${quota}"} 0\n`);
    }
  });

  it("serves from an event loop for two cores, at most four, unless it is told otherwise", async () => {
    const count = Math.min(Math.ceil(availableParallelism() / 2), 4);
    const loops = (n: number): string => (n === 1 ? "one event loop" : `${n} event loops`);
    const byItself = await startServe("--port", "0", "--dir", root);
    expect(byItself.printed()).toContain(`on every interface, ${loops(count)}`);

    const conf = join(root, "threads.conf");
    await writeFile(conf, "bm.service.threads 3");
    const told = await startServe("--port", "0", "--conf", conf, "--db", join(root, "told.ldb"));
    expect(told.printed()).toContain("on every interface, 3 event loops");
  });

  it.skipIf(process.platform !== "linux")(
    "keeps the young generation of V8 small, in the process that was started",
    async () => {
      const { child, printed } = await startServe("--port", "0", "--dir", root);
      expect(printed()).toContain(`process ${child.pid}\n`);
      expect(await nodeFlags(child)).toContain("--max-semi-space-size=8");
    },
  );

  it.skipIf(process.platform !== "linux")("leaves an operator's own flag alone", async () => {
    vi.stubEnv("NODE_OPTIONS", "--max-semi-space-size=16");
    const { child } = await startServe("--port", "0", "--dir", root);
    expect(await nodeFlags(child)).toEqual(["--conditions=@bm/source"]);
  });

  it("serves from several event loops, and counts them together", async () => {
    const serve = await startServe("--port", "0", "--threads", "3", "--dir", root);
    expect(serve.printed()).toMatch(/shuffle +port \d+ on every interface, 3 event loops/);
    connection = await connect(serve.port);
    await register(connection);
    for (let reader = 0; reader < 16; reader += 1) {
      const other = await connect(serve.port);
      expect(await other.chunk(FETCH)).toEqual(BLOCK);
      await other.close();
    }
    const [, text] = await get(serve, "/metrics");
    expect(text).toContain("metrics_shuffleService_blockTransferRate_Count 16\n");
    expect(text).toContain("bm_shuffle_event_loops 3\n");
    serve.child.kill("SIGTERM");
    expect(await ended(serve)).toBe(0);
  });

  it("takes no connection before it serves", async () => {
    const before = await startServe("--port", "0", "--dir", root);
    before.child.kill("SIGKILL");
    await ended(before);
    const address = ["--port", String(before.port), "--http-port", "0"];
    let lost = 0;
    const starting = startServe(...address, "--threads", "2", "--dir", root);
    const isStarted = starting.then(() => true);
    while (!(await Promise.race([isStarted, knock(before.port, () => (lost += 1))])));
    expect(lost).toBe(0);
  });

  it("reads Spark's own configuration, and flags win over it", async () => {
    const conf = join(root, "spark-defaults.conf");
    const lines = [
      "# of the cluster",
      "spark.shuffle.service.port   1",
      `spark.local.dir              ${root}`,
      "spark.shuffle.service.index.cache.size=1m",
      "spark.unknown.key            some value",
    ];
    await writeFile(conf, lines.join("\n"));
    const serve = await startServe("--conf", conf, "--port", "0", "--no-http");
    expect(serve.printed()).toContain(`dirs      ${root}`);
    expect(serve.printed()).toContain("1m of indexes");
    expect(serve.printed()).toContain("http      off");
  });

  it.each([
    ["authentication", ["--set", "spark.authenticate=true"], "spark.authenticate=true"],
    ["TLS", ["--set", "spark.ssl.rpc.enabled=true"], "spark.ssl.rpc.enabled=true"],
    ["a missing directory", ["--dir", join(tmpdir(), "no-such-dir")], "there is no such directory"],
    ["a missing conf file", ["--conf", "no-such.conf"], "--conf no-such.conf"],
    ["a value that cannot be read", ["--set", "bm.service.lookups.max=many"], "whole number"],
    ["a pair without a value", ["--set", "spark.a"], "KEY=VALUE"],
    ["a port that is none", ["--port", "70000"], "0 to 65535"],
  ])("refuses %s with one line", async (_, args, text) => {
    const result = await runBm("serve", ...args);
    expect(result.code).toBe(1);
    expect(result.text.trim().split("\n")).toHaveLength(1);
    expect(result.text).toContain(text);
  });

  it("refuses a port that is taken with one line", async () => {
    const { port } = await startServe("--port", "0", "--dir", root);
    const other = await mkdtemp(join(root, "other-"));
    const result = await runBm("serve", "--port", String(port), "--dir", other);
    expect(result.code).toBe(1);
    expect(result.text).toMatch(/^bm: Cannot listen on .*the address is in use \(EADDRINUSE\)\n$/);
  });

  it("explains itself", async () => {
    const { code, text } = await runBm("serve", "--help");
    expect(code).toBe(0);
    expect(text).toContain("spark.shuffle.service.enabled  true");
  });
});

/** Connects to whoever listens, and tells when such a connection is ended by the other side. */
async function knock(port: number, onLost: () => void): Promise<false> {
  const socket = createConnection(port, "127.0.0.1");
  await Promise.race([once(socket, "connect"), once(socket, "error")]).catch(() => {});
  if (!socket.destroyed) {
    socket.once("end", onLost).once("error", onLost).resume();
    knocked.push(socket);
  }
  return false;
}

async function register({ ask }: Connection): Promise<void> {
  await ask(registration("7"));
}

function registration(execId: string): BlockTransferMessage {
  const localDirs = [join(root, "blockmgr-1")];
  const executorInfo = { localDirs, subDirsPerLocalDir: 64, shuffleManager: "sort" };
  return { type: "RegisterExecutor", appId: "app-1", execId, executorInfo };
}

async function nodeFlags({ pid }: ChildProcess): Promise<string[]> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8");
  const words = commandLine.split("\0").slice(1);
  return words.slice(
    0,
    words.findIndex((word) => !word.startsWith("-")),
  );
}

async function get({ http }: ServeProcess, path: string): Promise<[number, string]> {
  const response = await fetch(`http://${http}${path}`);
  return [response.status, await response.text()];
}
