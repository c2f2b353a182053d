const TICK_MS = 20;

/** Notes for how long this process was held up, by the machine or by itself. */
export class StallWatch {
  #lastMs = performance.now();
  #worstMs = 0;

  constructor() {
    setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** The longest stall since the last question, in milliseconds. */
  take(): number {
    this.#tick();
    const worstMs = this.#worstMs;
    this.#worstMs = 0;
    return worstMs;
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#worstMs = Math.max(this.#worstMs, nowMs - this.#lastMs - TICK_MS);
    this.#lastMs = nowMs;
  }
}
