import { ENTRY_BYTES, plainBytes } from "../combine-buffer.ts";
import type { ExternalOptions } from "./external-append-only-map.ts";
import { orderBy, type Ranked } from "./run-order.ts";
import { SpilledRuns } from "./spilled-runs.ts";

/** Sorts records by key. What does not fit into its memory is spilled, sorted, and merged at the end. */
export class ExternalSorter<Key, Value> {
  readonly #memoryBytesMax: number;
  readonly #bytesOf: (value: Value) => number;
  readonly #runs: SpilledRuns<Key, Value, Key>;
  #records: Ranked<Key, Value, Key>[] = [];
  #bytes = 0;

  /** @param bytesOf memory of a value, roughly. */
  constructor(
    options: ExternalOptions<Key, Value>,
    compare: (one: Key, other: Key) => number,
    bytesOf: (value: Value) => number = plainBytes,
  ) {
    this.#memoryBytesMax = options.memoryBytesMax;
    this.#bytesOf = bytesOf;
    this.#runs = new SpilledRuns({ ...options, order: orderBy(compare), merge: null });
  }

  get runs(): Pick<SpilledRuns<Key, Value, Key>, "spillCount" | "spilledBytes"> {
    return this.#runs;
  }

  /** Takes records in. @throws StorageError DISK_FULL; TransportError FILE_FAILED (rejects). */
  async insertAll(records: readonly (readonly [Key, Value])[]): Promise<void> {
    for (const [key, value] of records) {
      this.#records.push({ rank: key, key, value });
      this.#bytes += ENTRY_BYTES + plainBytes(key) + this.#bytesOf(value);
      if (this.#bytes >= this.#memoryBytesMax) await this.#runs.spill(this.#take());
    }
  }

  /** Every record, in order and in batches. To be read once. */
  async *batches(): AsyncGenerator<readonly (readonly [Key, Value])[], void, void> {
    for await (const batch of this.#runs.merged(this.#take())) {
      yield batch.map(({ key, value }) => [key, value]);
    }
  }

  /** Gives memory and files back. Safe to call twice. */
  async close(): Promise<void> {
    this.#records = [];
    await this.#runs.close();
  }

  #take(): Ranked<Key, Value, Key>[] {
    const records = this.#records;
    this.#records = [];
    this.#bytes = 0;
    return records;
  }
}
