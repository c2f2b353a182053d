/**
 * What a merger says of its chunks, and what is asked for because of it.
 *
 * A chunk that lacks a map, or has it twice, would lose or double records without anybody noticing. So
 * the chunks together must have exactly the maps that were known to be merged.
 */
import { shuffleBlockChunkId } from "@bm/block";
import { roaringBitmapBytes, roaringBitmapValues } from "../protocol/roaring-bitmap.ts";
import { ShuffleError } from "../shuffle-error.ts";
import {
  type ChunkToFetch,
  MERGED_MAP_INDEX,
  type MetaToAsk,
  type PushMergedPartition,
} from "./push-merged-options.ts";

/** Of a map in a list of the answer; lists are never larger than bits or runs. */
const META_BYTES_PER_MAP = 2;
/** Heads of a bitmap with one container. */
const META_HEAD_BYTES = 16;

/** The question for the chunks of a partition. */
export function metaToAsk(partition: PushMergedPartition): MetaToAsk {
  const { blockId, maps } = partition;
  const size = META_HEAD_BYTES + META_BYTES_PER_MAP * maps.numMaps;
  return { blockId, size, mapIndex: MERGED_MAP_INDEX, partition };
}

/**
 * The chunks of a partition. All are taken to be of the same size: nobody says more.
 * @throws ShuffleError ANSWER_INVALID when they do not have exactly the maps of the partition.
 */
export function chunksOf(
  partition: PushMergedPartition,
  numChunks: number,
  bitmaps: Uint8Array,
): ChunkToFetch[] {
  const { maps, size } = partition;
  const { reduceId, shuffleId, shuffleMergeId } = partition.blockId;
  // Each chunk has a map at least.
  if (numChunks < 1 || numChunks > maps.numMaps) throw misfit(partition, `${numChunks} chunks`);
  const seen = new Set<number>();
  const chunks: ChunkToFetch[] = [];
  let at = 0;
  for (let chunkId = 0; chunkId < numChunks; chunkId += 1) {
    const mapIndexes = mapsAt(partition, bitmaps, at, seen);
    at += roaringBitmapBytes(bitmaps, at);
    chunks.push({
      blockId: shuffleBlockChunkId(shuffleId, shuffleMergeId, reduceId, chunkId),
      size: Math.max(1, Math.floor(size / numChunks)),
      mapIndex: MERGED_MAP_INDEX,
      partition,
      mapIndexes,
    });
  }
  if (at !== bitmaps.length) throw misfit(partition, `${bitmaps.length - at} bytes left over`);
  if (seen.size !== maps.numMaps) throw misfit(partition, `${seen.size} of ${maps.numMaps} maps`);
  return chunks;
}

function mapsAt(
  partition: PushMergedPartition,
  bitmaps: Uint8Array,
  at: number,
  seen: Set<number>,
): number[] {
  const mapIndexes: number[] = [];
  for (const mapIndex of roaringBitmapValues(bitmaps, at)) {
    if (!partition.maps.hasMap(mapIndex)) throw misfit(partition, `map ${mapIndex}, not merged`);
    if (seen.has(mapIndex)) throw misfit(partition, `map ${mapIndex} twice`);
    seen.add(mapIndex);
    mapIndexes.push(mapIndex);
  }
  return mapIndexes;
}

function misfit({ blockId, location }: PushMergedPartition, detail: string): ShuffleError {
  const text = `what ${location.hostPort} says of ${blockId.name} does not fit: ${detail}`;
  return new ShuffleError("ANSWER_INVALID", text);
}
