import type { ManagedBuffer } from "@bm/transport";

/** Is told the fate of each block that was asked for: exactly one call per block, in any order. */
export interface BlockFetchingListener {
  /** `data` is handed over: the listener releases it, now or later. */
  onBlockFetchSuccess(blockId: string, data: ManagedBuffer): void;
  onBlockFetchFailure(blockId: string, error: Error): void;
}
