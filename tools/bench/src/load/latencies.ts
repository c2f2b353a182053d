/** Beyond this many the oldest are overwritten: the last million says enough. */
const SAMPLES_MAX = 2 ** 20;

/** Times of single operations, in milliseconds. */
export class Latencies {
  readonly #samples = new Float64Array(SAMPLES_MAX);
  #count = 0;

  add(milliseconds: number): void {
    this.#samples[this.#count % SAMPLES_MAX] = milliseconds;
    this.#count += 1;
  }

  /** In microseconds; 0 when nothing was recorded. */
  percentiles<Names extends string>(shares: Record<Names, number>): Record<Names, number> {
    const sorted = this.#samples.slice(0, Math.min(this.#count, SAMPLES_MAX)).toSorted();
    const entries = Object.entries<number>(shares).map(([name, share]) => {
      const at = Math.min(sorted.length - 1, Math.floor(sorted.length * share));
      return [name, (sorted[at] ?? 0) * 1000];
    });
    return Object.fromEntries(entries) as Record<Names, number>;
  }
}
