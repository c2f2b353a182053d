/**
 * A shuffle service as an operator starts it: `bm serve`, or the main class that Spark's own start script
 * runs, with the heap that this script gives it. Both keep their registrations in a database.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { dirname, extname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { buildSparkHome } from "@bm/interop";

/** Whose service. */
export type ServiceName = "ours" | "jvm";

const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 2;
const ERRORS_KEPT = 4000;
/** Of the system's clock in /proc. */
const TICKS_PER_SECOND = 100;

const JVM_FLAGS = [
  "--add-opens=java.base/java.lang=ALL-UNNAMED",
  "--add-opens=java.base/java.nio=ALL-UNNAMED",
  "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
  "--add-opens=java.base/java.util=ALL-UNNAMED",
  "-Dio.netty.tryReflectionSetAccessible=true",
  // SPARK_DAEMON_MEMORY, unless an operator sets it.
  "-Xmx1g",
];

/** What a service is given. */
export interface ServiceSetUp {
  /** For the database, which stays. */
  readonly directory: string;
  /** Where executors write. */
  readonly localDir: string;
  /** Event loops of ours; null: as many as it takes by itself. */
  readonly threads: number | null;
}

/** See the file comment. */
export class ServiceProcess {
  readonly port: number;
  /** From the start of the process until its port took a connection. */
  readonly startMs: number;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  /** Where our own tells its figures; null of Spark's. */
  readonly #metricsPort: number | null;

  private constructor(ports: Ports, startMs: number, child: ChildProcess, exited: Promise<void>) {
    this.port = ports.service;
    this.#metricsPort = ports.metrics;
    this.startMs = startMs;
    this.pid = child.pid ?? 0;
    this.#child = child;
    this.#exited = exited;
  }

  static async start(name: ServiceName, setUp: ServiceSetUp): Promise<ServiceProcess> {
    const { directory, localDir } = setUp;
    const isOurs = name === "ours";
    const port = await quietPort();
    const ports = { service: port, metrics: isOurs ? await quietPort() : null };
    const command = isOurs ? ourCommand(ports, setUp) : await sparkCommand(port, directory);
    const env = { ...process.env, SPARK_LOCAL_IP: "127.0.0.1", SPARK_LOCAL_DIRS: localDir };
    mkdirSync(directory, { recursive: true });
    const startedMs = performance.now();
    const child = spawn(command.program, command.args, {
      cwd: directory,
      env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    const life = watch(child);
    await Promise.race([untilListening(port, startedMs), life.failure]);
    return new ServiceProcess(ports, performance.now() - startedMs, child, life.exited);
  }

  /** Seconds of processor time so far. */
  get cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, "utf8");
    // The second field is a name in brackets and may hold blanks.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** A gauge of our own by its name; NaN of Spark's. */
  async gauge(name: string): Promise<number> {
    if (this.#metricsPort === null) return Number.NaN;
    const answer = await fetch(`http://127.0.0.1:${this.#metricsPort}/metrics`);
    const found = new RegExp(`^${name} (\\S+)$`, "m").exec(await answer.text());
    return Number(found?.[1]);
  }

  /** As a power failure would: nothing is put in order. Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  /** Safe to call twice. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(timer);
  }
}

interface Ports {
  readonly service: number;
  readonly metrics: number | null;
}

/** Below those that the system gives away: nobody takes one while a service starts. */
const QUIET_PORTS = { first: 10_000, count: 20_000 } as const;

async function quietPort(): Promise<number> {
  const { count, first } = QUIET_PORTS;
  for (;;) {
    const port = first + Math.floor(Math.random() * count);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer().once("error", () => resolve(false));
  server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  return promise;
}

interface Life {
  readonly exited: Promise<void>;
  /** Rejects when the process ends by itself, with what it complained of last. */
  readonly failure: Promise<never>;
}

function watch(child: ChildProcess): Life {
  let errors = "";
  child.stderr?.on("data", (text: Buffer) => {
    errors = (errors + text.toString()).slice(-ERRORS_KEPT);
  });
  const exited = Promise.withResolvers<void>();
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {});
  const end = (text: string): void => {
    failure.reject(new Error(`the service ${text}: ${errors}`));
    exited.resolve();
  };
  child.once("error", (error) => end(error.message));
  child.once("exit", (code, signal) => end(`ended with ${code ?? signal}`));
  return { exited: exited.promise, failure: failure.promise };
}

async function untilListening(port: number, startedMs: number): Promise<void> {
  while (!(await isListening(port))) {
    if (performance.now() - startedMs > START_TIMEOUT_MS) throw new Error("no service listens");
    await sleep(POLL_MS);
  }
}

function isListening(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, "127.0.0.1");
  socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}

interface ServiceCommand {
  readonly program: string;
  readonly args: readonly string[];
}

/** The build of the package, or its sources where the benchmark runs from sources. */
function ourCommand({ metrics, service }: Ports, setUp: ServiceSetUp): ServiceCommand {
  const { directory, localDir, threads } = setUp;
  const entry = fileURLToPath(import.meta.resolve("@bm/cli"));
  const main = join(dirname(entry), `main${extname(entry)}`);
  const ports = ["--port", String(service), "--http-port", String(metrics)];
  const options = ["--host", "127.0.0.1", "--dir", directory, localDir];
  const loops = threads === null ? [] : ["--threads", String(threads)];
  const args = [...process.execArgv, main, "serve", ...ports, ...options, ...loops];
  return { program: process.execPath, args };
}

async function sparkCommand(port: number, directory: string): Promise<ServiceCommand> {
  const { classPath } = await buildSparkHome();
  // Without a directory it keeps no database.
  const conf = [`-Dspark.shuffle.service.port=${port}`, `-Dspark.local.dir=${directory}`];
  const main = "org.apache.spark.deploy.ExternalShuffleService";
  return { program: "java", args: [...JVM_FLAGS, ...conf, "-cp", classPath, main] };
}
