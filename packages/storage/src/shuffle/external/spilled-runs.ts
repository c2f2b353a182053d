/**
 * Sorted runs of records in files, and their merge into one sorted run.
 *
 * At most 64 runs are kept: before there are more they are merged into one, so that the memory of a merge
 * and the number of open files have a bound.
 */
import { RunCursor } from "./run-cursor.ts";
import type { Ranked, RunOrder } from "./run-order.ts";
import { type RunFormat, RunReader, type WrittenRun, writeRun } from "./spilled-run.ts";

/** What {@link SpilledRuns} takes. */
export interface SpilledRunsOptions<Key, Value, Rank> extends RunFormat<Key, Value> {
  readonly order: RunOrder<Key, Rank>;
  /** Makes one record of two whose ranks are equal; null keeps both. */
  readonly merge: ((one: Value, other: Value) => Value) | null;
  /** A path for a new file, in a directory that exists. */
  readonly createPath: () => Promise<string>;
}

const RUNS_MAX = 64;
/** Records in one batch of a merge. */
const BATCH_RECORDS = 4096;

/** See the file comment. */
export class SpilledRuns<Key, Value, Rank> {
  readonly #options: SpilledRunsOptions<Key, Value, Rank>;
  #runs: WrittenRun[] = [];
  #spillCount = 0;
  #spilledBytes = 0;

  constructor(options: SpilledRunsOptions<Key, Value, Rank>) {
    this.#options = options;
  }

  /** Runs that were written by `spill`. */
  get spillCount(): number {
    return this.#spillCount;
  }

  /** Bytes that were written, those of merges in between too. */
  get spilledBytes(): number {
    return this.#spilledBytes;
  }

  /** Writes records as a run. @throws StorageError DISK_FULL; TransportError FILE_FAILED (rejects). */
  async spill(records: Ranked<Key, Value, Rank>[]): Promise<void> {
    if (this.#runs.length >= RUNS_MAX) await this.#mergeAll();
    this.#runs.push(await this.#write([this.#sorted(records)]));
    this.#spillCount += 1;
  }

  /** All runs and `rest`, in order and in batches. The files stay until `close`. */
  async *merged(
    rest: Ranked<Key, Value, Rank>[],
  ): AsyncGenerator<readonly Ranked<Key, Value, Rank>[], void, void> {
    const { order } = this.#options;
    const cursors = [
      ...this.#runs.map((run) => new RunCursor(order, new RunReader(this.#options, run))),
      new RunCursor(order, this.#sorted(rest)),
    ];
    try {
      yield* this.#merge(cursors);
    } finally {
      await Promise.all(cursors.map((cursor) => cursor.close()));
    }
  }

  /** Removes the files. Safe to call twice. */
  async close(): Promise<void> {
    const runs = this.#runs;
    this.#runs = [];
    await Promise.all(runs.map(({ path }) => this.#options.files.remove(path)));
  }

  async #mergeAll(): Promise<void> {
    const runs = this.#runs;
    const merged = await this.#write(this.merged([]));
    this.#runs = [merged];
    await Promise.all(runs.map(({ path }) => this.#options.files.remove(path)));
  }

  async #write(batches: Parameters<typeof writeRun<Key, Value>>[2]): Promise<WrittenRun> {
    const run = await writeRun(this.#options, await this.#options.createPath(), batches);
    this.#spilledBytes += run.bytes;
    return run;
  }

  async *#merge(
    cursors: readonly RunCursor<Key, Value, Rank>[],
  ): AsyncGenerator<readonly Ranked<Key, Value, Rank>[], void, void> {
    const waiting: RunCursor<Key, Value, Rank>[] = [];
    for (const cursor of cursors) {
      if (cursor.head !== undefined || (await cursor.refill())) this.#insert(waiting, cursor);
    }
    let batch: Ranked<Key, Value, Rank>[] = [];
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      this.#take(batch, next);
      if (next.head !== undefined || (await next.refill())) this.#insert(waiting, next);
      if (batch.length > BATCH_RECORDS) {
        // The last one may still grow by its equals.
        const last = batch.splice(BATCH_RECORDS);
        yield batch;
        batch = last;
      }
    }
    yield batch;
  }

  #take(batch: Ranked<Key, Value, Rank>[], cursor: RunCursor<Key, Value, Rank>): void {
    const { order, merge } = this.#options;
    const { head } = cursor;
    const last = batch.at(-1);
    if (head === undefined) return;
    if (merge !== null && last !== undefined && order.compare(last.rank, head.rank) === 0) {
      batch[batch.length - 1] = { ...last, value: merge(last.value, head.value) };
    } else batch.push(head);
    cursor.advance();
  }

  /** By its head, from the smallest on. Few enough that moving them beats a heap's bookkeeping. */
  #insert(waiting: RunCursor<Key, Value, Rank>[], cursor: RunCursor<Key, Value, Rank>): void {
    let low = 0;
    let high = waiting.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBefore(waiting[middle], cursor)) low = middle + 1;
      else high = middle;
    }
    waiting.splice(low, 0, cursor);
  }

  #isBefore(
    one: RunCursor<Key, Value, Rank> | undefined,
    other: RunCursor<Key, Value, Rank>,
  ): boolean {
    if (one?.head === undefined || other.head === undefined) return false;
    return this.#options.order.compare(one.head.rank, other.head.rank) < 0;
  }

  #sorted(records: Ranked<Key, Value, Rank>[]): Ranked<Key, Value, Rank>[] {
    const { order } = this.#options;
    return records.toSorted((one, other) => order.compare(one.rank, other.rank));
  }
}
