import { mkdtemp, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BlockId, BlockManagerId, type ShuffleBlockId, shuffleBlockId } from "@bm/block";
import { type ManagedBuffer, nodePlatform } from "@bm/transport";
import { afterEach, describe, expect, it } from "vitest";
import {
  BlockFetcherIterator,
  IndexShuffleBlockResolver,
  type NettyBlockTransferService,
} from "../../src/index.ts";
import { MemoryBlockManager } from "./memory-block-manager.ts";
import { afterwards, closeAll, HOST, start } from "./start-service.ts";

const { files, random } = nodePlatform();
const MAPS = 20;
const REDUCE_ID = 1;

afterEach(closeAll);

describe("a shuffle from end to end", () => {
  it("reads map outputs of two executors under tight limits", async () => {
    const [local, far] = await Promise.all([startExecutor("1"), startExecutor("2")]);
    const read: string[] = [];
    for await (const { buffer, location, mapIndex } of readerOf(local, [local, far])) {
      const text = Buffer.from(await buffer.bytes()).toString();
      expect(text).toBe(partition(location.executorId, mapIndex, REDUCE_ID));
      read.push(`${location.executorId}/${mapIndex}`);
      buffer.release();
    }
    expect(read).toHaveLength(2 * MAPS);
    expect(new Set(read).size).toBe(2 * MAPS);
  });

  it("names executor and map whose data file was cut short", async () => {
    const [local, far] = await Promise.all([startExecutor("1"), startExecutor("2")]);
    await truncate(far.resolver.getDataFile(0, mapIdOf("2", 7)), 100);
    const reading = (async () => {
      for await (const { buffer } of readerOf(local, [local, far])) buffer.release();
    })();
    await expect(reading).rejects.toMatchObject({
      code: "FETCH_FAILED",
      culprit: { location: far.id, shuffleId: 0, mapId: mapIdOf("2", 7), mapIndex: 7 },
    });
  });
});

/** Serves what the resolver finds. */
class ShuffleBlocks extends MemoryBlockManager {
  readonly #resolver: IndexShuffleBlockResolver;

  constructor(resolver: IndexShuffleBlockResolver) {
    super();
    this.#resolver = resolver;
  }

  override getLocalBlockData(blockId: BlockId): Promise<ManagedBuffer> {
    return this.#resolver.getBlockData(blockId as ShuffleBlockId);
  }
}

interface Executor {
  readonly id: BlockManagerId;
  readonly resolver: IndexShuffleBlockResolver;
  readonly blocks: ShuffleBlocks;
  readonly service: NettyBlockTransferService;
}

async function startExecutor(executorId: string): Promise<Executor> {
  const root = await mkdtemp(join(tmpdir(), "shuffle-"));
  afterwards(() => rm(root, { recursive: true }));
  const localDirs = [join(root, "a"), join(root, "b")];
  const resolver = new IndexShuffleBlockResolver({ files, random, localDirs });
  for (let map = 0; map < MAPS; map += 1) await commitMap(resolver, executorId, map);
  const blocks = new ShuffleBlocks(resolver);
  const service = await start({ executorId }, blocks);
  return { id: BlockManagerId.of(executorId, HOST, service.port), resolver, blocks, service };
}

function readerOf(local: Executor, holders: readonly Executor[]): BlockFetcherIterator {
  return new BlockFetcherIterator({
    localId: local.id,
    blockManager: local.blocks,
    client: local.service,
    blocks: holders.map(({ id }) => ({
      location: id,
      blocks: Array.from({ length: MAPS }, (_, map) => ({
        blockId: shuffleBlockId(0, mapIdOf(id.executorId, map), REDUCE_ID),
        size: 1000,
        mapIndex: map,
      })),
    })),
    random,
    maxBytesInFlight: 4000,
    maxReqsInFlight: 3,
    // One block in a request, so that a failure is that block's own.
    maxBlocksInFlightPerAddress: 1,
  });
}

function mapIdOf(executorId: string, map: number): bigint {
  return BigInt(executorId) * 1000n + BigInt(map);
}

function partition(executorId: string, map: number, reduceId: number): string {
  return `${executorId}/${map}/${reduceId};`.repeat(50 + map * 17);
}

async function commitMap(
  resolver: IndexShuffleBlockResolver,
  executorId: string,
  map: number,
): Promise<void> {
  const mapId = mapIdOf(executorId, map);
  const partitions = [0, 1, 2].map((reduceId) => partition(executorId, map, reduceId));
  const dataTempFile = await resolver.createTempFile(resolver.getDataFile(0, mapId));
  await files.writeFile(dataTempFile, Buffer.from(partitions.join("")));
  const lengths = partitions.map((text) => text.length);
  await resolver.writeIndexFileAndCommit(0, mapId, { lengths, dataTempFile });
}
