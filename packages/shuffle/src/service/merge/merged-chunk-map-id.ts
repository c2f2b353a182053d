/**
 * How a DiagnoseCorruption names a chunk of a merged partition, which Spark's readers never ask about.
 * Its executor is `shuffle-push-merger`, and its map id holds what a map has no use for:
 *
 *     int32 shuffleMergeId   int32 chunkId
 */

/** The map id of a message that asks why a merged chunk is corrupt. */
export function mergedChunkMapId(shuffleMergeId: number, chunkId: number): bigint {
  return (BigInt(shuffleMergeId) << 32n) | BigInt.asUintN(32, BigInt(chunkId));
}

/** What {@link mergedChunkMapId} was made of. */
export function chunkOfMapId(mapId: bigint): { shuffleMergeId: number; chunkId: number } {
  const shuffleMergeId = Number(BigInt.asIntN(32, mapId >> 32n));
  return { shuffleMergeId, chunkId: Number(BigInt.asIntN(32, mapId)) };
}
