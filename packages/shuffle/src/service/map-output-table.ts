import type { Int64 } from "@bm/transport";
import type { ExecutorShuffleInfo } from "../protocol/block-transfer-message.ts";

/** A map output by its numbers, and the executor that wrote it. */
export interface WantedMapOutput {
  readonly executor: ExecutorShuffleInfo;
  readonly shuffleId: number;
  readonly mapId: Int64;
}

type Outputs<T> = Map<number, Map<Int64, T>>;

/**
 * Something for each map output of executors. By numbers, in three steps: a name for each output would have
 * to be put together, and looked up among all strings, each time that one is asked for.
 */
export class MapOutputTable<T> {
  readonly #executors = new Map<ExecutorShuffleInfo, Outputs<T>>();

  get({ executor, mapId, shuffleId }: WantedMapOutput): T | undefined {
    return this.find(executor, shuffleId, mapId);
  }

  /** As `get`, without an object. */
  find(executor: ExecutorShuffleInfo, shuffleId: number, mapId: Int64): T | undefined {
    return this.#executors.get(executor)?.get(shuffleId)?.get(mapId);
  }

  set({ executor, mapId, shuffleId }: WantedMapOutput, value: T): void {
    const outputs: Outputs<T> = this.#executors.get(executor) ?? new Map<number, Map<Int64, T>>();
    this.#executors.set(executor, outputs);
    const maps = outputs.get(shuffleId) ?? new Map<Int64, T>();
    outputs.set(shuffleId, maps.set(mapId, value));
  }

  delete({ executor, mapId, shuffleId }: WantedMapOutput): void {
    const outputs = this.#executors.get(executor);
    const maps = outputs?.get(shuffleId);
    maps?.delete(mapId);
    if (maps?.size === 0) outputs?.delete(shuffleId);
    if (outputs?.size === 0) this.#executors.delete(executor);
  }
}
