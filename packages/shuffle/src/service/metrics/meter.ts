/** How often something happens: its count, and averages of the rate over 1, 5 and 15 minutes. */
import type { Clock } from "@bm/transport";

/** Figures of a {@link Meter}; rates are per second. */
export interface MeterSnapshot {
  readonly count: number;
  readonly meanRate: number;
  readonly oneMinuteRate: number;
  readonly fiveMinuteRate: number;
  readonly fifteenMinuteRate: number;
}

const TICK_MS = 5000;
/** After so many ticks without events every average is 0 to many digits. */
const TICKS_MAX = 10_000;
const WINDOWS_MINUTES = [1, 5, 15] as const;
/** What one tick leaves of the average so far. */
const DECAYS = WINDOWS_MINUTES.map((minutes) => Math.exp(-TICK_MS / (minutes * 60_000)));

/** See the file comment. Averages move in steps of five seconds, as those of Spark do. */
export class Meter {
  readonly #clock: Clock;
  readonly #startMs: number;
  #count = 0;
  #sinceTick = 0;
  #tickedAtMs: number;
  readonly #rates: [number, number, number] = [0, 0, 0];
  #isFirst = true;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.nowMs();
    this.#tickedAtMs = this.#startMs;
  }

  get count(): number {
    return this.#count;
  }

  /** `nowMs` of the meter's clock, for whoever marks several. */
  mark(events = 1, nowMs: number = this.#clock.nowMs()): void {
    this.#tick(nowMs);
    this.#count += events;
    this.#sinceTick += events;
  }

  snapshot(): MeterSnapshot {
    const nowMs = this.#clock.nowMs();
    this.#tick(nowMs);
    const seconds = (nowMs - this.#startMs) / 1000;
    const [oneMinuteRate, fiveMinuteRate, fifteenMinuteRate] = this.#rates;
    const meanRate = seconds > 0 ? this.#count / seconds : 0;
    return { count: this.#count, meanRate, oneMinuteRate, fiveMinuteRate, fifteenMinuteRate };
  }

  #tick(nowMs: number): void {
    if (nowMs - this.#tickedAtMs < TICK_MS) return;
    const ticks = Math.floor((nowMs - this.#tickedAtMs) / TICK_MS);
    this.#tickedAtMs += ticks * TICK_MS;
    for (let done = 0; done < Math.min(ticks, TICKS_MAX); done += 1) {
      const rate = (this.#sinceTick * 1000) / TICK_MS;
      this.#sinceTick = 0;
      for (const [window, decay] of DECAYS.entries()) {
        const before = this.#rates[window] ?? 0;
        this.#rates[window] = this.#isFirst ? rate : rate + (before - rate) * decay;
      }
      this.#isFirst = false;
    }
  }
}
