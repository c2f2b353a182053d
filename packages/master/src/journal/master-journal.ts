/**
 * What lets a driver take up where it was killed: the registrations, locations and map outputs that
 * the master and the tracker know, as rows of a database.
 *
 * Changes are collected and written together, in the background and in their order, so that what is
 * on disk is always what was known at one earlier moment. A killed process loses at most the changes
 * of the last `flushIntervalMs` and of one write; so does a machine that loses its power, since each
 * write is synced. What was lost comes back: restored block managers are told to register again and
 * report everything.
 */
import { type Logger, nodePlatform, type Platform, silentLogger, type Timer } from "@bm/transport";
import { LevelRowStore } from "./level-row-store.ts";
import type { RowChange, RowStore } from "./row-store.ts";

/** What a {@link MasterJournal} takes. */
export interface MasterJournalOptions {
  /** Time for which changes are collected. Default: 20. */
  readonly flushIntervalMs?: number | undefined;
  /** Changed rows that may wait for the disk; see {@link JournalState.isGivenUp}. Default: 1,000,000. */
  readonly waitingRowsMax?: number | undefined;
  /** Default: that of the real machine. */
  readonly platform?: Platform | undefined;
  /** Default: says nothing. */
  readonly logger?: Logger | undefined;
}

/** How the journal keeps up. */
export interface JournalState {
  /** Rows that are not on disk yet. */
  readonly waitingRows: number;
  /** Rows that were written or removed. */
  readonly writtenRows: number;
  /** Writes that failed, and were or will be tried again. */
  readonly failedWrites: number;
  /**
   * More rows waited than may: nothing is written any more. What is on disk stays as it was, and is
   * put right by new reports when a driver starts from it.
   */
  readonly isGivenUp: boolean;
}

const FLUSH_INTERVAL_MS_DEFAULT = 20;
const WAITING_ROWS_MAX_DEFAULT = 1_000_000;
/** So many rows are written without waiting for more. */
const ROWS_AT_ONCE = 10_000;
const RETRY_MS = 1000;
const GENERATION_KEY = "generation";

/** See the file comment. */
export class MasterJournal {
  /** Counts the drivers that started from this state, this one included. */
  readonly generation: number;
  readonly #store: RowStore;
  readonly #platform: Platform;
  readonly #logger: Logger;
  readonly #flushIntervalMs: number;
  readonly #waitingRowsMax: number;
  /** The last change of each row. */
  #waiting = new Map<string, Uint8Array | null>();
  #timer: Timer | null = null;
  #writing: Promise<void> | null = null;
  #writtenRows = 0;
  #failedWrites = 0;
  #failedInRow = 0;
  #isGivenUp = false;
  #isClosed = false;

  private constructor(store: RowStore, options: MasterJournalOptions, generation: number) {
    this.#store = store;
    this.#platform = options.platform ?? nodePlatform();
    this.#logger = options.logger ?? silentLogger;
    this.#flushIntervalMs = options.flushIntervalMs ?? FLUSH_INTERVAL_MS_DEFAULT;
    this.#waitingRowsMax = options.waitingRowsMax ?? WAITING_ROWS_MAX_DEFAULT;
    this.generation = generation;
  }

  /**
   * With a LevelDB in the folder `masterStateDir`, of this driver alone, which is made when missing.
   * @throws MasterError STATE_UNUSABLE (rejects).
   */
  static async open(
    options: MasterJournalOptions & { readonly masterStateDir: string },
  ): Promise<MasterJournal> {
    const { masterStateDir: path, logger = silentLogger } = options;
    const { files } = options.platform ?? nodePlatform();
    return MasterJournal.over(await LevelRowStore.open({ path, files, logger }), options);
  }

  /** With any other store, which it closes. */
  static async over(store: RowStore, options: MasterJournalOptions = {}): Promise<MasterJournal> {
    let generation = 1;
    await store.read(GENERATION_KEY, (_key, value) => {
      generation = Number(Buffer.from(value).toString()) + 1 || 1;
    });
    await store.write([{ key: GENERATION_KEY, value: Buffer.from(String(generation)) }]);
    return new MasterJournal(store, options, generation);
  }

  /** How it keeps up. */
  get state(): JournalState {
    return {
      waitingRows: this.#waiting.size,
      writtenRows: this.#writtenRows,
      failedWrites: this.#failedWrites,
      isGivenUp: this.#isGivenUp,
    };
  }

  /** Hands every row on disk whose key starts so to `visit`. */
  read(prefix: string, visit: (key: string, value: Uint8Array) => void): Promise<void> {
    return this.#store.read(prefix, visit);
  }

  /** Writes a row soon; keeps the bytes. */
  put(key: string, value: Uint8Array): void {
    this.#change(key, value);
  }

  /** Removes a row soon. */
  delete(key: string): void {
    this.#change(key, null);
  }

  /** Resolves when the changes so far are on disk, or have been tried. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#waiting.size > 0) await this.#write();
  }

  /** Writes what waits, then closes. Safe to call twice. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.flush();
    await this.#store.close();
  }

  /** Closes without what waits. Safe to call twice. */
  async abort(_reason?: Error): Promise<void> {
    this.#waiting.clear();
    await this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #change(key: string, value: Uint8Array | null): void {
    if (this.#isGivenUp || this.#isClosed) return;
    this.#waiting.set(key, value);
    if (this.#waiting.size > this.#waitingRowsMax) this.#giveUp();
    else if (this.#waiting.size === ROWS_AT_ONCE) this.#writeIn(0);
    else if (this.#timer === null) this.#writeIn(this.#flushIntervalMs);
  }

  #writeIn(delayMs: number): void {
    if (this.#isClosed || this.#writing !== null) return;
    this.#timer?.cancel();
    this.#timer = this.#platform.clock.setTimer(delayMs, () => void this.#write(), { unref: true });
  }

  #write(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    this.#writing ??= this.#writeWaiting().finally(() => {
      this.#writing = null;
      if (this.#waiting.size > 0) {
        this.#writeIn(this.#failedInRow > 0 ? RETRY_MS : this.#flushIntervalMs);
      }
    });
    return this.#writing;
  }

  /** Never rejects. */
  async #writeWaiting(): Promise<void> {
    const rows = this.#waiting;
    this.#waiting = new Map();
    const changes: RowChange[] = [...rows].map(([key, value]) => ({ key, value }));
    try {
      await this.#store.write(changes);
      this.#writtenRows += changes.length;
      this.#failedInRow = 0;
    } catch (error) {
      // What changed meanwhile is newer than what could not be written.
      this.#waiting = new Map([...rows, ...this.#waiting]);
      this.#failedWrites += 1;
      this.#failedInRow += 1;
      const where = this.#store.description;
      const text = `the master's state cannot be written to ${where}: ${String(error)}`;
      if (this.#failedInRow === 1) this.#logger.error(text);
    }
  }

  #giveUp(): void {
    this.#isGivenUp = true;
    this.#waiting.clear();
    const where = this.#store.description;
    this.#logger.error(
      `more than ${this.#waitingRowsMax} changes wait for the master's state in ${where}: ` +
        "it is not written any more",
    );
  }
}
