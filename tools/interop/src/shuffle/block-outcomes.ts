import type { BlockFetchingListener, BlockPushingListener } from "@bm/shuffle";
import type { ManagedBuffer } from "@bm/transport";
import { errorText } from "./error-text.ts";

/** What became of each block: its bytes in base64, or `!` and the text of its failure. */
export class BlockOutcomes implements BlockFetchingListener, BlockPushingListener {
  readonly #outcomes = new Map<string, Promise<string>>();

  onBlockFetchSuccess(blockId: string, data: ManagedBuffer): void {
    this.#tell(blockId, read(data));
  }

  onBlockFetchFailure(blockId: string, error: Error): void {
    this.#tell(blockId, Promise.resolve(`!${errorText(error)}`));
  }

  onBlockPushSuccess(blockId: string): void {
    this.#tell(blockId, Promise.resolve(""));
  }

  onBlockPushFailure(blockId: string, error: Error): void {
    this.onBlockFetchFailure(blockId, error);
  }

  async told(): Promise<Readonly<Record<string, string>>> {
    const entries = [...this.#outcomes].map(async ([name, outcome]) => [name, await outcome]);
    return Object.fromEntries(await Promise.all(entries)) as Record<string, string>;
  }

  #tell(blockId: string, outcome: Promise<string>): void {
    const isFirst = !this.#outcomes.has(blockId);
    this.#outcomes.set(blockId, isFirst ? outcome : Promise.resolve("!told twice"));
  }
}

async function read(data: ManagedBuffer): Promise<string> {
  const bytes = await data.bytes();
  data.release();
  return Buffer.from(bytes).toString("base64");
}
