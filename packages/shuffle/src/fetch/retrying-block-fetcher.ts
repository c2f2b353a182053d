/**
 * Fetches blocks over as many connections as it takes.
 *
 * When a connection fails, the attempt that used it is over: the blocks that it had not brought are
 * asked for again after a pause, all together, and whatever the old attempt still says is ignored.
 * Everything else that fails is told at once. Each block is told exactly once.
 */
import {
  type Clock,
  type Logger,
  type ManagedBuffer,
  type Random,
  silentLogger,
} from "@bm/transport";
import pRetry from "p-retry";
import { ShuffleError } from "../shuffle-error.ts";
import type { BlockFetchingListener } from "./block-fetching-listener.ts";
import { type RetryCause, retryCauseOf } from "./retry-cause.ts";

/**
 * Begins one attempt: asks for `blockIds` and tells `listener` about each. A rejection says that the
 * attempt could not begin. Once `signal` fires nobody waits for it any more.
 */
export type StartFetch = (
  blockIds: readonly string[],
  listener: BlockFetchingListener,
  signal: AbortSignal,
) => Promise<void>;

/** What {@link RetryingBlockFetcher} needs. */
export interface RetryingBlockFetcherOptions {
  readonly blockIds: readonly string[];
  readonly start: StartFetch;
  readonly listener: BlockFetchingListener;
  /** Retries per cause; 0 for one attempt only. */
  readonly maxRetries: number;
  /** Least pause before a retry. Up to a half of it is added at random. */
  readonly retryWaitMs: number;
  /** Whether a time-out of the authentication is retried. Default: false, as for Spark. */
  readonly retryAuthentication?: boolean | undefined;
  /** Keeps failures from being retried that would be otherwise. Default: none. */
  readonly mayRetry?: ((error: Error) => boolean) | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger?: Logger | undefined;
  /** Gives the fetch up: every block not told yet fails with FETCH_ABORTED. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Spread over which retries of many readers are laid. Only ever added: a client pool refuses to
 * connect again within 95 % of the wait, and a retry that came sooner would be wasted.
 */
const JITTER_SHARE = 0.5;

/** See the file comment. */
export class RetryingBlockFetcher {
  readonly #options: RetryingBlockFetcherOptions;
  readonly #logger: Logger;
  /** Blocks that the listener does not know of yet. */
  readonly #outstanding: Set<string>;
  readonly #retries: Record<RetryCause, number> = { connection: 0, authentication: 0 };
  readonly #aborted = new AbortController();
  /** The attempt whose answers count; null between attempts. */
  #current: Attempt | null = null;

  /** @throws ShuffleError BLOCK_IDS_INVALID for no blocks. */
  constructor(options: RetryingBlockFetcherOptions) {
    if (options.blockIds.length === 0) {
      throw new ShuffleError("BLOCK_IDS_INVALID", "Zero-sized blockIds array");
    }
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
    this.#outstanding = new Set(options.blockIds);
  }

  /** Retries since the last progress, by cause. */
  get retries(): Readonly<Record<RetryCause, number>> {
    return this.#retries;
  }

  /** Fetches. Resolves once the listener was told of every block; never rejects. Call once. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    const onAbort = (): void => this.abort(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
    try {
      await pRetry(() => this.#transfer(), {
        // Budgets are per cause and waiting is on our clock: both are decided in shouldRetry.
        retries: Number.POSITIVE_INFINITY,
        minTimeout: 0,
        shouldRetry: ({ error }) => this.#waitToRetry(error),
      });
    } catch (error) {
      this.#failOutstanding(error as Error);
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Gives the fetch up: what is outstanding fails with FETCH_ABORTED. Safe to call twice. */
  abort(reason?: unknown): void {
    const error = new ShuffleError("FETCH_ABORTED", "the fetch was given up", { cause: reason });
    this.#aborted.abort(error);
    this.#endAttempt(this.#current, error);
  }

  #transfer(): Promise<void> {
    this.#aborted.signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const attempt: Attempt = {
        resolve,
        reject,
        onBlockFetchSuccess: (blockId, data) => this.#succeed(attempt, blockId, data),
        onBlockFetchFailure: (blockId, error) => this.#fail(attempt, blockId, error),
      };
      this.#current = attempt;
      this.#options
        .start([...this.#outstanding], attempt, this.#aborted.signal)
        .catch((error: unknown) => this.#endAttempt(attempt, error as Error));
    });
  }

  #succeed(attempt: Attempt, blockId: string, data: ManagedBuffer): void {
    if (attempt !== this.#current || !this.#outstanding.delete(blockId)) {
      data.release();
      return;
    }
    this.#retries.authentication = 0;
    this.#tell(() => this.#options.listener.onBlockFetchSuccess(blockId, data));
    this.#resolveWhenDone(attempt);
  }

  #fail(attempt: Attempt, blockId: string, error: Error): void {
    if (attempt !== this.#current || !this.#outstanding.has(blockId)) return;
    if (this.#mayRetry(error)) {
      this.#endAttempt(attempt, error);
      return;
    }
    this.#outstanding.delete(blockId);
    this.#tell(() => this.#options.listener.onBlockFetchFailure(blockId, error));
    this.#resolveWhenDone(attempt);
  }

  #resolveWhenDone(attempt: Attempt): void {
    if (this.#outstanding.size > 0) return;
    this.#current = null;
    attempt.resolve();
  }

  #endAttempt(attempt: Attempt | null, error: Error): void {
    if (attempt === null || attempt !== this.#current) return;
    this.#current = null;
    attempt.reject(error);
  }

  #mayRetry(error: Error): boolean {
    const cause = retryCauseOf(error);
    if (cause === null || this.#options.mayRetry?.(error) === false) return false;
    if (cause === "authentication" && !this.#options.retryAuthentication) return false;
    return this.#retries[cause] < this.#options.maxRetries;
  }

  async #waitToRetry(error: Error): Promise<boolean> {
    const cause = retryCauseOf(error);
    if (cause === null || !this.#mayRetry(error)) return false;
    if (cause !== "authentication") this.#retries.authentication = 0;
    this.#retries[cause] += 1;
    const { clock, maxRetries, random, retryWaitMs } = this.#options;
    const waitMs = Math.round(retryWaitMs * (1 + JITTER_SHARE * random.next()));
    this.#logger.info(
      `retry ${this.#retries[cause]} of ${maxRetries} for ${this.#outstanding.size} blocks ` +
        `in ${waitMs} ms (${cause}): ${error.message}`,
    );
    await clock.sleep(waitMs, { signal: this.#aborted.signal });
    return true;
  }

  #failOutstanding(error: Error): void {
    const blockIds = [...this.#outstanding];
    this.#outstanding.clear();
    for (const blockId of blockIds) {
      this.#tell(() => this.#options.listener.onBlockFetchFailure(blockId, error));
    }
  }

  /** A listener that throws must not keep the other blocks from being told. */
  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#logger.error(`a block fetching listener threw: ${String(error)}`);
    }
  }
}

interface Attempt extends BlockFetchingListener {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}
