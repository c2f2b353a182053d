import { type BlockId, parseBlockId, shuffleBlockBatchId, shuffleBlockId } from "@bm/block";
import type { BodyLookup, ChunkSource } from "@bm/transport";
import type { FetchShuffleBlocks, OpenBlocks } from "../protocol/block-transfer-message.ts";
import { ShuffleError } from "../shuffle-error.ts";

/** Finds one block, now or later. */
export type BlockLookup = (blockId: BlockId) => BodyLookup;

/**
 * The chunks that a request asks for. No block is looked up before its chunk is asked for, so a block
 * that cannot be had fails alone.
 * @throws ShuffleError BLOCK_IDS_INVALID for none; BlockError for a name of no block.
 */
export function requestedChunks(
  request: OpenBlocks | FetchShuffleBlocks,
  lookup: BlockLookup,
): ChunkSource {
  if (request.type === "OpenBlocks") return namedChunks(request.blockIds, lookup);
  return shuffleChunks(request, lookup);
}

function namedChunks(names: readonly string[], lookup: BlockLookup): ChunkSource {
  const blockIds = names.map(parseBlockId);
  if (blockIds.length === 0) throw new ShuffleError("BLOCK_IDS_INVALID", "no blocks to open");
  const batch = blockIds.find(({ kind }) => kind === "shuffleBatch");
  if (batch !== undefined) {
    const text = `${batch.name}: a run of blocks cannot be opened by name`;
    throw new ShuffleError("BLOCK_IDS_INVALID", text);
  }
  return { count: blockIds.length, open: (index) => openAt(blockIds[index], lookup) };
}

/** Keeps the numbers as they came: names for each of very many blocks would cost far more memory. */
function shuffleChunks(request: FetchShuffleBlocks, lookup: BlockLookup): ChunkSource {
  const { batchFetchEnabled, mapIds, reduceIds } = request;
  const count = batchFetchEnabled
    ? mapIds.length
    : reduceIds.reduce((sum, list) => sum + list.length, 0);
  if (count === 0) throw new ShuffleError("BLOCK_IDS_INVALID", "no blocks to fetch");
  const ids = batchFetchEnabled ? batchIds(request) : singleIds(request);
  // Chunks are asked for in ascending order, each once, so one pass over the ids serves them all.
  return { count, open: () => openAt(ids.next().value ?? undefined, lookup) };
}

function* singleIds({
  shuffleId,
  mapIds,
  reduceIds,
}: FetchShuffleBlocks): Generator<BlockId, null> {
  for (const [index, mapId] of mapIds.entries()) {
    for (const reduceId of reduceIds[index] ?? []) yield shuffleBlockId(shuffleId, mapId, reduceId);
  }
  return null;
}

function* batchIds({ shuffleId, mapIds, reduceIds }: FetchShuffleBlocks): Generator<BlockId, null> {
  for (const [index, mapId] of mapIds.entries()) {
    const [start = 0, end = 0] = reduceIds[index] ?? [];
    yield shuffleBlockBatchId(shuffleId, mapId, start, end);
  }
  return null;
}

function openAt(blockId: BlockId | undefined, lookup: BlockLookup): BodyLookup {
  return blockId === undefined ? null : lookup(blockId);
}
