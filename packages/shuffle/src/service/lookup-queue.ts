/**
 * Lets a bounded number of disk lookups run at once. The rest waits, application by application in
 * turn, so that one with a million requests does not make the others wait behind all of them.
 */

/** Limits of {@link LookupQueue}. */
export interface LookupLimits {
  /** Lookups that run at once. */
  readonly runningMax: number;
  /** Of one application. */
  readonly runningMaxPerApplication: number;
}

interface Lane {
  running: number;
  readonly waiting: (() => void)[];
  /** First element of `waiting` that has not started. */
  next: number;
}

/** See the file comment. */
export class LookupQueue {
  #limits: LookupLimits;
  /** In the order of their turns: whoever starts a lookup goes to the end. */
  readonly #lanes = new Map<string, Lane>();
  #running = 0;
  #waiting = 0;
  #waits = 0;

  constructor(limits: LookupLimits) {
    this.#limits = limits;
  }

  /** Other limits from now on; what runs goes on. */
  setLimits(limits: LookupLimits): void {
    this.#limits = limits;
    for (let left = this.#waiting; left > 0; left -= 1) this.#startNext();
  }

  /** Lookups that had to wait so far. */
  get waits(): number {
    return this.#waits;
  }

  /** Lookups that wait for their turn. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Runs `lookup` now or when its turn comes, and gives what it gives. */
  run<T>(appId: string, lookup: () => Promise<T>): Promise<T> {
    const lane = this.#lanes.get(appId) ?? { running: 0, waiting: [], next: 0 };
    this.#lanes.set(appId, lane);
    if (lane.waiting.length === lane.next && this.#mayRun(lane)) {
      return this.#start(appId, lane, lookup);
    }
    this.#waiting += 1;
    this.#waits += 1;
    return new Promise<T>((resolve) => {
      lane.waiting.push(() => resolve(this.#start(appId, lane, lookup)));
    });
  }

  async #start<T>(appId: string, lane: Lane, lookup: () => Promise<T>): Promise<T> {
    lane.running += 1;
    this.#running += 1;
    try {
      return await lookup();
    } finally {
      lane.running -= 1;
      this.#running -= 1;
      if (lane.running === 0 && lane.waiting.length === lane.next) this.#lanes.delete(appId);
      if (this.#waiting > 0) this.#startNext();
    }
  }

  #startNext(): void {
    for (const [appId, lane] of this.#lanes) {
      if (lane.waiting.length === lane.next || !this.#mayRun(lane)) continue;
      const start = lane.waiting[lane.next];
      lane.next += 1;
      if (lane.next === lane.waiting.length) lane.waiting.length = lane.next = 0;
      this.#lanes.delete(appId);
      this.#lanes.set(appId, lane);
      this.#waiting -= 1;
      start?.();
      return;
    }
  }

  #mayRun(lane: Lane): boolean {
    const { runningMax, runningMaxPerApplication } = this.#limits;
    return this.#running < runningMax && lane.running < runningMaxPerApplication;
  }
}
