/** A Spark home made of released jars: what a worker needs to start executors from. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { sparkVersion } from "../jvm-build.ts";

const run = promisify(execFile);

const CLUSTER_ROOT: string = join(import.meta.dirname, "..", "..", "cluster");
const SOURCES: string = join(CLUSTER_ROOT, "src", "main", "java", "bm", "cluster");

const MAVEN_TIMEOUT_MS = 240_000;
const COMPILE_TIMEOUT_MS = 60_000;

/** Where the jars and our job programs are. */
export interface SparkHome {
  /** The folder for `SPARK_HOME`: its `jars` folder links to the released jars. */
  readonly directory: string;
  /** The folder with the compiled job programs; drivers and executors have it on their class path. */
  readonly classes: string;
  /** For Spark's main classes and the driver. */
  readonly classPath: string;
  readonly scalaVersion: string;
}

/** Resolves the jars of {@link sparkVersion} and compiles the jobs, once per version and source. */
export async function buildSparkHome(): Promise<SparkHome> {
  const target = join(CLUSTER_ROOT, "target");
  const directory = join(target, `${sparkVersion}-${sourceHash()}`);
  if (!existsSync(directory)) {
    await mkdir(target, { recursive: true });
    // Filled under another name, so that a home which is there is complete.
    const unfinished = await mkdtemp(join(target, "unfinished-"));
    await fill(unfinished);
    await rename(unfinished, directory).catch((error: unknown) => giveWay(unfinished, error));
  }
  const classes = join(directory, "classes");
  const classPath = `${classes}:${join(directory, "jars", "*")}`;
  return { directory, classes, classPath, scalaVersion: scalaVersion() };
}

/** Another process may have finished the same home first: its one is as good. */
async function giveWay(unfinished: string, error: unknown): Promise<void> {
  await rm(unfinished, { recursive: true, force: true });
  const code = error instanceof Error && "code" in error ? error.code : "";
  if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
}

async function fill(home: string): Promise<void> {
  const jars = await resolveJars();
  await mkdir(join(home, "jars"));
  for (const jar of jars) await symlink(jar, join(home, "jars", basename(jar)));
  const sources = sourceNames().map((name) => join(SOURCES, name));
  const options = ["-cp", join(home, "jars", "*"), "-d", join(home, "classes")];
  await run("javac", [...options, ...sources], { timeout: COMPILE_TIMEOUT_MS });
}

async function resolveJars(): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), "bm-cluster-jars-"));
  const output = join(directory, "jars.txt");
  const properties = [
    `-Dspark.version=${sparkVersion}`,
    `-Dscala.binary.version=${scalaVersion()}`,
  ];
  const goal = ["dependency:build-classpath", `-Dmdep.outputFile=${output}`];
  const file = join(CLUSTER_ROOT, "pom.xml");
  await run("mvn", ["-q", "-B", "-f", file, ...properties, ...goal], { timeout: MAVEN_TIMEOUT_MS });
  const jars = (await readFile(output, "utf8")).trim().split(":");
  await rm(directory, { recursive: true });
  return jars;
}

/** Maven Central has both Scala lines of 3.x; 2.12 is what its distributions are built with. */
function scalaVersion(): string {
  return sparkVersion.startsWith("3.") ? "2.12" : "2.13";
}

function sourceNames(): string[] {
  return readdirSync(SOURCES).toSorted();
}

function sourceHash(): string {
  const hash = createHash("sha256").update(readFileSync(join(CLUSTER_ROOT, "pom.xml")));
  for (const name of sourceNames()) hash.update(readFileSync(join(SOURCES, name)));
  return hash.digest("hex").slice(0, 12);
}
