import type { Clock } from "../platform/platform.ts";

/**
 * Decides which failures are worth a line in the log: the first of each peer, then one per period.
 *
 * Remembers at most `maxPeers` peers, so there are at most that many lines per period; while the
 * memory is full of peers reported in this period, further peers are passed over.
 */
export class OncePerPeer {
  readonly #clock: Clock;
  readonly #periodMs: number;
  readonly #maxPeers: number;
  /** When each peer was last reported, oldest first. */
  readonly #reportedMs: Map<string, number> = new Map();

  constructor(clock: Clock, periodMs: number = 60_000, maxPeers: number = 1024) {
    this.#clock = clock;
    this.#periodMs = periodMs;
    this.#maxPeers = maxPeers;
  }

  /** True when this peer's failure should be written now; counts as written then. */
  shouldReport(peerHost: string): boolean {
    const nowMs = this.#clock.nowMs();
    this.#forgetBefore(nowMs - this.#periodMs);
    if (this.#reportedMs.has(peerHost) || this.#reportedMs.size >= this.#maxPeers) return false;
    this.#reportedMs.set(peerHost, nowMs);
    return true;
  }

  #forgetBefore(limitMs: number): void {
    for (const [peerHost, reportedMs] of this.#reportedMs) {
      if (reportedMs > limitMs) return;
      this.#reportedMs.delete(peerHost);
    }
  }
}
