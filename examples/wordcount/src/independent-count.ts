/** Runs checker.ts: the same files, counted in one process by other code, while the job runs. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { FileRange } from "./input.ts";

/** A count that is under way. */
export interface IndependentCount {
  readonly counts: Promise<Map<string, number>>;
  stop(): void;
}

/** Starts the count. */
export function startIndependentCount(ranges: readonly FileRange[]): IndependentCount {
  const script = join(import.meta.dirname, "checker.ts");
  const child = spawn(process.execPath, [...process.execArgv, script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const counts = new Promise<Map<string, number>>((resolve, reject) => {
    const pieces: Buffer[] = [];
    child.stdout.on("data", (piece: Buffer) => void pieces.push(piece));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code !== 0) reject(new Error(`the independent count ended with code ${code ?? "none"}`));
      else resolve(new Map(JSON.parse(Buffer.concat(pieces).toString()) as [string, number][]));
    });
  });
  // Nobody may be waiting yet, or any more, when it fails.
  counts.catch(() => {});
  child.stdin.on("error", () => {});
  child.stdin.end(JSON.stringify(ranges));
  return { counts, stop: () => void child.kill("SIGKILL") };
}
