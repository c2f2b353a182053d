import type { Ranked, RunOrder } from "./run-order.ts";
import { RunReader } from "./spilled-run.ts";

/** The place in one sorted run up to which a merge has come. */
export class RunCursor<Key, Value, Rank> {
  readonly #order: RunOrder<Key, Rank>;
  readonly #source: RunReader<Key, Value> | null;
  #batch: readonly Ranked<Key, Value, Rank>[];
  #at = 0;

  /** A run in a file, or one in memory. */
  constructor(
    order: RunOrder<Key, Rank>,
    source: RunReader<Key, Value> | readonly Ranked<Key, Value, Rank>[],
  ) {
    this.#order = order;
    this.#source = source instanceof RunReader ? source : null;
    this.#batch = source instanceof RunReader ? [] : source;
  }

  /** The record that is next; undefined when more must be read, or at the end. */
  get head(): Ranked<Key, Value, Rank> | undefined {
    return this.#batch[this.#at];
  }

  /** Moves on by one record. */
  advance(): void {
    this.#at += 1;
  }

  /** Reads more after `head` was undefined; false at the end. */
  async refill(): Promise<boolean> {
    const records = (await this.#source?.next()) ?? [];
    this.#batch = records.map(([key, value]) => ({ rank: this.#order.rankOf(key), key, value }));
    this.#at = 0;
    return records.length > 0;
  }

  async close(): Promise<void> {
    await this.#source?.close();
  }
}
