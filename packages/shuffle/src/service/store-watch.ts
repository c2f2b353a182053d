/** Looks now and then whether the databases of a service are still there. */
import type { Clock, Timer } from "@bm/transport";

/** What is looked at. */
export interface CheckedStore {
  /** Restores what is gone. Never rejects. */
  check?(): Promise<void>;
}

/** What is deleted under a service is restored within this time, so that a kill finds it again. */
const INTERVAL_MS = 10_000;

/** See the file comment. */
export class StoreWatch {
  readonly #stores: readonly CheckedStore[];
  readonly #clock: Clock;
  #timer: Timer | null = null;
  #round: Promise<void> | null = null;
  #isClosed = false;

  constructor(stores: readonly CheckedStore[], clock: Clock) {
    this.#stores = stores;
    this.#clock = clock;
  }

  /** Looks every ten seconds from now on. */
  start(): void {
    if (this.#isClosed) return;
    const next = (): void => void this.#runOnce().then(() => this.start());
    this.#timer = this.#clock.setTimer(INTERVAL_MS, next, { unref: true });
  }

  /** Waits for a look that is under way. Safe to call twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#round;
  }

  async #runOnce(): Promise<void> {
    this.#round = (async () => {
      for (const store of this.#stores) await store.check?.();
    })();
    await this.#round;
  }
}
