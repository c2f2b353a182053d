/** Builds the Java programs against the jars that Spark released. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
