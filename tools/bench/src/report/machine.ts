import { execFileSync } from "node:child_process";
import { arch, availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";
import { sparkVersion } from "@bm/interop";
import type { ContenderName } from "../suites/suite.ts";

/** On what a run was made. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  /** Processes that wanted a core in the minute before the run: above zero, others were at work. */
  readonly loadBefore: number;
  readonly node: string;
  /** Null when no JVM took part. */
  readonly java: string | null;
  readonly spark: string | null;
}

/** Looks at this machine; to be called before the run. */
export function describeMachine(peers: readonly ContenderName[]): Machine {
  const withJvm = peers.includes("jvm");
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown processor",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${type()} ${release()} ${arch()}`,
    loadBefore: loadavg()[0] ?? 0,
    node: process.version,
    java: withJvm ? javaVersion() : null,
    spark: withJvm ? sparkVersion : null,
  };
}

/** One paragraph of prose. */
export function machineText(machine: Machine): string {
  const gib = Math.round(machine.memoryBytes / 1024 ** 3);
  const jvm = machine.java === null ? "" : `, Java ${machine.java}, Spark ${machine.spark}`;
  const hardware = `${machine.processor}, ${machine.cores} cores, ${gib} GiB`;
  const load = `load average before the run ${machine.loadBefore.toFixed(1)}`;
  const software = `${machine.system}, Node ${machine.node}${jvm}`;
  return `${hardware}, ${software}; client and server on loopback; ${load}`;
}

function javaVersion(): string {
  const text = execFileSync("java", ["--version"], { encoding: "utf8" });
  return /^\S+ (\S+)/.exec(text)?.[1] ?? "unknown";
}
