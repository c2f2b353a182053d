/** Registrations in a LevelDB, as Spark keeps them. */
import type { Logger } from "@bm/transport";
import type { ExecutorChange, ExecutorStore, RegisteredExecutor } from "./executor-store.ts";
import { LevelRows, type LevelRowsOptions } from "./level-rows.ts";
import {
  EXECUTOR_KEY_PREFIX,
  executorKey,
  executorValue,
  readExecutorRow,
} from "./recovery-rows.ts";

import type { Row } from "./row-store.ts";

/** See the file comment. */
export class LevelExecutorStore implements ExecutorStore {
  readonly description: string;
  readonly #rows: LevelRows;
  readonly #logger: Logger;

  private constructor(rows: LevelRows, logger: Logger) {
    this.description = rows.description;
    this.#rows = rows;
    this.#logger = logger;
  }

  /** @throws as LevelRows.open. */
  static async open(options: LevelRowsOptions): Promise<LevelExecutorStore> {
    return new LevelExecutorStore(await LevelRows.open(options), options.logger);
  }

  async load(visit: (executor: RegisteredExecutor) => void): Promise<void> {
    let damaged = 0;
    await this.#rows.load((key, value) => {
      if (!key.startsWith(EXECUTOR_KEY_PREFIX)) return;
      const executor = readExecutorRow(key, value);
      if (executor === null) damaged += 1;
      else visit(executor);
    });
    if (damaged === 0) return;
    this.#logger.error(`${this.description}: ${damaged} rows cannot be read and are ignored`);
  }

  async write(changes: readonly ExecutorChange[]): Promise<void> {
    await this.#rows.write(
      changes.map((change) => ({
        key: executorKey(change.appId, change.execId),
        value: change.kind === "put" ? executorValue(change.info) : null,
      })),
    );
  }

  restoreFrom(all: () => Iterable<RegisteredExecutor>): void {
    function* rows(): Generator<Row> {
      for (const { appId, execId, info } of all()) {
        yield { key: executorKey(appId, execId), value: executorValue(info) };
      }
    }
    this.#rows.restoreFrom(rows);
  }

  async check(): Promise<void> {
    await this.#rows.check();
  }

  async close(): Promise<void> {
    await this.#rows.close();
  }
}
