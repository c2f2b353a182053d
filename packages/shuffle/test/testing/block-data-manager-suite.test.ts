import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlockId, ShuffleBlockId } from "@bm/block";
import { BytesManagedBuffer, type ManagedBuffer, nodePlatform } from "@bm/transport";
import { describe, expect, it } from "vitest";
import { type CorruptionCauseName, IndexShuffleBlockResolver } from "../../src/index.ts";
import { blockDataManagerSuite } from "../../src/testing/index.ts";
import { adler32 } from "../files/adler32.ts";
import { MemoryBlockManager } from "../transfer/memory-block-manager.ts";

describe("a manager of blocks in memory and map outputs on disk", () => {
  const suite = blockDataManagerSuite(async () => {
    const root = await mkdtemp(join(tmpdir(), "suite-"));
    const manager = new MixedBlockManager([join(root, "a"), join(root, "b")]);
    return {
      manager,
      commitMapOutput: (shuffleId, mapId, partitions) =>
        manager.commit(shuffleId, mapId, partitions),
      close: () => rm(root, { recursive: true, force: true }),
    };
  });
  it.each(suite)("$name", async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
});

describe("a manager that breaks the contract", () => {
  it.each([
    ["gives other bytes", { getLocalBlockData: () => new BytesManagedBuffer(Buffer.from("x")) }],
    ["keeps nothing", { putBlockData: async () => false, putBlockDataAsStream: forgetting }],
  ])("is found out when it %s", async (_, fault) => {
    const suite = blockDataManagerSuite(async () => ({
      manager: Object.assign(new MixedBlockManager(["/nowhere"]), fault),
      close: async () => {},
    }));
    const outcomes = await Promise.allSettled(suite.map(({ run }) => run()));
    expect(outcomes.filter(({ status }) => status === "rejected").length).toBeGreaterThan(4);
  });
});

function forgetting(): ReturnType<MemoryBlockManager["putBlockDataAsStream"]> {
  return { id: "", onData: () => {}, onComplete: () => {}, onFailure: () => {} };
}

class MixedBlockManager extends MemoryBlockManager {
  readonly #resolver: IndexShuffleBlockResolver;
  readonly #localDirs: readonly string[];
  readonly #bytes = new Map<string, Buffer>();

  constructor(localDirs: readonly string[]) {
    super();
    this.#localDirs = localDirs;
    this.#resolver = new IndexShuffleBlockResolver({ ...nodePlatform(), localDirs });
  }

  async commit(shuffleId: number, mapId: bigint, parts: readonly Uint8Array[]): Promise<void> {
    const { files } = nodePlatform();
    const dataTempFile = await this.#resolver.createTempFile(
      this.#resolver.getDataFile(shuffleId, mapId),
    );
    await files.writeFile(dataTempFile, Buffer.concat(parts));
    const lengths = parts.map(({ length }) => length);
    const checksums = parts.map((part) => adler32(part));
    const output = { lengths, checksums, dataTempFile };
    await this.#resolver.writeIndexFileAndCommit(shuffleId, mapId, output);
  }

  override getLocalBlockData(blockId: BlockId): ManagedBuffer | Promise<ManagedBuffer> {
    if (blockId.kind === "shuffle" || blockId.kind === "shuffleBatch") {
      return this.#resolver.getBlockData(blockId);
    }
    const bytes = this.#bytes.get(blockId.name);
    if (bytes === undefined) throw new Error(`${blockId.name} is not here`);
    return new BytesManagedBuffer(bytes);
  }

  override async putBlockData({ name }: BlockId, data: ManagedBuffer): Promise<boolean> {
    this.#bytes.set(name, Buffer.from(await data.bytes()));
    data.release();
    return true;
  }

  override putBlockDataAsStream({ name }: BlockId): ReturnType<typeof forgetting> {
    const pieces: Buffer[] = [];
    return {
      id: name,
      onData: (_id, bytes) => void pieces.push(Buffer.from(bytes)),
      onComplete: () => void this.#bytes.set(name, Buffer.concat(pieces)),
      onFailure: () => {},
    };
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
}
