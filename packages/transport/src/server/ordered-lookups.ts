import type { ManagedBuffer } from "../buffer/managed-buffer.ts";
import type { BodyLookup } from "../handler/stream-manager.ts";

/** What is looked up. An object and no two functions: a server looks up a hundred thousand a second. */
export interface Lookup {
  start(): BodyLookup;
  /** Gets the body, null for "not found", or the reason why it cannot be had. Called once. */
  done(body: ManagedBuffer | null, error: Error | null): void;
}

interface Waiting {
  readonly lookup: Lookup;
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

  /** Starts a lookup. It is done in this turn when the body is there and nothing waits before it. */
  run(lookup: Lookup): void {
    let found: BodyLookup;
    try {
      found = lookup.start();
    } catch (error) {
      this.#settle(lookup, null, error as Error);
      return;
    }
    if (found instanceof Promise) this.#wait(found, lookup);
    else this.#settle(lookup, found, null);
  }

  /** Releases what arrives from now on; nothing is given any more. */
  close(): void {
    this.#isClosed = true;
    for (const { result } of this.#waiting) result?.body?.release();
    this.#waiting = [];
  }

  #wait(found: Promise<ManagedBuffer | null>, lookup: Lookup): void {
    const waiting: Waiting = { lookup, result: null };
    this.#push(waiting);
    found.then(
      (body) => this.#ready(waiting, body, null),
      (error: unknown) => this.#ready(waiting, null, error as Error),
    );
  }

  #settle(lookup: Lookup, body: ManagedBuffer | null, error: Error | null): void {
    if (this.#waiting.length === 0) lookup.done(body, error);
    else this.#push({ lookup, result: { body, error } });
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
      const { lookup, result } = this.#waiting.shift() as Waiting & {
        result: NonNullable<Waiting["result"]>;
      };
      lookup.done(result.body, result.error);
    }
    if (!this.#isFull || this.#waiting.length > LOOKUPS_WAITING_LOW) return;
    this.#isFull = false;
    this.#source.resumeReading();
  }
}
