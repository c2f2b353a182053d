import { execFileSync } from "node:child_process";
import { arch, availableParallelism, cpus, release, totalmem, type } from "node:os";
import { sparkVersion } from "@bm/interop";
import type { ContenderName } from "../suites/suite.ts";

/** On what a run was made. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  /** Null when no JVM took part. */
  readonly java: string | null;
  readonly spark: string | null;
}

/** Looks at this machine. */
export function describeMachine(peers: readonly ContenderName[]): Machine {
  const withJvm = peers.includes("jvm");
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown processor",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${type()} ${release()} ${arch()}`,
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
  return `${hardware}, ${machine.system}, Node ${machine.node}${jvm}; client and server on loopback`;
}

function javaVersion(): string {
  const text = execFileSync("java", ["--version"], { encoding: "utf8" });
  return /^\S+ (\S+)/.exec(text)?.[1] ?? "unknown";
}
