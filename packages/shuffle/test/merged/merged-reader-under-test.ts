/** A reader of push-merged partitions whose merger and executors are played by the test. */
import {
  BlockManagerId,
  SHUFFLE_MERGER_EXECUTOR_ID,
  shuffleBlockId,
  shuffleMergedBlockId,
} from "@bm/block";
import { BytesManagedBuffer, type MergedBlockMeta } from "@bm/transport";
import { createSeededRandom } from "@bm/transport/testing";
import {
  BlockFetcherIterator,
  type BlockFetcherIteratorOptions,
  type BlocksByLocation,
  type BlockToFetch,
  type MergedMaps,
  type MergedPartition,
  type PushMergedOptions,
  type PushMergedPartition,
} from "../../src/index.ts";
import { FAR, LOCAL, TestClient } from "../fetch/reader-under-test.ts";

export const MERGER: BlockManagerId = BlockManagerId.of(SHUFFLE_MERGER_EXECUTOR_ID, "host-m", 7337);
const SHUFFLE = 7;
export const MERGE = 2;

/** Maps by chunk, by reduce id. */
export type Chunks = Readonly<Record<number, readonly (readonly number[])[]>>;

export class MergedTestClient extends TestClient {
  readonly #chunks: Chunks;
  /** Partitions whose merger was asked, in order. */
  readonly asked: number[] = [];
  /** What the merger says instead. */
  meta: ((reduceId: number) => Promise<MergedBlockMeta>) | null = null;

  constructor(chunks: Chunks) {
    super();
    this.#chunks = chunks;
  }

  getMergedBlockMeta(
    _host: string,
    _port: number,
    { reduceId }: MergedPartition,
  ): Promise<MergedBlockMeta> {
    this.asked.push(reduceId);
    return this.meta?.(reduceId) ?? Promise.resolve(metaOf(this.#chunks[reduceId] ?? []));
  }
}

export function metaOf(chunks: readonly (readonly number[])[]): MergedBlockMeta {
  const bitmaps = new BytesManagedBuffer(Buffer.concat(chunks.map(bitmapOf)));
  return { numChunks: chunks.length, bitmaps };
}

/** A Roaring bitmap of small numbers. */
export function bitmapOf(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(16 + 2 * values.length);
  bytes.writeUInt32LE(12_346, 0);
  bytes.writeUInt32LE(1, 4);
  bytes.writeUInt16LE(values.length - 1, 10);
  bytes.writeUInt32LE(16, 12);
  for (const [index, value] of values.entries()) bytes.writeUInt16LE(value, 16 + 2 * index);
  return bytes;
}

export function mapsOf(mapIndexes: readonly number[]): MergedMaps {
  return { numMaps: mapIndexes.length, hasMap: (mapIndex) => mapIndexes.includes(mapIndex) };
}

export function partition(
  reduceId: number,
  mapIndexes: readonly number[],
  size = 1000,
): PushMergedPartition {
  const blockId = shuffleMergedBlockId(SHUFFLE, MERGE, reduceId);
  return { location: MERGER, blockId, size, maps: mapsOf(mapIndexes) };
}

/** The block of a map, as an original; its id is a hundred more than its index. */
export function original(mapIndex: number, reduceId: number): BlockToFetch {
  return {
    blockId: shuffleBlockId(SHUFFLE, BigInt(100 + mapIndex), reduceId),
    size: 10,
    mapIndex,
  };
}

/** Even maps are here, odd ones are far. */
export function originalsOf(
  { blockId, maps: all }: PushMergedPartition,
  maps: MergedMaps,
): BlocksByLocation[] {
  const indexes = Array.from({ length: 64 }, (_, index) => index);
  const lost = indexes.filter((index) => all.hasMap(index) && maps.hasMap(index));
  const blocks = lost.map((index) => original(index, blockId.reduceId));
  return [
    { location: LOCAL, blocks: blocks.filter(({ mapIndex }) => mapIndex % 2 === 0) },
    { location: FAR, blocks: blocks.filter(({ mapIndex }) => mapIndex % 2 === 1) },
  ];
}

export function mergedReader(
  chunks: Chunks,
  options: Partial<BlockFetcherIteratorOptions> = {},
  pushMerged: Partial<PushMergedOptions> = {},
): { readonly client: MergedTestClient; readonly iterator: BlockFetcherIterator } {
  const client = new MergedTestClient(chunks);
  const partitions = Object.entries(chunks).map(([reduceId, maps]) =>
    partition(Number(reduceId), maps.flat()),
  );
  const iterator = new BlockFetcherIterator({
    localId: LOCAL,
    blockManager: {
      getLocalBlockData: ({ name }) => new BytesManagedBuffer(Buffer.from(`local ${name}`)),
    },
    client,
    blocks: [],
    random: createSeededRandom(1),
    pushMerged: { partitions, originalsOf, ...pushMerged },
    ...options,
  });
  return { client, iterator };
}
