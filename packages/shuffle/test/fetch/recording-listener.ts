import type { ManagedBuffer } from "@bm/transport";
import type { BlockFetchingListener } from "../../src/index.ts";

/** Notes what it is told, and throws when it is told about a block twice. */
export class RecordingListener implements BlockFetchingListener {
  readonly successes: Map<string, string> = new Map();
  readonly failures: Map<string, Error> = new Map();
  readonly #waiting = new Map<number, () => void>();

  get told(): number {
    return this.successes.size + this.failures.size;
  }

  onBlockFetchSuccess(blockId: string, data: ManagedBuffer): void {
    this.#checkIsNew(blockId);
    this.successes.set(blockId, "");
    void this.#read(blockId, data);
  }

  /** A block whose bytes are gone before they were read counts as failed. */
  async #read(blockId: string, data: ManagedBuffer): Promise<void> {
    try {
      this.successes.set(blockId, Buffer.from(await data.bytes()).toString());
    } catch (error) {
      this.successes.delete(blockId);
      this.failures.set(blockId, error as Error);
    }
    data.release();
    this.#notify();
  }

  onBlockFetchFailure(blockId: string, error: Error): void {
    this.#checkIsNew(blockId);
    this.failures.set(blockId, error);
    this.#notify();
  }

  /** Code of the failure of a block, or undefined. */
  codeOf(blockId: string): unknown {
    const error = this.failures.get(blockId);
    return error !== undefined && "code" in error ? error.code : error;
  }

  /** Resolves once it was told about `count` blocks. */
  async toldOf(count: number): Promise<void> {
    if (this.told >= count) return;
    await new Promise<void>((resolve) => this.#waiting.set(count, resolve));
  }

  #checkIsNew(blockId: string): void {
    if (!this.successes.has(blockId) && !this.failures.has(blockId)) return;
    throw new Error(`${blockId} was told twice`);
  }

  #notify(): void {
    for (const [count, resolve] of this.#waiting) {
      if (this.told >= count) resolve();
    }
  }
}
