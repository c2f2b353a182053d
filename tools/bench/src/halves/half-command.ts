/** The command lines with which the halves of each contender are started. */
import { join } from "node:path";
import { buildJvmPeer } from "@bm/interop";
import type { Place } from "../contenders/contender.ts";
import type { ContenderName, Service } from "../suites/suite.ts";

/** A program and its arguments. */
export interface HalfCommand {
  readonly program: string;
  readonly args: readonly string[];
}

const MAIN = join(import.meta.dirname, "..", "main.ts");

/** Netty and Spark reach into these packages; a heap of a fixed limit makes peaks comparable. */
const JVM_FLAGS = [
  "--add-opens=java.base/java.nio=ALL-UNNAMED",
  "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
  "--add-opens=java.base/java.lang=ALL-UNNAMED",
  "-Dio.netty.tryReflectionSetAccessible=true",
  "-Xmx2g",
];

/** Whose half of which service. */
export interface HalfKind {
  readonly name: ContenderName;
  readonly service: Service;
}

/** A server of the file region in `directory`. Builds the JVM's programs when they are needed. */
export async function serverCommand(
  { name, service }: HalfKind,
  { host, port }: Place,
  directory: string,
): Promise<HalfCommand> {
  const options = ["--host", host, "--port", String(port), "--files", directory];
  if (name === "jvm") return jvmCommand("bm.interop.BenchServer", options);
  return nodeCommand(["server", "--kind", name, "--service", service, ...options]);
}

/** A client that performs the workloads that it reads. */
export async function clientCommand(
  { name, service }: HalfKind,
  { host, port }: Place,
): Promise<HalfCommand> {
  const options = ["--host", host, "--port", String(port)];
  if (name === "jvm") return jvmCommand("bm.interop.BenchClient", options);
  return nodeCommand(["client", "--kind", name, "--service", service, ...options, "--driven"]);
}

function nodeCommand(args: readonly string[]): HalfCommand {
  return { program: process.execPath, args: [...process.execArgv, MAIN, ...args] };
}

async function jvmCommand(main: string, options: readonly string[]): Promise<HalfCommand> {
  return { program: "java", args: [...JVM_FLAGS, "-cp", await buildJvmPeer(), main, ...options] };
}
