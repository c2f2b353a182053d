/** Writes down what a reader is told, and says what is wrong with it. */
import type { ShuffleBlockId } from "@bm/block";
import type { BlockFetchingListener } from "@bm/shuffle";
import type { ManagedBuffer } from "@bm/transport";
import { contentOf } from "../server/made-up-blocks.ts";

/** See the file comment. What it is given it reads and releases. */
export class BlockLedger implements BlockFetchingListener {
  readonly #wanted: ReadonlyMap<string, ShuffleBlockId>;
  readonly #reading: Promise<void>[] = [];
  readonly intact: Set<string> = new Set();
  readonly failures: Map<string, Error> = new Map();
  /** What is wrong so far; complete once `settle` has resolved. */
  readonly faults: string[] = [];
  #received = 0;
  #released = 0;

  constructor(blocks: readonly ShuffleBlockId[]) {
    this.#wanted = new Map(blocks.map((block) => [block.name, block]));
  }

  onBlockFetchSuccess(name: string, data: ManagedBuffer): void {
    this.#told(name);
    this.intact.add(name);
    this.#received += 1;
    this.#reading.push(this.#compare(name, data));
  }

  onBlockFetchFailure(name: string, error: Error): void {
    this.#told(name);
    this.failures.set(name, error);
  }

  /** Nothing is told any more: every block must have been, once. */
  async settle(): Promise<void> {
    await Promise.all(this.#reading);
    for (const name of this.#wanted.keys()) {
      const isTold = this.intact.has(name) || this.failures.has(name);
      if (!isTold) this.faults.push(`${name} was never told`);
    }
    if (this.#released !== this.#received) this.faults.push("a buffer was not released");
  }

  #told(name: string): void {
    if (!this.#wanted.has(name)) this.faults.push(`${name} was never asked for`);
    if (this.intact.has(name) || this.failures.has(name)) this.faults.push(`${name}: told twice`);
  }

  async #compare(name: string, data: ManagedBuffer): Promise<void> {
    try {
      const block = this.#wanted.get(name);
      const isSame = block !== undefined && contentOf(block).equals(await data.bytes());
      if (!isSame) this.faults.push(`${name} has other bytes than were written`);
    } catch (error) {
      this.faults.push(`${name} cannot be read: ${String(error)}`);
    } finally {
      data.release();
      this.#released += 1;
    }
  }
}
