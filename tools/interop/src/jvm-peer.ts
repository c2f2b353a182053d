/** Builds the Java programs against Spark's released jars and talks to them in JSON lines. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const run = promisify(execFile);

const JAVA_ROOT: string = join(import.meta.dirname, "..", "java");
const SOURCES: string = join(JAVA_ROOT, "src", "main", "java", "bm", "interop");
const SPARK_VERSION_DEFAULT = "4.1.2";

/** The Spark release under test; the environment variable `SPARK_VERSION` chooses another. */
export const sparkVersion: string = process.env["SPARK_VERSION"] ?? SPARK_VERSION_DEFAULT;

/** Why the JVM peer cannot be built here, or null when it can. */
export async function missingTools(): Promise<string | null> {
  for (const [tool, flag] of [
    ["java", "-version"],
    ["javac", "-version"],
    ["mvn", "-v"],
  ] as const) {
    const isThere = await run(tool, [flag]).then(
      () => true,
      () => false,
    );
    if (!isThere) return `${tool} is not installed (Java 17 and Maven are needed)`;
  }
  return null;
}

/** The class path of the compiled peer. Resolved and compiled once per version and source. */
export async function buildJvmPeer(): Promise<string> {
  const cache = join(JAVA_ROOT, "target", `${sparkVersion}-${sourceHash()}`);
  const file = join(cache, "class-path.txt");
  if (existsSync(file)) return readFileSync(file, "utf8");
  await mkdir(cache, { recursive: true });
  const jars = await resolveJars();
  const classes = await mkdtemp(join(cache, "classes-"));
  const sources = readdirSync(SOURCES).map((name) => join(SOURCES, name));
  await run("javac", ["-cp", jars, "-d", classes, ...sources]);
  const classPath = `${classes}:${jars}`;
  writeFileSync(`${file}.new`, classPath);
  renameSync(`${file}.new`, file);
  return classPath;
}

async function resolveJars(): Promise<string> {
  const scala = sparkVersion.startsWith("3.") ? "2.12" : "2.13";
  const output = join(await mkdtemp(join(tmpdir(), "bm-interop-")), "jars.txt");
  const properties = [`-Dspark.version=${sparkVersion}`, `-Dscala.binary.version=${scala}`];
  const goal = ["dependency:build-classpath", `-Dmdep.outputFile=${output}`];
  await run("mvn", ["-q", "-B", "-f", join(JAVA_ROOT, "pom.xml"), ...properties, ...goal]);
  return readFileSync(output, "utf8").trim();
}

function sourceHash(): string {
  const hash = createHash("sha256").update(readFileSync(join(JAVA_ROOT, "pom.xml")));
  for (const name of readdirSync(SOURCES).toSorted())
    hash.update(readFileSync(join(SOURCES, name)));
  return hash.digest("hex").slice(0, 12);
}

/** What a command of the peer takes and gives back. */
export type PeerAnswer = Readonly<
  Record<
    string,
    string | number | boolean | readonly string[] | Readonly<Record<string, string | number>>
  >
>;

/** Which program to start, and what its first line says beside the configuration. */
export interface PeerProgram {
  /** Name of the class in the package `bm.interop`. */
  readonly main: string;
  readonly fields: PeerAnswer;
}

/** Settings that the reflective access of Netty and Spark wants on Java 17. */
const JVM_FLAGS = [
  "--add-opens=java.base/java.nio=ALL-UNNAMED",
  "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
  "-Xmx1g",
];

/** A running Java process with Spark's transport in it: a server, and a client to be driven. */
export class JvmPeer {
  readonly #process: ChildProcess;
  readonly #answers = new Map<number, PromiseWithResolvers<PeerAnswer>>();
  readonly #first: PromiseWithResolvers<PeerAnswer> = Promise.withResolvers();
  #nextId = 1;
  #errors = "";
  port = 0;

  private constructor(child: ChildProcess) {
    this.#process = child;
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new Error("the peer has no pipes");
    createInterface({ input: stdout }).on("line", (line) => this.#take(line));
    stderr.on("data", (text: Buffer) => void (this.#errors += text.toString()).slice(-4000));
    child.on("exit", (code) => this.#fail(`the JVM peer ended with ${code}: ${this.#errors}`));
    child.on("error", (error) => this.#fail(error.message));
  }

  /** Starts the transport peer with its configuration; `file` is the path of the file region. */
  static start(conf: Readonly<Record<string, string>>, file: string): Promise<JvmPeer> {
    return JvmPeer.startProgram(conf, { main: "TransportPeer", fields: { file } });
  }

  /** Starts any program that speaks as the transport peer does. */
  static async startProgram(
    conf: Readonly<Record<string, string>>,
    program: PeerProgram,
  ): Promise<JvmPeer> {
    const classPath = await buildJvmPeer();
    const main = ["-cp", classPath, `bm.interop.${program.main}`];
    const peer = new JvmPeer(spawn("java", [...JVM_FLAGS, ...main], { stdio: "pipe" }));
    peer.#say({ conf, ...program.fields });
    const first = await peer.#first.promise;
    peer.port = Number(first["port"]);
    return peer;
  }

  /** Runs one command; rejects with the Java exception's text. */
  command(op: string, fields: PeerAnswer = {}): Promise<PeerAnswer> {
    const id = this.#nextId;
    this.#nextId += 1;
    const answer = Promise.withResolvers<PeerAnswer>();
    this.#answers.set(id, answer);
    this.#say({ id, op, ...fields });
    return answer.promise;
  }

  /** Ends the process; resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const exited = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.stdin?.end();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 5000);
    await exited;
    clearTimeout(timer);
  }

  #say(line: object): void {
    this.#process.stdin?.write(`${JSON.stringify(line)}\n`);
  }

  #take(text: string): void {
    // Logging frameworks write to standard output too.
    if (!text.startsWith("{")) return;
    const line = JSON.parse(text) as PeerAnswer & { readonly error?: string };
    if ("port" in line) this.#first.resolve(line);
    const id = Number(line["id"]);
    const waiting = this.#answers.get(id);
    this.#answers.delete(id);
    if (line.error !== undefined) waiting?.reject(new Error(line.error));
    else waiting?.resolve(line);
  }

  #fail(text: string): void {
    const error = new Error(text);
    this.#first.promise.catch(() => {});
    this.#first.reject(error);
    for (const waiting of this.#answers.values()) waiting.reject(error);
    this.#answers.clear();
  }
}
