import { mkdtemp, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { type BlockId, BlockManagerId, type ShuffleBlockId, shuffleBlockId } from "@bm/block";
import { type ManagedBuffer, nodePlatform } from "@bm/transport";
import { afterEach, describe, expect, it } from "vitest";
import {
  BlockFetcherIterator,
  type BlockFetcherIteratorOptions,
  type CorruptionCauseName,
  DownloadFiles,
  HostLocalBlocks,
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

it("reads files of another executor on the same host without the network", async () => {
  const [local, far] = await Promise.all([startExecutor("1"), startExecutor("2")]);
  const hostLocal = new HostLocalBlocks({ files, client: local.service });
  const before = far.blocks.lookups.length;
  let count = 0;
  for await (const { buffer, mapIndex } of readerOf(local, [far], { hostLocal })) {
    const text = Buffer.from(await buffer.bytes()).toString();
    expect(text).toBe(partition("2", mapIndex, REDUCE_ID));
    buffer.release();
    count += 1;
  }
  expect(count).toBe(MAPS);
  expect(far.blocks.lookups.length).toBe(before);
});

it("names the executor on the same host whose file is gone", async () => {
  const [local, far] = await Promise.all([startExecutor("1"), startExecutor("2")]);
  const hostLocal = new HostLocalBlocks({ files, client: local.service });
  await far.resolver.removeDataByMap(0, mapIdOf("2", 3));
  const reading = (async () => {
    for await (const { buffer } of readerOf(local, [far], { hostLocal })) buffer.release();
  })();
  await expect(reading).rejects.toMatchObject({
    code: "FETCH_FAILED",
    culprit: { location: far.id, mapId: mapIdOf("2", 3) },
    cause: { code: "BLOCK_NOT_FOUND" },
  });
});

it("reads through files what is too large for memory", async () => {
  const [local, far] = await Promise.all([startExecutor("1"), startExecutor("2")]);
  const directory = await mkdtemp(join(tmpdir(), "downloads-"));
  afterwards(() => rm(directory, { recursive: true }));
  await using downloads = new DownloadFiles({ files, random, directory });
  let most = 0;
  for await (const { buffer, mapIndex } of readerOf(local, [far], {
    downloads,
    maxBytesInMemory: 500,
  })) {
    most = Math.max(most, downloads.count);
    const text = Buffer.from(await buffer.bytes()).toString();
    expect(text).toBe(partition("2", mapIndex, REDUCE_ID));
    buffer.release();
  }
  expect(most).toBeGreaterThan(0);
  await downloads.close();
  expect(await files.list(directory)).toEqual([]);
});

it.each([
  ["the disk", true, "DISK_ISSUE"],
  ["nobody", false, "CHECKSUM_VERIFY_PASS"],
])("blames %s for a block that is corrupt twice", async (_, isFlipped, cause) => {
  const [local, far] = await Promise.all([startExecutor("1"), startExecutor("2")]);
  if (isFlipped) {
    const path = far.resolver.getDataFile(0, mapIdOf("2", 7));
    const bytes = await files.readFile(path);
    await files.writeFile(
      path,
      bytes.map((byte) => byte ^ 1),
    );
  }
  const reading = (async () => {
    const verify = ({ mapIndex }: { readonly mapIndex: number }): void => {
      if (mapIndex === 7) throw new Error("the header is wrong");
    };
    const options = { verify, checksumAlgorithm: "CRC32" };
    for await (const { buffer } of readerOf(local, [far], options)) buffer.release();
  })();
  const text = isFlipped ? `due to ${cause}` : "but checksum verification passed";
  await expect(reading).rejects.toMatchObject({
    code: "FETCH_FAILED",
    message: expect.stringContaining(text),
    culprit: { mapIndex: 7 },
  });
});

/** Serves what the resolver finds. */
class ShuffleBlocks extends MemoryBlockManager {
  readonly #resolver: IndexShuffleBlockResolver;
  readonly #localDirs: readonly string[];

  constructor(resolver: IndexShuffleBlockResolver, localDirs: readonly string[]) {
    super();
    this.#resolver = resolver;
    this.#localDirs = localDirs;
  }

  getLocalDirs(): readonly string[] {
    return this.#localDirs;
  }

  diagnoseCorruption(
    blockId: ShuffleBlockId,
    checksum: bigint,
    algorithm: string,
  ): Promise<CorruptionCauseName> {
    return this.#resolver.diagnoseCorruption(blockId, checksum, algorithm);
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
  const resolver = new IndexShuffleBlockResolver({
    files,
    random,
    localDirs,
    checksumAlgorithm: "CRC32",
  });
  for (let map = 0; map < MAPS; map += 1) await commitMap(resolver, executorId, map);
  const blocks = new ShuffleBlocks(resolver, localDirs);
  const service = await start({ executorId }, blocks);
  return { id: BlockManagerId.of(executorId, HOST, service.port), resolver, blocks, service };
}

function readerOf(
  local: Executor,
  holders: readonly Executor[],
  options: Partial<BlockFetcherIteratorOptions> = {},
): BlockFetcherIterator {
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
    ...options,
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
  const checksums = partitions.map((text) => crc32(text));
  await resolver.writeIndexFileAndCommit(0, mapId, { lengths, checksums, dataTempFile });
}
