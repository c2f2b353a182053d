/**
 * Fetches from a second place what is slow to come from the first.
 *
 * Where a block can be had at two places, a fetch that takes longer than most is repeated at the other
 * one; the first answer counts and the other fetch is given up. At most a small share of all requests
 * is repeated. A peer that loses or is late again and again is asked second for a while, which costs
 * no request: without that, one that serves a tenth of all blocks would use up every allowance.
 *
 *     asked --(answer)--> done
 *       | longer than the 95th percentile, and the allowance has room
 *       v
 *     asked twice --(first answer)--> done, the other one is given up
 */
import type { Clock, Timer } from "@bm/transport";
import type { BlockFetchClient } from "../fetch/block-fetch-client.ts";
import { ShuffleError } from "../shuffle-error.ts";
import { type FetchPlace, HedgedFetch, type HedgingRules } from "./hedged-fetch.ts";
import { LatencyWindow } from "./latency-window.ts";

/** Options of {@link FetchHedging}. */
export interface FetchHedgingOptions {
  readonly clock: Clock;
  /** Another place that has all these blocks under the same names, or null. */
  readonly alternativeOf: (place: FetchPlace, blockIds: readonly string[]) => FetchPlace | null;
  /** How slow a fetch must be among the last thousand to be repeated. Default: 0.95. */
  readonly quantile?: number | undefined;
  /** Share of requests that may be repeated. Default: 0.05. */
  readonly extraShareMax?: number | undefined;
}

const QUANTILE_DEFAULT = 0.95;
const EXTRA_SHARE_DEFAULT = 0.05;
const WINDOW_SIZE = 1000;
/**
 * Share of the allowance for fetches that are only a little slow. Those that wait long find the rest:
 * the slowest twentieth of a healthy system would leave nothing for a peer that stands still.
 */
const EARLY_SHARE = 0.5;
/** Before that many fetches nobody knows what is slow. */
const SAMPLES_MIN = 20;
/** Lost in a row, after which a peer is asked second. */
const LOSSES_MAX = 3;
/** Peers to remember. */
const LOSERS_MAX = 10_000;
/** Of the fetches from such a peer this one is still sent there first, to see whether it is better. */
const PROBE_EVERY = 20;

/** See the file comment. One for all readers of a process. */
export class FetchHedging implements HedgingRules {
  readonly clock: Clock;
  readonly #options: FetchHedgingOptions;
  readonly #latencies: LatencyWindow;
  readonly #extraShareMax: number;
  /** Only peers that have lost, by address. */
  readonly #losers = new Map<string, Loser>();
  #requests = 0;
  #extraRequests = 0;

  /** @throws ShuffleError OPTION_INVALID when a share is not between 0 and 1. */
  constructor(options: FetchHedgingOptions) {
    this.clock = options.clock;
    this.#options = options;
    this.#latencies = new LatencyWindow(WINDOW_SIZE, share(options.quantile, QUANTILE_DEFAULT));
    this.#extraShareMax = share(options.extraShareMax, EXTRA_SHARE_DEFAULT);
  }

  /** Requests that were made for their own sake. */
  get requests(): number {
    return this.#requests;
  }

  /** Requests that repeated another one. */
  get extraRequests(): number {
    return this.#extraRequests;
  }

  /** A client that fetches through `client`, and from a second place what is slow. */
  wrap(client: BlockFetchClient): BlockFetchClient {
    const diagnoseCorruption = client.diagnoseCorruption?.bind(client);
    return {
      fetchBlocks: (host, port, executorId, blockIds, listener, options = {}) => {
        const [first, second] = this.#order({ host, port, executorId }, blockIds);
        this.#requests += 1;
        const wanted = { client, first, second, blockIds, listener, options };
        return new HedgedFetch(this, wanted).run();
      },
      ...(diagnoseCorruption && { diagnoseCorruption }),
    };
  }

  whenSlow(call: () => void): Timer | null {
    const delayMs = this.#latencies.count < SAMPLES_MIN ? null : this.#latencies.quantileMs();
    return delayMs === null ? null : this.clock.setTimer(delayMs, call, { unref: true });
  }

  takeAllowance(first: FetchPlace, second: FetchPlace, isLate: boolean): boolean {
    const shareMax = this.#extraShareMax * (isLate ? 1 : EARLY_SHARE);
    const isUsedUp = this.#extraRequests + 1 > shareMax * this.#requests;
    const isInVain = this.#isLoser(second) && !this.#isLoser(first);
    if (isUsedUp || isInVain) return false;
    this.#extraRequests += 1;
    return true;
  }

  succeeded(place: FetchPlace, durationMs: number): void {
    const quantileMs = this.#latencies.quantileMs();
    if (quantileMs === null || durationMs <= quantileMs) this.#losers.delete(keyOf(place));
    // What a slow peer takes is not what a fetch takes.
    if (!this.#isLoser(place)) this.#latencies.add(durationMs);
  }

  lost(place: FetchPlace): void {
    const key = keyOf(place);
    const losses = this.#lossesOf(place) + 1;
    this.#losers.delete(key);
    this.#losers.set(key, { losses, fetches: 0 });
    const [oldest] = this.#losers.keys();
    if (this.#losers.size > LOSERS_MAX && oldest !== undefined) this.#losers.delete(oldest);
  }

  #order(place: FetchPlace, blockIds: readonly string[]): readonly [FetchPlace, FetchPlace | null] {
    const other = this.#options.alternativeOf(place, blockIds);
    const loser = this.#losers.get(keyOf(place));
    if (other === null || loser === undefined || !this.#isLoser(place)) return [place, other];
    // Where both have lost, the one that has lost less often is asked first.
    if (this.#isLoser(other) && this.#lossesOf(other) >= loser.losses) return [place, other];
    loser.fetches += 1;
    return loser.fetches % PROBE_EVERY === 0 ? [place, other] : [other, place];
  }

  #isLoser(place: FetchPlace): boolean {
    return this.#lossesOf(place) >= LOSSES_MAX;
  }

  #lossesOf(place: FetchPlace): number {
    return this.#losers.get(keyOf(place))?.losses ?? 0;
  }
}

interface Loser {
  /** In a row. */
  readonly losses: number;
  /** Fetches since. */
  fetches: number;
}

function keyOf({ host, port }: FetchPlace): string {
  return `${host}:${port}`;
}

function share(value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (value >= 0 && value <= 1) return value;
  throw new ShuffleError("OPTION_INVALID", `a share of ${value}: must be between 0 and 1`);
}
