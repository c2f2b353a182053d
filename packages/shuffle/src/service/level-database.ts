/** One LevelDB: how it is opened, read, judged and set aside. */
import type { Clock, Files, Logger } from "@bm/transport";
import type { ClassicLevel } from "classic-level";
import { ShuffleError } from "../shuffle-error.ts";
import { readVersion, VERSION, VERSION_KEY } from "./recovery-rows.ts";

/** Which database, and what is needed to look after it. */
export interface LevelDatabaseOptions {
  /** Folder of the database; made when missing. */
  readonly path: string;
  /** Finds another name for a damaged database. */
  readonly files: Files;
  readonly logger: Logger;
  /** Default: the real one. */
  readonly clock?: Clock | undefined;
}

/** Rows of text. */
export type LevelDatabase = ClassicLevel;

const ROWS_PER_READ = 4096;

/** Every row but that of the version. */
export async function readRows(
  database: LevelDatabase,
  into: { key: string; value: string }[],
): Promise<void> {
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

/**
 * Opens it, makes it when it is missing.
 * @throws ShuffleError OPTION_INVALID for another version; LevelDB's error (rejects).
 */
export async function openDatabase(path: string): Promise<LevelDatabase> {
  // Loaded here: most users of this package have no use for a database.
  const level = await import("classic-level");
  const database: LevelDatabase = new level.ClassicLevel(path, {
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

async function checkVersion(database: LevelDatabase, path: string): Promise<void> {
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

/** Gives a damaged database another name, so that a new one can be begun under its own. */
export async function setAside(
  { files, logger, path }: LevelDatabaseOptions,
  cause: unknown,
): Promise<void> {
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

/** True when the database itself is at fault, not what surrounds it. */
export function isDamage(error: unknown): boolean {
  return (
    !(error instanceof ShuffleError) && !isLocked(error) && !SURROUNDINGS.test(detailOf(error))
  );
}

function isLocked(error: unknown): boolean {
  return causesOf(error).some(({ code }) => code === "LEVEL_LOCKED");
}

/** Why a database cannot be opened, for people. */
export function cannotOpen(path: string, cause: unknown): ShuffleError {
  if (cause instanceof ShuffleError) return cause;
  const why = isLocked(cause) ? "another process uses it" : detailOf(cause);
  return new ShuffleError("OPTION_INVALID", `the recovery database ${path}: ${why}`, { cause });
}

/** The messages of an error and its causes. */
export function detailOf(error: unknown): string {
  return causesOf(error)
    .map(({ message }) => message)
    .join(": ");
}

function causesOf(error: unknown): { readonly code?: unknown; readonly message: string }[] {
  const causes: Error[] = [];
  for (let cause = error; cause instanceof Error; cause = cause.cause) causes.push(cause);
  return causes;
}
