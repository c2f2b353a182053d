import { type ExecFileException, execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const MAIN = join(import.meta.dirname, "../src/main.ts");
const NODE_ARGS = ["--conditions=@bm/source", MAIN];

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Report {
  readonly verified: boolean;
  readonly words: number;
  readonly distinctWords: number;
  readonly recomputedMaps: number;
  readonly lostExecutors: readonly string[];
  readonly driverRestarts: number;
  readonly restoredMaps: number;
  readonly stages: readonly { readonly name: string }[];
  readonly socketBytes: number;
  readonly topWords: readonly (readonly [string, number])[];
  readonly processes: readonly { readonly name: string; readonly peakBytes: number }[];
}

describe("the word count", () => {
  let directory = "";
  let input = "";
  let temporary = "";

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "bm-wordcount-test-"));
    input = join(directory, "input");
    temporary = join(directory, "tmp");
    await mkdir(join(input, "nested"), { recursive: true });
    await mkdir(temporary);
    // Larger than two splits, so that several map tasks run and words lie across the cuts.
    await writeFile(join(input, "large.txt"), "alpha beta Gamma, gamma!\n".repeat(800_000));
    await writeFile(join(input, "nested", "small.md"), "delta über beta");
    await writeFile(join(input, "ignored.bin"), "alpha ".repeat(1000));
  });

  afterAll(() => rm(directory, { recursive: true }));

  it("counts every word once and verifies it", async () => {
    const report = await runJson("--input", input);
    expect(report).toMatchObject({ verified: true, words: 3_200_003, distinctWords: 5 });
    expect(report.topWords).toEqual([
      ["gamma", 1_600_000],
      ["beta", 800_001],
      ["alpha", 800_000],
      ["ber", 1],
      ["delta", 1],
    ]);
    expect(report.socketBytes).toBeGreaterThan(0);
    expect(report.processes.map(({ name }) => name)).toEqual([
      "driver",
      "executor-1",
      "executor-2",
    ]);
    expect(await readdir(temporary)).toEqual([]);
  });

  it("is right when an executor is killed in mid-shuffle", async () => {
    const report = await runJson("--input", input, "--kill-one");
    expect(report).toMatchObject({ verified: true, words: 3_200_003 });
    expect(report.lostExecutors).toHaveLength(1);
    expect(report.recomputedMaps).toBeGreaterThan(0);
  });

  it("is right when the driver is killed in mid-shuffle and started again", async () => {
    const report = await runJson("--input", input, "--kill-driver");
    expect(report).toMatchObject({ verified: true, words: 3_200_003, driverRestarts: 1 });
    // Its state directory knew the whole map stage: nothing was mapped again.
    expect(report.restoredMaps).toBeGreaterThan(2);
    expect(report.stages.map(({ name }) => name)).toEqual(["reduce"]);
    expect(report.lostExecutors).toEqual([]);
    expect(await readdir(temporary)).toEqual([]);
  });

  it("shows a person what happened", async () => {
    const { code, stdout, stderr } = await run("--input", input, "--partitions", "3");
    expect(code).toBe(0);
    expect(stderr).toMatch(/map +\d+\/3 tasks/);
    expect(stdout).toMatch(/gamma +1600000/);
    expect(stdout).toMatch(/over sockets/);
    expect(stdout).toMatch(/verified +all 5 counts/);
  });

  it("leaves the files when told to", async () => {
    const { stdout } = await run("--input", input, "--keep", "--executors", "1");
    const kept = /files +(\S+)/.exec(stdout)?.[1] ?? "";
    expect((await readdir(kept)).toSorted()).toEqual(["driver", "executor-1"]);
    await rm(kept, { recursive: true });
  });

  const mistakes: [what: string, args: string[], line: RegExp][] = [
    ["an unknown option", ["--bogus"], /unknown option '--bogus' \(see --help\)/],
    ["a number out of range", ["--executors", "0"], /whole number from 1 to 64/],
    ["nobody left to kill", ["--kill-one", "--executors", "1"], /at least two executors/],
    ["two to kill", ["--kill-one", "--kill-driver"], /cannot be had together/],
    ["a directory that is not there", ["--input", "/no/such"], /cannot read the directory/],
  ];
  for (const [what, args, line] of mistakes) {
    it(`says in one line what is wrong with ${what}, and exits with 2`, async () => {
      const { code, stderr } = await run(...args);
      expect(code).toBe(2);
      expect(stderr.trim().split("\n")).toHaveLength(1);
      expect(stderr).toMatch(line);
    });
  }

  it("says that a port is in use, and exits with 2", async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
    });
    const { code, stderr } = await run("--input", input, "--port", String(port));
    server.close();
    expect(code).toBe(2);
    expect(stderr).toMatch(/the port is in use; choose another with --port/);
  });

  for (const [signal, expected, ...args] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGTERM", 143, "--kill-driver"],
  ] as const) {
    it(`ends every process and removes its files on ${[signal, ...args].join(" with ")}`, async () => {
      const child = spawn(process.execPath, [...NODE_ARGS, "--input", input, ...args], {
        env: { ...process.env, TMPDIR: temporary },
        stdio: ["ignore", "ignore", "pipe"],
      });
      const pids = await new Promise<number[]>((resolve) => {
        let text = "";
        child.stderr.on("data", (piece: Buffer) => {
          text += piece.toString();
          const found = [...text.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));
          if (found.length === 3) resolve(found);
        });
      });
      const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
      child.kill(signal);
      expect(await exited).toBe(expected);
      expect(pids.filter(isRunning)).toEqual([]);
      expect(await readdir(temporary)).toEqual([]);
    });
  }

  function run(...args: string[]): Promise<Outcome> {
    return new Promise((resolve) => {
      const env = { ...process.env, TMPDIR: temporary };
      const done = (error: ExecFileException | null, stdout: string, stderr: string): void =>
        resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
      execFile(process.execPath, [...NODE_ARGS, ...args], { env }, done);
    });
  }

  async function runJson(...args: string[]): Promise<Report> {
    const { stdout, stderr } = await run(...args, "--json");
    expect(stdout, stderr).toMatch(/^\{/);
    return JSON.parse(stdout) as Report;
  }
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
