import type { Aggregator } from "./shuffle-handle.ts";

/** An entry of the map without what key and value take beyond a few bytes, as measured. */
export const ENTRY_BYTES = 128;

/** Combines values by key in memory, and knows roughly how much of it that takes. */
export class CombineBuffer<Key, Value, Combined> {
  readonly #aggregator: Aggregator<Value, Combined>;
  readonly #entries = new Map<Key, Combined>();
  #bytes = 0;

  constructor(aggregator: Aggregator<Value, Combined>) {
    this.#aggregator = aggregator;
  }

  /** Estimated memory. */
  get bytes(): number {
    return this.#bytes;
  }

  take(key: Key, value: Value): void {
    const known = this.#entries.get(key);
    if (known === undefined) {
      const combined = this.#aggregator.create(value);
      this.#entries.set(key, combined);
      this.#bytes += ENTRY_BYTES + plainBytes(key) + this.#bytesOf(combined);
      return;
    }
    // Taken before, for the aggregator may add to the very value that it is given.
    const knownBytes = this.#bytesOf(known);
    const combined = this.#aggregator.add(known, value);
    this.#entries.set(key, combined);
    this.#bytes += this.#bytesOf(combined) - knownBytes;
  }

  /** Every key once. */
  entries(): Iterable<readonly [Key, Combined]> {
    return this.#entries;
  }

  /** Gives every key once, and is empty afterwards. */
  drain(take: (key: Key, combined: Combined) => void): void {
    for (const [key, combined] of this.#entries) take(key, combined);
    this.clear();
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #bytesOf(combined: Combined): number {
    return this.#aggregator.bytesOf?.(combined) ?? plainBytes(combined);
  }
}

/** Memory of what can be measured at a glance; for the rest ENTRY_BYTES has to do. */
export function plainBytes(value: unknown): number {
  if (typeof value === "string") return value.length;
  return value instanceof Uint8Array ? value.byteLength : 0;
}
