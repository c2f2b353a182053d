/** Counts files that are open, so that a process which serves thousands of peers keeps within a limit. */
export class OpenFiles {
  readonly #max: number;
  readonly #waiting: (() => void)[] = [];
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Resolves when one more file may be opened, in the order of asking. */
  async take(): Promise<void> {
    if (this.#count < this.#max) this.#count += 1;
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve));
  }

  /** One was closed, or could not be opened. */
  giveBack(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#count -= 1;
    else next();
  }
}
