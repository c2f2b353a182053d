/** The durations of the last fetches, and how long the slow ones of them took. */
export class LatencyWindow {
  readonly #samples: Float64Array;
  readonly #quantile: number;
  #count = 0;
  #cached: number | null = null;
  #cachedAt = 0;

  /** `quantile` lies between 0 and 1. */
  constructor(size: number, quantile: number) {
    this.#samples = new Float64Array(size);
    this.#quantile = quantile;
  }

  /** Durations that were added, those that were dropped again included. */
  get count(): number {
    return this.#count;
  }

  add(durationMs: number): void {
    this.#samples[this.#count % this.#samples.length] = durationMs;
    this.#count += 1;
  }

  /** The quantile of the window; null as long as it is empty. */
  quantileMs(): number | null {
    const filled = Math.min(this.#count, this.#samples.length);
    if (filled === 0) return null;
    // Sorting for each fetch would cost more than many of them; a 32nd of the window changes little.
    if (this.#cached === null || this.#count - this.#cachedAt > filled / 32) {
      const sorted = this.#samples.slice(0, filled).toSorted();
      this.#cached = sorted[Math.min(filled - 1, Math.floor(filled * this.#quantile))] ?? null;
      this.#cachedAt = this.#count;
    }
    return this.#cached;
  }
}
