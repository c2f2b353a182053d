import { spawn } from "node:child_process";
import process from "node:process";

/** How a program ended. */
export interface BoundedRun {
  /** Null when it was killed, by the time limit or by a signal. */
  readonly exitCode: number | null;
  /** Standard output and error as they came, cut to the last part. */
  readonly output: string;
}

/** Where and for how long a program may run. */
export interface BoundedRunOptions {
  readonly cwd: string;
  readonly limitMs: number;
}

const OUTPUT_CHARS_MAX = 200_000;

/** Runs a program; at the time limit it is killed together with the processes it started. */
export function runBounded(
  command: string,
  args: readonly string[],
  { cwd, limitMs }: BoundedRunOptions,
): Promise<BoundedRun> {
  const { promise, resolve, reject } = Promise.withResolvers<BoundedRun>();
  const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
  const child = spawn(command, args, { cwd, stdio, detached: true });
  let output = "";
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-OUTPUT_CHARS_MAX);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const timer = setTimeout(() => {
    // A detached child leads a process group; the minus sign means all of it.
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  }, limitMs);
  child.on("error", reject);
  child.on("close", (exitCode) => {
    clearTimeout(timer);
    resolve({ exitCode, output });
  });
  return promise;
}
