/**
 * Rows of text in a LevelDB, beside one that tells their version. A database that cannot be read is set
 * aside under another name, so that the service starts and the evidence stays.
 */
import type { Files, Logger } from "@bm/transport";
import type { ClassicLevel } from "classic-level";
import { ShuffleError } from "../shuffle-error.ts";
import { readVersion, VERSION, VERSION_KEY } from "./recovery-rows.ts";
import type { RowChange, RowStore } from "./row-store.ts";

/** Options of {@link LevelRows}. */
export interface LevelRowsOptions {
  /** Folder of the database; made when missing. */
  readonly path: string;
  /** Finds another name for a damaged database. */
  readonly files: Files;
  readonly logger: Logger;
}

type Database = ClassicLevel;

const ROWS_PER_READ = 4096;
/** See the file comment. */
export class LevelRows implements RowStore {
  /** For people: where it is. */
  readonly description: string;
  readonly #options: LevelRowsOptions;
  #database: Database;

  private constructor(options: LevelRowsOptions, database: Database) {
    this.#options = options;
    this.#database = database;
    this.description = options.path;
  }

  /**
   * @throws ShuffleError OPTION_INVALID when another process uses the database, when it is of a newer
   *   version, or cannot be made (rejects).
   */
  static async open(options: LevelRowsOptions): Promise<LevelRows> {
    try {
      return new LevelRows(options, await openDatabase(options.path));
    } catch (error) {
      if (!isDamage(error)) throw cannotOpen(options.path, error);
      await setAside(options, error);
      return new LevelRows(options, await openDatabase(options.path));
    }
  }

  /** What can still be read of a database that turns out to be damaged is carried over. */
  async load(visit: (key: string, value: string) => void): Promise<void> {
    const rows: { key: string; value: string }[] = [];
    try {
      await readRows(this.#database, rows);
    } catch (error) {
      await this.#database.close();
      await setAside(this.#options, error);
      this.#database = await openDatabase(this.#options.path);
      await this.write(rows);
    }
    for (const { key, value } of rows) visit(key, value);
  }

  async write(changes: readonly RowChange[]): Promise<void> {
    const rows = changes.map(({ key, value }) =>
      value === null ? { type: "del" as const, key } : { type: "put" as const, key, value },
    );
    await this.#database.batch(rows, { sync: true });
  }

  async close(): Promise<void> {
    await this.#database.close();
  }
}

async function readRows(database: Database, into: { key: string; value: string }[]): Promise<void> {
  const iterator = database.iterator();
  try {
    for (;;) {
      const rows = await iterator.nextv(ROWS_PER_READ);
      if (rows.length === 0) return;
      for (const [key, value] of rows) if (key !== VERSION_KEY) into.push({ key, value });
    }
  } finally {
    await iterator.close();
  }
}

async function openDatabase(path: string): Promise<Database> {
  // Loaded here: most users of this package have no use for a database.
  const level = await import("classic-level");
  const database: Database = new level.ClassicLevel(path, {
    keyEncoding: "utf8",
    valueEncoding: "utf8",
  });
  await database.open();
  try {
    await checkVersion(database, path);
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}

async function checkVersion(database: Database, path: string): Promise<void> {
  const text = await database.get(VERSION_KEY);
  const version = text === undefined ? VERSION : readVersion(text);
  if (version !== null && version.major !== VERSION.major) {
    const found = `StoreVersion[${version.major}.${version.minor}]`;
    const own = `StoreVersion[${VERSION.major}.${VERSION.minor}]`;
    const detail = `cannot read state DB with version ${found}, incompatible with current version ${own}`;
    throw new ShuffleError("OPTION_INVALID", `${path}: ${detail}`);
  }
  const isCurrent = text !== undefined && version?.minor === VERSION.minor;
  if (!isCurrent) await database.put(VERSION_KEY, JSON.stringify(VERSION), { sync: true });
}

async function setAside({ files, logger, path }: LevelRowsOptions, cause: unknown): Promise<void> {
  for (let number = 1; ; number += 1) {
    const aside = `${path}.damaged-${number}`;
    if ((await files.stat(aside)) !== null) continue;
    await files.rename(path, aside);
    logger.error(
      `the recovery database ${path} is damaged (${detailOf(cause)}); it was set aside as ${aside} ` +
        "and a new one is begun: what could not be read is forgotten",
    );
    return;
  }
}

/** Failures that another try, or an operator, can mend: the database itself may be sound. */
const SURROUNDINGS =
  /permission denied|not permitted|no space|quota|read-only|too many open files|EACCES|EPERM|ENOSPC|EDQUOT|EROFS|EMFILE|ENFILE|ENOENT/i;

function isDamage(error: unknown): boolean {
  return (
    !(error instanceof ShuffleError) && !isLocked(error) && !SURROUNDINGS.test(detailOf(error))
  );
}

function isLocked(error: unknown): boolean {
  return causesOf(error).some(({ code }) => code === "LEVEL_LOCKED");
}

function cannotOpen(path: string, cause: unknown): ShuffleError {
  if (cause instanceof ShuffleError) return cause;
  const why = isLocked(cause) ? "another process uses it" : detailOf(cause);
  return new ShuffleError("OPTION_INVALID", `the recovery database ${path}: ${why}`, { cause });
}

function detailOf(error: unknown): string {
  return causesOf(error)
    .map(({ message }) => message)
    .join(": ");
}

function causesOf(error: unknown): { readonly code?: unknown; readonly message: string }[] {
  const causes: Error[] = [];
  for (let cause = error; cause instanceof Error; cause = cause.cause) causes.push(cause);
  return causes;
}
