/** Starts a main class as its own JVM, small and with what Spark's launcher would add. */
import { join } from "node:path";
import { Child } from "./child-process.ts";
import type { SparkHome } from "./spark-home.ts";

const LOG_CONF: string = join(import.meta.dirname, "..", "..", "cluster", "log4j2.properties");

/** What Spark's launcher opens on Java 17 (executors get the same from their worker). */
const OPENED_PACKAGES = [
  "java.lang",
  "java.lang.invoke",
  "java.lang.reflect",
  "java.io",
  "java.net",
  "java.nio",
  "java.util",
  "java.util.concurrent",
  "java.util.concurrent.atomic",
  "sun.nio.ch",
  "sun.nio.cs",
  "sun.security.action",
  "sun.util.calendar",
];

/** For every JVM, executors included: quick to start, small, quiet. */
export const SMALL_JVM_FLAGS: readonly string[] = [
  "-XX:+UseSerialGC",
  "-XX:TieredStopAtLevel=1",
  `-Dlog4j2.configurationFile=${LOG_CONF}`,
];

const JVM_FLAGS = [
  ...SMALL_JVM_FLAGS,
  ...OPENED_PACKAGES.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
  "-Djdk.reflect.useDirectMethodHandle=false",
  "-Dio.netty.tryReflectionSetAccessible=true",
  "-Xmx512m",
];

/** How a JVM of the cluster is started. */
export interface JavaOptions {
  readonly name: string;
  readonly main: string;
  readonly args?: readonly string[];
  /** Become `-D` flags: Spark reads its configuration from them. */
  readonly conf?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
}

/** Starts it with `directory` as its working directory; its log is `<name>.log` there. */
export function startJava(home: SparkHome, directory: string, options: JavaOptions): Child {
  const conf = Object.entries(options.conf ?? {}).map(([key, value]) => `-D${key}=${value}`);
  return new Child({
    name: options.name,
    command: "java",
    args: [...JVM_FLAGS, ...conf, "-cp", home.classPath, options.main, ...(options.args ?? [])],
    env: { ...loopbackEnvironment(home), ...options.env },
    cwd: directory,
    logFile: join(directory, `${options.name}.log`),
    ...(options.onLine === undefined ? {} : { onLine: options.onLine }),
  });
}

/** Nothing that a user's shell says about another Spark may reach ours. */
function loopbackEnvironment(home: SparkHome): Record<string, string> {
  const env: Record<string, string> = {
    SPARK_HOME: home.directory,
    SPARK_SCALA_VERSION: home.scalaVersion,
    SPARK_LOCAL_IP: "127.0.0.1",
    SPARK_LOCAL_HOSTNAME: "127.0.0.1",
  };
  for (const name of ["PATH", "HOME", "JAVA_HOME", "TMPDIR", "LANG"]) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}
