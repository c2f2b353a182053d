/**
 * Makes registrations durable first and known to every event loop second; only then is an executor
 * told that it is registered, so that whichever loop its readers reach knows it.
 */
import type { LoopLine } from "@bm/transport";
import type { ExecutorChange, ExecutorStore, RegisteredExecutor } from "../executor-store.ts";
import type { LoopQuestion } from "./loop-messages.ts";

/** See the file comment. */
export class ReplicatingStore implements ExecutorStore {
  readonly #inner: ExecutorStore;
  readonly #replicas = new Set<LoopLine>();
  /** Durable, on its way to the replicas, and not yet known to who reads the registry. */
  #spreading: readonly ExecutorChange[] = [];

  constructor(inner: ExecutorStore) {
    this.#inner = inner;
  }

  get description(): string {
    return this.#inner.description;
  }

  load(visit: (executor: RegisteredExecutor) => void): Promise<void> {
    return this.#inner.load(visit);
  }

  async write(changes: readonly ExecutorChange[]): Promise<void> {
    await this.#inner.write(changes);
    this.#spreading = changes;
    await Promise.all([...this.#replicas].map((line) => apply(line, changes)));
    this.#spreading = [];
  }

  restoreFrom(all: () => Iterable<RegisteredExecutor>): void {
    this.#inner.restoreFrom?.(all);
  }

  async check(): Promise<void> {
    await this.#inner.check?.();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /**
   * A loop gets what is `known` now and every later change, in order. Resolves when it knows the
   * former; never rejects.
   */
  addReplica(line: LoopLine, known: readonly ExecutorChange[]): Promise<void> {
    this.#replicas.add(line);
    return apply(line, [...known, ...this.#spreading]);
  }

  removeReplica(line: LoopLine): void {
    this.#replicas.delete(line);
  }
}

/** Never rejects: a loop that is gone need not know, and one that replaces it asks for everything. */
async function apply(line: LoopLine, changes: readonly ExecutorChange[]): Promise<void> {
  await line.ask({ type: "apply", changes } satisfies LoopQuestion).catch(() => {});
}
