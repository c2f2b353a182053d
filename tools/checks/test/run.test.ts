import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { describe, expect, it } from "vitest";
import { plantFiles } from "./planted-tree.ts";

const RUN = join(import.meta.dirname, "../../run.mjs");

/** Stands in for npm: notes its arguments and leaves what pnpm leaves. */
const NPM = `#!/bin/sh
echo "$@" >> npm-calls.txt
[ -e refuse ] && exit 1
mkdir -p node_modules && touch node_modules/.modules.yaml
`;

/** A workspace without dependencies, and the bootstrap in it. */
function plantWorkspace(): string {
  const root = plantFiles({
    "package.json": JSON.stringify({ packageManager: "pnpm@1.2.3" }),
    "packages/block/package.json": "{}",
    "tools/checks/package.json": "{}",
    "examples/wordcount/package.json": "{}",
    "bin/npm": NPM,
  });
  chmodSync(join(root, "bin/npm"), 0o755);
  copyFileSync(RUN, join(root, "tools/run.mjs"));
  return root;
}

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

function start(root: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const path = [join(root, "bin"), dirname(process.execPath), process.env["PATH"]].join(delimiter);
  const { npm_lifecycle_event: _outer, ...inherited } = process.env;
  return spawn(process.execPath, [join(root, "tools/run.mjs"), ...args], {
    cwd: root,
    env: { ...inherited, PATH: path, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function endOf(child: ChildProcess): Promise<Ended> {
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  await once(child, "close");
  return { code: child.exitCode, output };
}

function run(root: string, ...args: readonly string[]): Promise<Ended> {
  return endOf(start(root, args));
}

function installs(root: string): number {
  const calls = join(root, "npm-calls.txt");
  return existsSync(calls) ? readFileSync(calls, "utf8").trim().split("\n").length : 0;
}

describe("the bootstrap", () => {
  it("installs with the pinned pnpm once, and again when a manifest changes", async () => {
    const root = plantWorkspace();
    await run(root, "node", "-e", "");
    await run(root, "node", "-e", "");
    expect(readFileSync(join(root, "npm-calls.txt"), "utf8")).toBe(
      "exec --yes --package=pnpm@1.2.3 -- pnpm install --frozen-lockfile --reporter=append-only\n",
    );
    writeFileSync(join(root, "packages/block/package.json"), '{ "name": "@bm/block" }');
    await run(root, "node", "-e", "");
    expect(installs(root)).toBe(2);
  });

  it("installs once when two start together", async () => {
    const root = plantWorkspace();
    const both = await Promise.all([run(root, "node", "-e", ""), run(root, "node", "-e", "")]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(installs(root)).toBe(1);
  });

  it("does not wait for an install that was killed", async () => {
    const root = plantWorkspace();
    const dead = spawn(process.execPath, ["-e", ""]);
    await once(dead, "close");
    writeFileSync(join(root, ".bm-install.lock"), String(dead.pid));
    await expect(run(root, "node", "-e", "")).resolves.toMatchObject({ code: 0 });
    expect(existsSync(join(root, ".bm-install.lock"))).toBe(false);
  });

  it("ends with 2 and one line when the install or the command cannot run", async () => {
    const root = plantWorkspace();
    writeFileSync(join(root, "refuse"), "");
    const refused = await run(root, "node", "-e", "");
    expect(refused).toMatchObject({
      code: 2,
      output: expect.stringContaining("npm exited with 1"),
    });
    expect(existsSync(join(root, ".bm-install.lock"))).toBe(false);

    const unknown = await run(plantWorkspace(), "no-such-command");
    expect(unknown).toMatchObject({ code: 2, output: expect.stringContaining("no-such-command") });
  });

  it("passes exit codes on", async () => {
    const code = "process.exit(7)";
    await expect(run(plantWorkspace(), "node", "-e", code)).resolves.toMatchObject({ code: 7 });
  });

  it("passes SIGTERM on and exits as shells do", async () => {
    const child = start(plantWorkspace(), [
      "node",
      "-e",
      "console.log(1); setInterval(() => {}, 9)",
    ]);
    const ended = endOf(child);
    await once(child.stdout ?? child, "data");
    child.kill("SIGTERM");
    await expect(ended).resolves.toMatchObject({ code: 143 });
  });

  it("lets the command end in its own way at Ctrl-C", async () => {
    const code = `
      process.on("SIGINT", () => { console.log("tidied up"); process.exit(3); });
      setInterval(() => {}, 9);
      process.kill(process.ppid, "SIGINT");
      process.kill(process.pid, "SIGINT");
    `;
    const ended = await run(plantWorkspace(), "node", "-e", code);
    expect(ended).toMatchObject({ code: 3, output: expect.stringContaining("tidied up") });
  });

  it("ends the command when the shell that npm put in between is gone", async () => {
    const root = plantWorkspace();
    const script = "console.log('child', process.pid); setInterval(() => {}, 9)";
    const code = `
      const { spawn } = require("node:child_process");
      spawn(process.execPath, ["tools/run.mjs", "node", "-e", ${JSON.stringify(script)}], {
        stdio: "inherit", env: { ...process.env, npm_lifecycle_event: "demo" },
      });
      setInterval(() => {}, 9);
    `;
    const path = [join(root, "bin"), dirname(process.execPath), process.env["PATH"]];
    const shell = spawn(process.execPath, ["-e", code], {
      cwd: root,
      env: { ...process.env, PATH: path.join(delimiter) },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const closed = once(shell.stdout, "close");
    await once(shell.stdout, "data");
    shell.kill("SIGKILL");
    // The pipe closes when the last process that holds it has ended.
    await closed;
    expect(shell.signalCode).toBe("SIGKILL");
  });
});
