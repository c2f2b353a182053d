#!/usr/bin/env node
// `node tools/run.mjs [--build] <command> [args...]` runs a command of this workspace under the
// pinned Node, with the pinned pnpm and every locked dependency in place; what is missing or stale
// is installed first, and with `--build` the packages are built. Needs some Node >= 20 with npm.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const INSTALL_WAIT_MS = 600_000;
const LOCK_POLL_MS = 500;
const PARENT_POLL_MS = 500;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const stampFile = join(modules, ".bm-installed");
const lockFile = join(root, ".bm-install.lock");
const shell = process.platform === "win32";
const isStartedByNpm = process.env.npm_lifecycle_event !== undefined;
const env = makeEnvironment();

await ensureInstalled();
const [first, ...rest] = process.argv.slice(2);
const isBuilt = first === "--build";
const [command = "node", ...args] = isBuilt ? rest : process.argv.slice(2);
if (isBuilt) {
  // What the build says goes to standard error: standard output belongs to the command.
  const status = await run("turbo", ["run", "build", "--output-logs=errors-only"], [0, 2, 2], root);
  if (status !== 0) process.exit(status);
}
process.exit(await run(command, args, "inherit"));

/** The pinned Node comes first on PATH, because pnpm links it into node_modules/.bin. */
function makeEnvironment() {
  const made = { ...process.env, TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" };
  made.PATH = join(modules, ".bin") + delimiter + (process.env.PATH ?? "");
  // `npm test` exports npm's own settings to its scripts; they would reach pnpm and nested npm calls.
  for (const key of Object.keys(made)) {
    if (/^npm_(config|package|lifecycle)_/i.test(key)) delete made[key];
  }
  return made;
}

/** Installs when the manifests are not those of the last install. One process at a time does it. */
async function ensureInstalled() {
  const deadline = Date.now() + INSTALL_WAIT_MS;
  while (!existsSync(stampFile) || readFileSync(stampFile, "utf8") !== wanted()) {
    if (takeLock()) {
      try {
        await install();
      } finally {
        rmSync(lockFile, { force: true });
      }
    } else if (Date.now() > deadline) {
      fail(`${lockFile} is held by another install; remove it if that one is dead`);
    } else {
      await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
    }
  }
}

/** What the install depends on: manifests, workspace settings, lockfile, platform. */
function wanted() {
  const files = ["package.json", "pnpm-workspace.yaml", "pnpm-lock.yaml"];
  for (const group of ["packages", "tools", "examples"]) {
    for (const name of readdirSync(join(root, group)).sort()) {
      files.push(join(group, name, "package.json"));
    }
  }
  const hash = createHash("sha256").update(`${process.platform}-${process.arch}`);
  for (const file of files.filter((name) => existsSync(join(root, name)))) {
    hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  }
  return hash.digest("hex");
}

/** The lock names its holder, so that one left by a killed install is not waited for. */
function takeLock() {
  try {
    writeFileSync(lockFile, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  if (isHolderAlive()) return false;
  rmSync(lockFile, { force: true });
  return false;
}

function isHolderAlive() {
  try {
    const holder = Number(readFileSync(lockFile, "utf8"));
    // 0 while the holder has created the file and not yet written its id.
    if (holder > 0) process.kill(holder, 0);
    return true;
  } catch (error) {
    // The lock is gone, or its holder is; a process of another user is alive.
    return error.code === "EPERM";
  }
}

async function install() {
  // A node_modules that npm or yarn made (someone ran `npm install`) is not one pnpm can build on.
  if (existsSync(modules) && !existsSync(join(modules, ".modules.yaml"))) {
    rmSync(modules, { recursive: true });
  }
  const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const pnpm = ["exec", "--yes", `--package=${packageManager.split("+")[0]}`, "--", "pnpm"];
  const npmArgs = [...pnpm, "install", "--frozen-lockfile", "--reporter=append-only"];
  console.error(`[run] installing: npm ${npmArgs.join(" ")}`);
  const before = wanted();
  const status = await run("npm", npmArgs, ["ignore", 2, 2], root);
  if (status !== 0) {
    rmSync(lockFile, { force: true });
    fail(`install failed: npm exited with ${status}`, status > 128 ? status : 2);
  }
  writeFileSync(stampFile, before);
}

/** Gives the exit code, in the way of shells: 128 and the number for a signal. */
function run(program, programArgs, stdio, cwd = process.cwd()) {
  const child = spawn(program, programArgs, { cwd, env, stdio, shell });
  // A terminal sends Ctrl-C to every process at once; a supervisor signals only this one.
  const forward = (signal) => child.kill(signal);
  const wait = () => {};
  process.on("SIGTERM", forward).on("SIGHUP", forward).on("SIGINT", wait);
  const stopWatching = watchParent(() => child.kill("SIGTERM"));
  return new Promise((resolve) => {
    child.on("error", (error) => fail(`${program}: ${error.message}`));
    child.on("exit", (status, signal) => {
      stopWatching();
      process.off("SIGTERM", forward).off("SIGHUP", forward).off("SIGINT", wait);
      resolve(status ?? 128 + constants.signals[signal]);
    });
  });
}

/** The shell between npm and this process dies of a SIGTERM to npm without passing it on. */
function watchParent(onGone) {
  if (!isStartedByNpm) return () => {};
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid !== parent) onGone();
  }, PARENT_POLL_MS);
  return () => clearInterval(timer);
}

function fail(message, status = 2) {
  console.error(`[run] ${message}`);
  process.exit(status);
}
