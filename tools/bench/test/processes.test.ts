import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { buildJvmPeer, missingTools } from "@bm/interop";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunReport } from "../src/report/run-report.ts";
import type { Outcome } from "../src/suites/workload.ts";

const MAIN = join(import.meta.dirname, "..", "src", "main.ts");
const NODE_ARGS = ["--conditions=@bm/source", MAIN];
const missing = await missingTools();

/** Runs the command to its end and gives what it wrote. */
async function bench(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [...NODE_ARGS, ...args]);
  return stdout;
}

/** Starts `bench server`, runs `use` with its port, and stops it. */
async function withServer(
  kind: string,
  directory: string,
  use: (port: string) => Promise<void>,
): Promise<void> {
  const args = ["server", "--kind", kind, "--port", "0", "--files", directory];
  const child = spawn(process.execPath, [...NODE_ARGS, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  try {
    const lines = createInterface({ input: child.stdout });
    const port = await new Promise<number>((resolve, reject) => {
      lines.on("line", (line) => {
        if (line.startsWith("{")) resolve((JSON.parse(line) as { port: number }).port);
      });
      lines.once("close", () => reject(new Error("the server ended")));
    });
    await use(String(port));
  } finally {
    child.kill("SIGTERM");
    await exited;
  }
}

async function runAgainst(port: string, kind: string, suite: string): Promise<Outcome> {
  const place = ["--host", "127.0.0.1", "--port", port];
  const text = await bench(
    "client",
    "--kind",
    kind,
    ...place,
    "--suite",
    suite,
    "--round-seconds",
    "0.1",
  );
  return JSON.parse(text) as Outcome;
}

describe("the command", () => {
  let directory = "";

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "bm-bench-"));
  });

  afterAll(() => rm(directory, { recursive: true, force: true }));

  it("runs each half alone", async () => {
    await withServer("ours", directory, async (port) => {
      const outcome = await runAgainst(port, "ours", "file-64k-window-64");
      expect(outcome.operations).toBeGreaterThan(0);
      expect(outcome.bytes).toBe(outcome.operations * 65_536);
    });
  }, 30_000);

  it("runs one suite against a peer, in turns, and writes the chart", async () => {
    const svg = join(directory, "chart.svg");
    const rounds = ["--rounds", "2", "--round-seconds", "0.05", "--warm-up-seconds", "0.1"];
    const chosen = ["--suite", "rpc-1k-window-16", "--peer", "net", "--quick"];
    const report = JSON.parse(
      await bench(...chosen, ...rounds, "--svg", svg, "--json"),
    ) as RunReport;
    const [comparison] = report.comparisons;
    expect(comparison?.rows.map(({ name }) => name)).toEqual(["ours", "net"]);
    expect(comparison?.rows.map((row) => row.rounds.length)).toEqual([2, 2]);
    expect(await readFile(svg, "utf8")).toContain("rpc-1k-window-16");
  }, 30_000);

  it("says which suites there are when asked for another", async () => {
    await expect(bench("--suite", "no-such")).rejects.toThrow("small-block-storm");
  });

  it("fails with one line when nobody listens", async () => {
    const idle = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => idle.once("listening", resolve));
    const { port } = idle.address() as { port: number };
    await new Promise((resolve) => idle.close(resolve));
    await expect(runAgainst(String(port), "ours", "rpc-sync-1k")).rejects.toThrow(
      /bench: .*Failed to connect|bench: .*ECONNREFUSED/,
    );
  }, 20_000);
});

describe.skipIf(missing !== null)("interop of the benchmark's halves", () => {
  let directory = "";

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "bm-bench-"));
    await buildJvmPeer();
  }, 180_000);

  afterAll(() => rm(directory, { recursive: true, force: true }));

  for (const [server, client] of [
    ["jvm", "ours"],
    ["ours", "jvm"],
  ] as const) {
    it(`mixes a ${server} server with a ${client} client`, async () => {
      await withServer(server, directory, async (port) => {
        for (const suite of ["rpc-1k-window-64", "memory-64k-window-64"]) {
          const outcome = await runAgainst(port, client, suite);
          expect(outcome.operations).toBeGreaterThan(10);
          expect(outcome.serverCpuSeconds).toBeGreaterThan(0);
        }
      });
    }, 60_000);
  }
});
