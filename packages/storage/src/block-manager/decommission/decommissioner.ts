/**
 * Empties a block manager that is to go. Rounds are repeated, because tasks that still run leave new
 * data behind; whoever ends the process looks at the progress first.
 */
import type { Clock, Logger } from "@bm/transport";
import type { Migration, MigrationProgress, RoundOutcome } from "./migration-progress.ts";

/** What {@link Decommissioner} takes. A kind of data that stays is null. */
export interface DecommissionerOptions {
  readonly rddBlocks: Migration | null;
  readonly shuffles: Migration | null;
  readonly roundIntervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

const NOTHING_TO_DO: RoundOutcome = { isDone: true, failed: [] };

/** See the file comment. Begins with its construction. */
export class Decommissioner {
  readonly #options: DecommissionerOptions;
  readonly #stop = new AbortController();
  readonly #ended: Promise<unknown>;
  readonly #rounds = new Map<Migration, { startedMs: number; outcome: RoundOutcome }>();

  constructor(options: DecommissionerOptions) {
    this.#options = options;
    const migrations = [options.rddBlocks, options.shuffles].filter((one) => one !== null);
    this.#ended = Promise.all(migrations.map((migration) => this.#run(migration)));
  }

  get progress(): MigrationProgress {
    const { rddBlocks, shuffles } = this.#options;
    const rounds = [rddBlocks, shuffles].flatMap((migration) =>
      migration === null ? [] : [this.#rounds.get(migration) ?? null],
    );
    const outcomes = rounds.map((round) => round?.outcome ?? { ...NOTHING_TO_DO, isDone: false });
    return {
      isDone: outcomes.every(({ isDone }) => isDone),
      asOfMs: Math.min(...rounds.map((round) => round?.startedMs ?? 0)),
      rddBlocksMoved: rddBlocks?.moved ?? 0,
      shufflesMoved: shuffles?.moved ?? 0,
      failed: outcomes.flatMap(({ failed }) => failed),
    };
  }

  /** No further round; resolves when the current one is over. Safe to call twice. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  /** Never rejects. */
  async #run(migration: Migration): Promise<void> {
    const { clock, logger, roundIntervalMs } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const startedMs = clock.nowMs();
      try {
        const outcome = await migration.round(signal);
        this.#rounds.set(migration, { startedMs, outcome });
      } catch (error) {
        // As while the driver is away: the next round may find it again.
        logger.warn(`a round of moving blocks away failed: ${String(error)}`);
      }
      await clock.sleep(roundIntervalMs, { signal }).catch(() => {});
    }
  }
}
