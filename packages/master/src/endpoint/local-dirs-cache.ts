/**
 * Directories of executors, kept after an executor is gone since its files may still be there. The
 * executor that registered longest ago is forgotten first.
 */
export class LocalDirsCache {
  readonly #dirs = new Map<string, readonly string[]>();
  readonly #entriesMax: number;

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  /** Null when never known, or forgotten. */
  get(executorId: string): readonly string[] | null {
    return this.#dirs.get(executorId) ?? null;
  }

  /** Keeps the directories of an executor. */
  set(executorId: string, dirs: readonly string[]): void {
    this.#dirs.delete(executorId);
    this.#dirs.set(executorId, dirs);
    const [oldest] = this.#dirs.keys();
    if (this.#dirs.size > this.#entriesMax && oldest !== undefined) this.#dirs.delete(oldest);
  }
}
