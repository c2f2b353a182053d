import type { BlockManagerId } from "@bm/block";
import type { ManagedBuffer } from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";
import type { BlockFetcherIteratorOptions } from "./block-fetcher-options.ts";
import { type DataBlock, isChunk } from "./fetch-requests.ts";

/**
 * The bytes of a block that needs no request: one of this executor, of another one on this host, or a
 * chunk that was merged here.
 * @throws what the block manager or the reader of files throws (rejects).
 */
export async function openLocal(
  { blockManager, hostLocal, localId, pushMerged }: BlockFetcherIteratorOptions,
  location: BlockManagerId,
  block: DataBlock,
  signal: AbortSignal,
): Promise<ManagedBuffer> {
  if (isChunk(block)) {
    const body = await pushMerged?.hostLocal?.readChunk(location, block.blockId, { signal });
    if (body !== undefined) return body;
    throw new ShuffleError("BLOCK_NOT_FOUND", `nobody reads files of ${location.hostPort}`);
  }
  const isOwn = location.executorId === localId.executorId;
  return isOwn || hostLocal === undefined
    ? blockManager.getLocalBlockData(block.blockId)
    : hostLocal.read(location, block.blockId, { signal });
}
