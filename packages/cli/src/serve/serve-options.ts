/** What `bm serve` was asked for: flags first, then the environment, then the conf file. */
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { ServiceConf } from "@bm/shuffle";
import type { Files } from "@bm/transport";
import { CliError } from "../cli-error.ts";
import { parseSparkDefaults } from "../conf/spark-defaults.ts";
import { LOG_LEVELS, type LogLevel, readLogLevel } from "../platform/line-logger.ts";

/** As the command line gives them. */
export interface ServeFlags {
  readonly port?: number | undefined;
  readonly host?: string | undefined;
  readonly threads?: number | undefined;
  readonly dir?: readonly string[] | undefined;
  readonly conf?: string | undefined;
  readonly set?: readonly string[] | undefined;
  readonly db?: string | undefined;
  readonly sparkMaster?: string | undefined;
  readonly httpPort?: number | undefined;
  readonly httpHost: string;
  readonly http: boolean;
  /** Undefined: as the conf file says. */
  readonly logLevel?: LogLevel | undefined;
}

/** What a service is started with. */
export interface ServePlan {
  readonly conf: Readonly<Record<string, string>>;
  readonly port: number;
  /** Undefined: every interface. */
  readonly host: string | undefined;
  /** Absolute; empty: any directory is accepted. */
  readonly dirs: readonly string[];
  /** Null: registrations are not kept. */
  readonly database: string | null;
  /** Web address of a Spark master; null: nobody is asked which applications have ended. */
  readonly sparkMaster: string | null;
  /** Null: no HTTP. */
  readonly http: { readonly host: string; readonly port: number } | null;
  readonly logLevel: LogLevel;
}

/**
 * Not Spark's name for its own: two services over the same directories would fight over one database,
 * and Spark's replaces what it cannot open. `--db` names a database of Spark's to take over.
 */
export const DATABASE_NAME = "bm-registered-executors.ldb";

/**
 * Event loops unless somebody says otherwise: one for two cores, because executors or readers want the other,
 * and four feed the disks of a machine. On two cores one loop gave four readers as many blocks as two did,
 * and had 105 MiB instead of 135.
 */
export const LOOPS_DEFAULT: number = Math.min(Math.ceil(availableParallelism() / 2), 4);

/**
 * Puts flags, environment and conf file together.
 * @throws CliError; ShuffleError, TransportError OPTION_INVALID for a bad value (rejects).
 */
export async function planService(
  flags: ServeFlags,
  files: Files,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ServePlan> {
  const values = await readValues(flags, files);
  const conf = new ServiceConf(values);
  conf.check();
  const port = flags.port ?? conf.count("spark.shuffle.service.port");
  if (port > 65_535) throw new CliError(`port ${port} is above 65535`);
  const dirs = directories(flags, environment, conf).map((dir) => resolve(dir));
  for (const dir of dirs) await checkDirectory(dir, files);
  const isKept = conf.boolean("spark.shuffle.service.db.enabled");
  const database = isKept ? await databasePath(flags.db, dirs, files) : null;
  const httpPort = flags.httpPort ?? (port === 0 ? 0 : port + 1);
  const http = flags.http ? { host: flags.httpHost, port: httpPort } : null;
  const sparkMaster = readMaster(flags.sparkMaster);
  const logLevel = levelOf(flags, conf);
  return { conf: values, port, host: flags.host, dirs, database, sparkMaster, http, logLevel };
}

/**
 * What of a plan is read again while its service runs.
 * @throws CliError; ShuffleError, TransportError OPTION_INVALID for a bad value (rejects).
 */
export async function planAgain(
  flags: ServeFlags,
  files: Files,
): Promise<Pick<ServePlan, "conf" | "logLevel">> {
  const values = await readValues(flags, files);
  const conf = new ServiceConf(values);
  conf.check();
  return { conf: values, logLevel: levelOf(flags, conf) };
}

async function readValues(flags: ServeFlags, files: Files): Promise<Record<string, string>> {
  const { threads } = flags;
  return {
    "bm.service.threads": String(LOOPS_DEFAULT),
    ...(await readConf(flags.conf, files)),
    ...settings(flags.set ?? []),
    ...(threads === undefined ? {} : { "bm.service.threads": String(threads) }),
  };
}

function levelOf({ logLevel }: ServeFlags, conf: ServiceConf): LogLevel {
  const text = conf.text("bm.service.log.level");
  const level = logLevel ?? readLogLevel(text);
  if (level !== null) return level;
  throw new CliError(`bm.service.log.level=${text}: one of ${LOG_LEVELS.join(", ")}`);
}

function readMaster(url: string | undefined): string | null {
  if (url === undefined) return null;
  if (/^https?:\/\//.test(url) && URL.canParse(url)) return url;
  throw new CliError(`--spark-master ${url}: the address of its web page, as http://master:8080`);
}

async function readConf(path: string | undefined, files: Files): Promise<Record<string, string>> {
  if (path === undefined) return {};
  try {
    return parseSparkDefaults(Buffer.from(await files.readFile(path)).toString());
  } catch (error) {
    throw new CliError(`--conf ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function settings(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf("=");
      if (equals <= 0) throw new CliError(`--set ${pair}: KEY=VALUE is needed`);
      return [pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()];
    }),
  );
}

function directories(
  { dir }: ServeFlags,
  environment: Readonly<Record<string, string | undefined>>,
  conf: ServiceConf,
): readonly string[] {
  if (dir !== undefined && dir.length > 0) return dir;
  const listed = environment["SPARK_LOCAL_DIRS"] ?? conf.text("spark.local.dir");
  return listed
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

async function checkDirectory(dir: string, files: Files): Promise<void> {
  const stat = await files.stat(dir);
  if (stat?.isDirectory !== true) throw new CliError(`--dir ${dir}: there is no such directory`);
}

/** As Spark: the first directory that has a database, else the first one. */
async function databasePath(
  flag: string | undefined,
  dirs: readonly string[],
  files: Files,
): Promise<string | null> {
  if (flag !== undefined) return resolve(flag);
  for (const dir of dirs) {
    const path = join(dir, DATABASE_NAME);
    if ((await files.stat(path)) !== null) return path;
  }
  return dirs[0] === undefined ? null : join(dirs[0], DATABASE_NAME);
}
