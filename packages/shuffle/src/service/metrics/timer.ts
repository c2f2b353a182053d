/** How long something takes: count, sum, and quantiles of the last values. */
import type { Clock } from "@bm/transport";

/** Figures of a {@link Timer} in milliseconds. */
export interface TimerSnapshot {
  readonly count: number;
  readonly sumMs: number;
  readonly minMs: number;
  readonly meanMs: number;
  readonly maxMs: number;
  readonly p50Ms: number;
  readonly p75Ms: number;
  readonly p95Ms: number;
  readonly p98Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

/** Values on their way from one timer to another; of very many only the last are kept. */
export interface TimerValues {
  readonly count: number;
  readonly sumMs: number;
  /** Milliseconds. */
  readonly last: readonly number[];
}

/** Quantiles are those of so many values. */
const KEPT_VALUES = 1024;

/** See the file comment. */
export class Timer {
  readonly #clock: Clock;
  readonly #last = new Float64Array(KEPT_VALUES);
  #count = 0;
  #sumMs = 0;
  /** `#sumMs` when values were last handed on. */
  #handedOnMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#count;
  }

  /** Starts a measurement; calling the result ends it. */
  start(): () => void {
    const startMs = this.#clock.nowMs();
    return () => this.#record(this.#clock.nowMs() - startMs);
  }

  snapshot(): TimerSnapshot {
    const values = this.#last.slice(0, Math.min(this.#count, KEPT_VALUES)).toSorted();
    const at = (quantile: number): number =>
      values[Math.min(values.length - 1, Math.floor(quantile * values.length))] ?? 0;
    const sum = values.reduce((total, value) => total + value, 0);
    return {
      count: this.#count,
      sumMs: this.#sumMs,
      minMs: values[0] ?? 0,
      meanMs: values.length === 0 ? 0 : sum / values.length,
      maxMs: values.at(-1) ?? 0,
      p50Ms: at(0.5),
      p75Ms: at(0.75),
      p95Ms: at(0.95),
      p98Ms: at(0.98),
      p99Ms: at(0.99),
      p999Ms: at(0.999),
    };
  }

  /** Hands on the newest `count` values, which are all that came since the last call. */
  valuesOf(count: number): TimerValues {
    const sumMs = this.#sumMs - this.#handedOnMs;
    this.#handedOnMs = this.#sumMs;
    const first = this.#count - Math.min(count, KEPT_VALUES);
    const last: number[] = [];
    for (let at = first; at < this.#count; at++) last.push(this.#last[at % KEPT_VALUES] ?? 0);
    return { count, sumMs, last };
  }

  /** Takes in what another timer measured. */
  addValues({ count, last, sumMs }: TimerValues): void {
    const lastMs = last.reduce((total, value) => total + value, 0);
    // What is not among the last counts without being one of those that quantiles are made of.
    this.#count += count - last.length;
    this.#sumMs += sumMs - lastMs;
    for (const value of last) this.#record(value);
  }

  #record(milliseconds: number): void {
    this.#last[this.#count % KEPT_VALUES] = milliseconds;
    this.#count += 1;
    this.#sumMs += milliseconds;
  }
}
