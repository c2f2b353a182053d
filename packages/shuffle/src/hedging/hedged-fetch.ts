import type { Clock, ManagedBuffer, Timer } from "@bm/transport";
import type { BlockFetchClient } from "../fetch/block-fetch-client.ts";
import type { FetchOptions } from "../fetch/block-fetches.ts";
import type { BlockFetchingListener } from "../fetch/block-fetching-listener.ts";

/** Where blocks can be had. */
export interface FetchPlace {
  readonly host: string;
  readonly port: number;
  readonly executorId: string;
}

/** When a fetch is repeated, and who is told how it went. */
export interface HedgingRules {
  readonly clock: Clock;
  /** Calls once a fetch is slow enough to be repeated; null when nobody knows yet what is slow. */
  whenSlow(call: () => void): Timer | null;
  /** Counts one repetition at `second`; false when it must not be. `isLate` fetches come first. */
  takeAllowance(first: FetchPlace, second: FetchPlace, isLate: boolean): boolean;
  /** A fetch brought its last block, from `place`. */
  succeeded(place: FetchPlace, durationMs: number): void;
  /** Another place was faster than `place`, or `place` is very late. */
  lost(place: FetchPlace): void;
}

/** One fetch, and where it may be repeated. */
export interface HedgedFetchOptions {
  readonly client: BlockFetchClient;
  readonly first: FetchPlace;
  readonly second: FetchPlace | null;
  readonly blockIds: readonly string[];
  readonly listener: BlockFetchingListener;
  readonly options: FetchOptions;
}

/** A fetch that took three times as long as most: its peer is slow, whether it is repeated or not. */
const VERY_LATE_LOOKS = 3;

interface Attempt {
  readonly place: FetchPlace;
  readonly startedMs: number;
  readonly given: AbortController;
  /** Blocks that this attempt may still bring. */
  readonly open: Set<string>;
}

/**
 * A fetch that is repeated elsewhere when it is slow. The listener is told of each block once: its
 * bytes from whoever is first, or its failure when nobody is left who could bring it.
 */
export class HedgedFetch {
  readonly #hedging: HedgingRules;
  readonly #wanted: HedgedFetchOptions;
  readonly #missing: Set<string>;
  readonly #attempts: Attempt[] = [];
  readonly #running: Promise<void>[] = [];
  #timer: Timer | null = null;
  #looks = 0;
  #isLossCounted = false;

  constructor(hedging: HedgingRules, wanted: HedgedFetchOptions) {
    this.#hedging = hedging;
    this.#wanted = wanted;
    this.#missing = new Set(wanted.blockIds);
  }

  /** Resolves once the listener was told of every block and both attempts are over. */
  async run(): Promise<void> {
    const { first, second } = this.#wanted;
    const { signal } = this.#wanted.options;
    const onAbort = (): void => this.#giveUpAll(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    const running = this.#start(first);
    if (signal?.aborted) onAbort();
    else if (second !== null) this.#watch(second);
    try {
      await running.catch((error: unknown) => this.#refused(error));
      // A repetition may have been added meanwhile.
      await Promise.all(this.#running);
    } finally {
      this.#timer?.cancel();
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Looks again and again whether the fetch may be repeated, until it is or is over. */
  #watch(second: FetchPlace): void {
    this.#timer = this.#hedging.whenSlow(() => {
      if (this.#missing.size === 0 || this.#wanted.options.signal?.aborted) return;
      this.#looks += 1;
      if (this.#looks === VERY_LATE_LOOKS) this.#countLoss();
      if (this.#hedging.takeAllowance(this.#wanted.first, second, this.#looks > 1))
        this.#repeat(second);
      else this.#watch(second);
    });
  }

  /** Once for a fetch, however it goes on. */
  #countLoss(): void {
    const [first] = this.#attempts;
    if (first === undefined || this.#isLossCounted) return;
    this.#isLossCounted = true;
    this.#hedging.lost(first.place);
  }

  #repeat(place: FetchPlace): void {
    const running = this.#start(place);
    const repetition = this.#attempts.at(-1);
    // What is refused as a whole fails block by block: the first attempt may still bring them.
    this.#running.push(running.catch((error: unknown) => this.#failAll(repetition, error)));
  }

  #start(place: FetchPlace): Promise<void> {
    const { client, options } = this.#wanted;
    const blockIds = [...this.#missing];
    const attempt: Attempt = {
      place,
      startedMs: this.#hedging.clock.nowMs(),
      given: new AbortController(),
      open: new Set(blockIds),
    };
    this.#attempts.push(attempt);
    const listener: BlockFetchingListener = {
      onBlockFetchSuccess: (blockId, data) => this.#succeed(attempt, blockId, data),
      onBlockFetchFailure: (blockId, error) => this.#fail(attempt, blockId, error),
    };
    const { host, port, executorId } = place;
    const how = { ...options, signal: attempt.given.signal };
    return client.fetchBlocks(host, port, executorId, blockIds, listener, how);
  }

  #succeed(attempt: Attempt, blockId: string, data: ManagedBuffer): void {
    attempt.open.delete(blockId);
    if (!this.#missing.delete(blockId)) {
      data.release();
      return;
    }
    if (this.#missing.size === 0) this.#end(attempt);
    this.#wanted.listener.onBlockFetchSuccess(blockId, data);
  }

  /** The client refused the first attempt as a whole; nobody was told anything of it. */
  #refused(error: unknown): void {
    if (this.#attempts.length === 1) throw error;
    this.#failAll(this.#attempts[0], error);
  }

  #failAll(attempt: Attempt | undefined, error: unknown): void {
    for (const blockId of attempt?.open ?? []) this.#fail(attempt, blockId, error as Error);
  }

  /** Kept to itself while another attempt may bring the block. */
  #fail(attempt: Attempt | undefined, blockId: string, error: Error): void {
    attempt?.open.delete(blockId);
    const isOpen = this.#attempts.some(({ open }) => open.has(blockId));
    if (isOpen || !this.#missing.delete(blockId)) return;
    if (this.#missing.size === 0) this.#timer?.cancel();
    this.#wanted.listener.onBlockFetchFailure(blockId, error);
  }

  /** The last block came from `winner`: the other one is given up. */
  #end(winner: Attempt): void {
    this.#timer?.cancel();
    const { place, startedMs } = winner;
    this.#hedging.succeeded(place, this.#hedging.clock.nowMs() - startedMs);
    for (const attempt of this.#attempts) {
      if (attempt === winner) continue;
      // Only whoever had a head start has lost.
      if (attempt.open.size > 0 && attempt === this.#attempts[0]) this.#countLoss();
      attempt.given.abort(new Error("another place was faster"));
    }
  }

  #giveUpAll(reason: unknown): void {
    this.#timer?.cancel();
    for (const { given } of this.#attempts) given.abort(reason);
  }
}
