/**
 * Rows in a LevelDB, beside one that tells their version. A database that cannot be read is set aside
 * under another name, so that the driver starts and the evidence stays: what it knew comes back by
 * the reports of those who register again.
 */
import type { Files, Logger } from "@bm/transport";
import type { ClassicLevel } from "classic-level";
import { MasterError } from "../master-error.ts";
import type { RowChange, RowStore } from "./row-store.ts";

/** Options of {@link LevelRowStore}. */
export interface LevelRowStoreOptions {
  /** Folder of the database; made when missing. */
  readonly path: string;
  /** Finds another name for a damaged database. */
  readonly files: Files;
  readonly logger: Logger;
}

type Database = ClassicLevel<string, Uint8Array>;

const ROWS_PER_READ = 4096;
const VERSION_KEY = "version";
/** Rows of another version are not ours to read. */
const VERSION = "1";
/** Behind every character that a key has. */
const AFTER_ALL = "\u{10FFFF}";

/** See the file comment. */
export class LevelRowStore implements RowStore {
  readonly description: string;
  readonly #options: LevelRowStoreOptions;
  #database: Database;
  #isClosed = false;

  private constructor(options: LevelRowStoreOptions, database: Database) {
    this.#options = options;
    this.#database = database;
    this.description = options.path;
  }

  /**
   * @throws MasterError STATE_UNUSABLE when another process uses the database, when it is of another
   *   version, or cannot be made (rejects).
   */
  static async open(options: LevelRowStoreOptions): Promise<LevelRowStore> {
    const { files, path } = options;
    try {
      await files.makeDirectory(path);
      return new LevelRowStore(options, await openDatabase(path));
    } catch (error) {
      if (!isDamage(error)) throw cannotOpen(path, error);
      await setAside(options, error);
      return new LevelRowStore(options, await openDatabase(path));
    }
  }

  /**
   * A database that turns out to be damaged ends here: what it had beyond is forgotten.
   * @throws MasterError STATE_UNUSABLE - closed meanwhile (rejects).
   */
  async read(prefix: string, visit: (key: string, value: Uint8Array) => void): Promise<void> {
    try {
      await this.#read(prefix, visit);
    } catch (error) {
      if (this.#isClosed) throw cannotOpen(this.description, error);
      await this.#database.close();
      await setAside(this.#options, error);
      this.#database = await openDatabase(this.#options.path);
    }
  }

  async write(changes: readonly RowChange[]): Promise<void> {
    const rows = changes.map(({ key, value }) =>
      value === null ? { type: "del" as const, key } : { type: "put" as const, key, value },
    );
    await this.#database.batch(rows, { sync: true });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#database.close();
  }

  async #read(prefix: string, visit: (key: string, value: Uint8Array) => void): Promise<void> {
    const iterator = this.#database.iterator({ gte: prefix, lt: prefix + AFTER_ALL });
    try {
      for (;;) {
        const rows = await iterator.nextv(ROWS_PER_READ);
        if (rows.length === 0) return;
        for (const [key, value] of rows) visit(key, value);
      }
    } finally {
      await iterator.close();
    }
  }
}

async function openDatabase(path: string): Promise<Database> {
  // Loaded here: most users of this package have no use for a database.
  const level = await import("classic-level");
  const database: Database = new level.ClassicLevel<string, Uint8Array>(path, {
    keyEncoding: "utf8",
    valueEncoding: "view",
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
  const bytes = await database.get(VERSION_KEY);
  if (bytes === undefined) {
    await database.put(VERSION_KEY, Buffer.from(VERSION), { sync: true });
    return;
  }
  const version = Buffer.from(bytes).toString();
  if (version === VERSION) return;
  const text = `${path} is of version ${version}, this is version ${VERSION}`;
  throw new MasterError("STATE_UNUSABLE", text);
}

async function setAside(options: LevelRowStoreOptions, cause: unknown): Promise<void> {
  const { files, logger, path } = options;
  for (let number = 1; ; number += 1) {
    const aside = `${path}.damaged-${number}`;
    if ((await files.stat(aside)) !== null) continue;
    await files.rename(path, aside);
    logger.error(
      `the master's state in ${path} is damaged (${detailOf(cause)}); it was set aside as ${aside} ` +
        "and a new one is begun: block managers register again, lost map output is computed again",
    );
    return;
  }
}

/** Failures that another try, or an operator, can mend: the database itself may be sound. */
const SURROUNDINGS =
  /permission denied|not permitted|no space|quota|read-only|too many open files|EACCES|EPERM|ENOSPC|EDQUOT|EROFS|EMFILE|ENFILE|ENOENT|ENOTDIR|EEXIST/i;

function isDamage(error: unknown): boolean {
  return !(error instanceof MasterError) && !isLocked(error) && !SURROUNDINGS.test(detailOf(error));
}

function isLocked(error: unknown): boolean {
  return causesOf(error).some(({ code }) => code === "LEVEL_LOCKED");
}

function cannotOpen(path: string, cause: unknown): MasterError {
  if (cause instanceof MasterError) return cause;
  const why = isLocked(cause) ? "another process uses it" : detailOf(cause);
  return new MasterError("STATE_UNUSABLE", `the master's state in ${path}: ${why}`, { cause });
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
