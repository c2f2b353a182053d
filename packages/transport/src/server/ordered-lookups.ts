import type { ManagedBuffer } from "../buffer/managed-buffer.ts";
import type { BodyLookup } from "../handler/stream-manager.ts";

/** Gets the body, null for "not found", or the reason why it cannot be had. */
export type LookupDone = (body: ManagedBuffer | null, error: Error | null) => void;

interface Waiting {
  readonly done: LookupDone;
  result: { readonly body: ManagedBuffer | null; readonly error: Error | null } | null;
}

/** Where requests come from: held up while so many lookups wait that no more should be begun. */
export interface LookupSource {
  pauseReading(): void;
  resumeReading(): void;
}

/** Requests of one connection that may wait for the disk; its peer is not read beyond that. */
export const LOOKUPS_WAITING_MAX = 4096;
const LOOKUPS_WAITING_LOW: number = LOOKUPS_WAITING_MAX / 4;

/** Gives the results of lookups in the order in which these began, whichever is ready first. */
export class OrderedLookups {
  readonly #source: LookupSource;
  #waiting: Waiting[] = [];
  #isFull = false;
  #isClosed = false;

  constructor(source: LookupSource) {
    this.#source = source;
  }

  /** Starts a lookup. `done` runs in this turn when the body is there and nothing waits before it. */
  run(start: () => BodyLookup, done: LookupDone): void {
    let lookup: BodyLookup;
    try {
      lookup = start();
    } catch (error) {
      this.#settle(done, null, error as Error);
      return;
    }
    if (lookup instanceof Promise) this.#wait(lookup, done);
    else this.#settle(done, lookup, null);
  }

  /** Releases what arrives from now on; nothing is given any more. */
  close(): void {
    this.#isClosed = true;
    for (const { result } of this.#waiting) result?.body?.release();
    this.#waiting = [];
  }

  #wait(lookup: Promise<ManagedBuffer | null>, done: LookupDone): void {
    const waiting: Waiting = { done, result: null };
    this.#push(waiting);
    lookup.then(
      (body) => this.#ready(waiting, body, null),
      (error: unknown) => this.#ready(waiting, null, error as Error),
    );
  }

  #settle(done: LookupDone, body: ManagedBuffer | null, error: Error | null): void {
    if (this.#waiting.length === 0) done(body, error);
    else this.#push({ done, result: { body, error } });
  }

  #push(waiting: Waiting): void {
    this.#waiting.push(waiting);
    if (this.#isFull || this.#waiting.length < LOOKUPS_WAITING_MAX) return;
    this.#isFull = true;
    this.#source.pauseReading();
  }

  #ready(waiting: Waiting, body: ManagedBuffer | null, error: Error | null): void {
    if (this.#isClosed) {
      body?.release();
      return;
    }
    waiting.result = { body, error };
    while (this.#waiting[0]?.result) {
      const { done, result } = this.#waiting.shift() as Waiting & {
        result: NonNullable<Waiting["result"]>;
      };
      done(result.body, result.error);
    }
    if (!this.#isFull || this.#waiting.length > LOOKUPS_WAITING_LOW) return;
    this.#isFull = false;
    this.#source.resumeReading();
  }
}
