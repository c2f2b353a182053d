import { CombineBuffer } from "../combine-buffer.ts";
import type { Aggregator } from "../shuffle-handle.ts";
import { orderByBytes, type Ranked } from "./run-order.ts";
import type { RunFormat } from "./spilled-run.ts";
import { SpilledRuns } from "./spilled-runs.ts";

/** What {@link ExternalAppendOnlyMap} and {@link ExternalSorter} take. */
export interface ExternalOptions<Key, Value> extends RunFormat<Key, Value> {
  /** Estimated memory of the records at which they are spilled. */
  readonly memoryBytesMax: number;
  /** A path for a new file, in a directory that exists. */
  readonly createPath: () => Promise<string>;
}

type Entry<Key, Value> = readonly [Key, Value];

/** Records of one batch of what was never spilled. */
const BATCH_RECORDS = 4096;

/**
 * Combines values by key. What does not fit into its memory is spilled, in the order of the keys' bytes,
 * and combined when the runs are merged.
 */
export class ExternalAppendOnlyMap<Key, Combined> {
  readonly #memoryBytesMax: number;
  readonly #buffer: CombineBuffer<Key, Combined, Combined>;
  readonly #order;
  readonly #runs: SpilledRuns<Key, Combined, string>;

  constructor(
    options: ExternalOptions<Key, Combined>,
    { merge, bytesOf }: Pick<Aggregator<unknown, Combined>, "merge" | "bytesOf">,
  ) {
    this.#memoryBytesMax = options.memoryBytesMax;
    this.#order = orderByBytes(options.serializer.key);
    this.#buffer = new CombineBuffer({
      create: (combined) => combined,
      add: merge,
      merge,
      ...(bytesOf && { bytesOf }),
    });
    this.#runs = new SpilledRuns({ ...options, order: this.#order, merge });
  }

  get runs(): Pick<SpilledRuns<Key, Combined, string>, "spillCount" | "spilledBytes"> {
    return this.#runs;
  }

  /** Takes records in. @throws StorageError DISK_FULL; TransportError FILE_FAILED (rejects). */
  async insertAll(records: readonly Entry<Key, Combined>[]): Promise<void> {
    for (const [key, combined] of records) {
      this.#buffer.take(key, combined);
      if (this.#buffer.bytes >= this.#memoryBytesMax) await this.#runs.spill(this.#drain());
    }
  }

  /** Every key once, in batches and in no particular order. To be read once. */
  async *batches(): AsyncGenerator<readonly Entry<Key, Combined>[], void, void> {
    if (this.#runs.spillCount === 0) yield* this.#inMemory();
    else {
      for await (const batch of this.#runs.merged(this.#drain())) {
        yield batch.map(({ key, value }) => [key, value]);
      }
    }
  }

  /** Gives memory and files back. Safe to call twice. */
  async close(): Promise<void> {
    this.#buffer.clear();
    await this.#runs.close();
  }

  *#inMemory(): Generator<readonly Entry<Key, Combined>[], void, void> {
    let batch: Entry<Key, Combined>[] = [];
    for (const entry of this.#buffer.entries()) {
      batch.push(entry);
      if (batch.length < BATCH_RECORDS) continue;
      yield batch;
      batch = [];
    }
    yield batch;
  }

  #drain(): Ranked<Key, Combined, string>[] {
    const records: Ranked<Key, Combined, string>[] = [];
    this.#buffer.drain((key, value) => {
      records.push({ rank: this.#order.rankOf(key), key, value });
    });
    return records;
  }
}
