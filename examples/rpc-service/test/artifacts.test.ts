import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const MAIN = join(import.meta.dirname, "../src/main.ts");
const NODE_ARGS = ["--conditions=@bm/source", MAIN];

describe("the artifact store, as processes", () => {
  let directory = "";
  let server: Program;
  let address = "";

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "bm-artifacts-"));
    server = new Program("serve", join(directory, "kept"), "--port", "0");
    address = (await server.line()).replace("serving on ", "");
  });

  afterAll(async () => {
    await server.stop();
    await rm(directory, { recursive: true });
  });

  it("keeps a large file under its hash, tells who watches, and gives it back", async () => {
    const content = randomBytes(40_000_000);
    const key = createHash("sha256").update(content).digest("hex");
    const [sent, received] = [join(directory, "sent"), join(directory, "received")];
    await writeFile(sent, content);
    const watcher = new Program("--server", address, "watch");
    expect(await watcher.line()).toBe("watching");
    const seen = watcher.line();

    expect(await ask("put", sent)).toBe(`${key}\n`);
    expect(await seen).toBe(key);
    expect(await ask("list")).toBe(`${key}\n`);
    await ask("get", key, received);
    expect((await readFile(received)).equals(content)).toBe(true);
    expect(await watcher.stop()).toBe(0);
  });

  it("says what is wrong, leaves no file, and goes on", async () => {
    const path = join(directory, "nothing");
    await expect(ask("get", "0".repeat(64), path)).rejects.toThrow("was not found");
    await expect(ask("get", "../../etc/passwd", path)).rejects.toThrow("was not found");
    expect(await readdir(directory)).not.toContain("nothing");
    await expect(ask("put", path)).rejects.toThrow("ENOENT");
    expect(await ask("list")).not.toBe("");
  });

  it("explains itself", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [...NODE_ARGS, "--help"]);
    for (const name of ["serve", "put", "get", "list", "watch"]) expect(stdout).toContain(name);
  });

  async function ask(...args: string[]): Promise<string> {
    const all = [...NODE_ARGS, "--server", address, ...args];
    return (await promisify(execFile)(process.execPath, all)).stdout;
  }
});

/** A process that runs until it is stopped. */
class Program {
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  constructor(...args: string[]) {
    this.#child = spawn(process.execPath, [...NODE_ARGS, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (this.#child.stdout === null) throw new Error("no output");
    this.#lines = createInterface({ input: this.#child.stdout });
  }

  async line(): Promise<string> {
    return ((await once(this.#lines, "line")) as [string])[0];
  }

  /** Gives the exit code. */
  async stop(): Promise<number | null> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGINT");
    return ((await exited) as [number | null])[0];
  }
}
