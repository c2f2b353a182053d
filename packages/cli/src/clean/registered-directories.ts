/** Which directories executors have registered: from the service that runs, or from its database. */
import { join } from "node:path";
import { LevelExecutorStore, ShuffleError } from "@bm/shuffle";
import { type Clock, type Files, type Logger, silentLogger } from "@bm/transport";
import { CliError } from "../cli-error.ts";
import { DATABASE_NAME } from "../serve/serve-options.ts";

/** Where to look for registrations. */
export interface RegistrationSources {
  readonly dirs: readonly string[];
  /** Web address of a running service; null: databases are read. */
  readonly service: string | null;
  /** Databases; empty: those in `dirs`. */
  readonly databases: readonly string[];
  readonly files: Files;
  readonly clock: Clock;
}

const ANSWER_TIMEOUT_MS = 30_000;

/**
 * Every registered directory.
 * @throws CliError when they cannot be known for certain (rejects).
 */
export async function registeredDirectories(sources: RegistrationSources): Promise<string[]> {
  const { clock, databases, dirs, files, service } = sources;
  if (service !== null) return askService(service, clock);
  const named = databases.length > 0 ? databases : dirs.map((dir) => join(dir, DATABASE_NAME));
  const directories: string[] = [];
  for (const path of named) {
    const isThere = (await files.stat(path)) !== null;
    if (isThere) directories.push(...(await readDatabase(path, files)));
    else if (databases.length > 0) throw new CliError(`--db ${path}: there is no such database`);
  }
  return directories;
}

/** Names of databases of Spark's own service among `dirs`, whose registrations nobody here can know. */
export async function databasesOfSpark(dirs: readonly string[], files: Files): Promise<string[]> {
  const names = ["registeredExecutors.rdb", "registeredExecutors.ldb"];
  const paths = dirs.flatMap((dir) => names.map((name) => join(dir, name)));
  const found = await Promise.all(
    paths.map(async (path) => ((await files.stat(path)) === null ? [] : [path])),
  );
  return found.flat();
}

async function readDatabase(path: string, files: Files): Promise<string[]> {
  const problems: string[] = [];
  const logger: Logger = { ...silentLogger, error: (text) => problems.push(text) };
  const directories: string[] = [];
  try {
    const store = await LevelExecutorStore.open({ path, files, logger });
    try {
      await store.load(({ info }) => directories.push(...info.localDirs));
    } finally {
      await store.close();
    }
  } catch (error) {
    if (!(error instanceof ShuffleError)) throw error;
    const hint = "if a service is running, name it: --service http://127.0.0.1:7338";
    throw new CliError(`${error.message} (${hint})`, { cause: error });
  }
  if (problems.length > 0) throw new CliError(`nothing is cleaned: ${problems.join("; ")}`);
  return directories;
}

async function askService(service: string, clock: Clock): Promise<string[]> {
  const abort = new AbortController();
  const timer = clock.setTimer(ANSWER_TIMEOUT_MS, () => abort.abort());
  try {
    const response = await fetch(new URL("/directories", service), { signal: abort.signal });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const lines = (await response.text()).split("\n");
    // The last line says that nothing was cut off.
    if (lines.splice(-2).join("\n") !== "end\n") throw new Error("the answer was cut off");
    return lines.map((line) => String(JSON.parse(line)));
  } catch (error) {
    throw new CliError(`--service ${service}: ${(error as Error).message}`, { cause: error });
  } finally {
    timer.cancel();
  }
}
