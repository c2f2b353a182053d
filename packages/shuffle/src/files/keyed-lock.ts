/** Runs work on the same key one after the other, and on different keys side by side. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  /** Runs `work` once everything that was begun before on `key` has ended, well or badly. */
  async run<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#tails.get(key);
    const result = (async () => {
      await before;
      return work();
    })();
    const tail = result.then(
      () => {},
      () => {},
    );
    this.#tails.set(key, tail);
    try {
      return await result;
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }

  /** Resolves once everything that was begun before on `key` has ended. */
  async whenFree(key: string): Promise<void> {
    await this.#tails.get(key);
  }
}
