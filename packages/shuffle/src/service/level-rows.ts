/**
 * Rows of text in a LevelDB, beside one that tells their version.
 *
 *     cannot be read at the start    set aside; what can be read of it is carried over
 *     deleted while it is used       written anew, from what its owner knows
 *     disk full or not writable      writes fail until they work again; what is there stays
 */
import { join } from "node:path";
import { type Clock, nodePlatform } from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";
import {
  cannotOpen,
  detailOf,
  isDamage,
  type LevelDatabase,
  type LevelDatabaseOptions,
  openDatabase,
  readRows,
  setAside,
} from "./level-database.ts";
import type { Row, RowChange, RowStore } from "./row-store.ts";

/** Options of {@link LevelRows}. */
export type LevelRowsOptions = LevelDatabaseOptions;

const ROWS_PER_WRITE = 4096;
/** Looking whether the database is still there costs half of a small write. */
const LOOK_INTERVAL_MS = 1000;

/** See the file comment. */
export class LevelRows implements RowStore {
  /** For people: where it is. */
  readonly description: string;
  readonly #options: LevelRowsOptions;
  /** Null after a write failed: opened again for the next one. */
  #database: LevelDatabase | null;
  #all: (() => Iterable<Row>) | null = null;
  /** One thing after the other. */
  #work: Promise<unknown> = Promise.resolve();
  readonly #clock: Clock;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #isFailing = false;
  #isClosed = false;

  private constructor(options: LevelRowsOptions, database: LevelDatabase) {
    this.#options = options;
    this.#database = database;
    this.#clock = options.clock ?? nodePlatform().clock;
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
      if (this.#database !== null) await readRows(this.#database, rows);
    } catch (error) {
      await this.#database?.close();
      await setAside(this.#options, error);
      this.#database = await openDatabase(this.#options.path);
      await this.write(rows);
    }
    for (const { key, value } of rows) visit(key, value);
  }

  restoreFrom(all: () => Iterable<Row>): void {
    this.#all = all;
  }

  /** @throws ShuffleError REGISTRATION_FAILED when it cannot be written now (rejects). */
  write(changes: readonly RowChange[]): Promise<void> {
    return this.#inOrder(() => this.#write(changes));
  }

  async check(): Promise<void> {
    this.#lookedMs = Number.NEGATIVE_INFINITY;
    await this.#inOrder(() => this.#ready()).catch((error: unknown) => this.#failed(error));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    if (this.#all !== null && this.#database !== null) await this.check();
    this.#isClosed = true;
    await this.#inOrder(async () => this.#database?.close());
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#work.then(work);
    this.#work = done.catch(() => {});
    return done;
  }

  async #write(changes: readonly RowChange[]): Promise<void> {
    try {
      const database = await this.#ready();
      await database.batch(changes.map(operationOf), { sync: true });
    } catch (error) {
      this.#failed(error);
      // LevelDB refuses every write after one that failed: only opening it again helps.
      await this.#database?.close().catch(() => {});
      this.#database = null;
      const text = `the recovery database ${this.description} cannot be written: ${detailOf(error)}`;
      throw new ShuffleError("REGISTRATION_FAILED", text, { cause: error });
    }
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#options.logger.warn(`the recovery database ${this.description} can be written again`);
  }

  /** The database, open and where it belongs. */
  async #ready(): Promise<LevelDatabase> {
    if (this.#isClosed) throw new ShuffleError("CLOSED", `${this.description} is closed`);
    const nowMs = this.#clock.nowMs();
    const isLookDue = this.#database === null || nowMs - this.#lookedMs >= LOOK_INTERVAL_MS;
    if (isLookDue) {
      this.#lookedMs = nowMs;
      if (await this.#isGone()) return this.#writeAnew();
    }
    this.#database ??= await openDatabase(this.#options.path);
    return this.#database;
  }

  /** The process goes on writing into a database that was deleted, and nobody would ever read it. */
  async #isGone(): Promise<boolean> {
    const { files, path } = this.#options;
    const current = await files.readFile(join(path, "CURRENT")).catch(() => null);
    if (current === null) return (await files.stat(join(path, "CURRENT"))) === null;
    const manifest = Buffer.from(current).toString("latin1").trim();
    if (!/^MANIFEST-[0-9]+$/.test(manifest)) return true;
    return (await files.stat(join(path, manifest))) === null;
  }

  async #writeAnew(): Promise<LevelDatabase> {
    const { files, logger, path } = this.#options;
    await this.#database?.close().catch(() => {});
    this.#database = null;
    if ((await files.stat(path)) !== null) {
      await setAside(this.#options, new Error("files of it were deleted or written over"));
    }
    const database = await openDatabase(path);
    let count = 0;
    let batch: Row[] = [];
    const flush = async (): Promise<void> => {
      await database.batch(batch.map(operationOf), { sync: true });
      count += batch.length;
      batch = [];
    };
    for (const row of this.#all?.() ?? []) {
      batch.push(row);
      if (batch.length === ROWS_PER_WRITE) await flush();
    }
    await flush();
    this.#database = database;
    logger.error(
      `the recovery database ${path} was deleted while it was used; it was written anew ` +
        `with the ${count} rows that are known`,
    );
    return database;
  }

  #failed(error: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    const { logger } = this.#options;
    logger.error(
      `the recovery database ${this.description} cannot be written: ${detailOf(error)}; what comes ` +
        "is refused until it can, what is known is served",
    );
  }
}

function operationOf({ key, value }: RowChange): { type: "del"; key: string } | PutOperation {
  return value === null ? { type: "del", key } : { type: "put", key, value };
}

interface PutOperation {
  readonly type: "put";
  readonly key: string;
  readonly value: string;
}
