/**
 * What every `BlockDataManager` must do, as test cases for any test runner:
 *
 *     for (const { name, run } of blockDataManagerSuite(factory)) it(name, run);
 */
import { strict as assert } from "node:assert";
import {
  BlockManagerId,
  parseBlockId,
  StorageLevel,
  shuffleBlockBatchId,
  shuffleBlockId,
} from "@bm/block";
import { BytesManagedBuffer, type ManagedBuffer, nodePlatform, TransportConf } from "@bm/transport";
import { HostLocalBlocks } from "../fetch/host-local-blocks.ts";
import type { BlockDataManager } from "../server/block-data-manager.ts";
import { NettyBlockTransferService } from "../transfer/netty-block-transfer-service.ts";

/** A manager to be tested, empty at first. */
export interface BlockDataManagerUnderTest {
  readonly manager: BlockDataManager;
  /** Storage level with which blocks are put. Default: memory and disk. */
  readonly level?: StorageLevel | undefined;
  /**
   * Writes a map output with these partitions. Absent where the manager has no shuffle files: what
   * needs them is then left out.
   */
  readonly commitMapOutput?:
    | ((shuffleId: number, mapId: bigint, partitions: readonly Uint8Array[]) => Promise<void>)
    | undefined;
  /** Ends it and deletes what it wrote. */
  close(): Promise<void>;
}

/** One case. `run` rejects when the contract is broken. */
export interface ContractCase {
  readonly name: string;
  readonly run: () => Promise<void>;
}

type Check = (subject: BlockDataManagerUnderTest) => Promise<void>;

const SIZES = [1, 1000, 65_537, 1_000_003];
const PARTITIONS = [content(700, 1), content(0, 2), content(1, 3), content(90_001, 4)];
const SHUFFLE = 9;
const MAP = 9_007_199_254_740_993n;

/** The cases; each gets a manager of its own from `factory`. Needs loopback sockets. */
export function blockDataManagerSuite(
  factory: () => Promise<BlockDataManagerUnderTest>,
): readonly ContractCase[] {
  return Object.entries(CHECKS).map(([name, check]) => ({
    name,
    run: async () => {
      const subject = await factory();
      try {
        await check(subject);
      } finally {
        await subject.close();
      }
    },
  }));
}

const CHECKS: Readonly<Record<string, Check>> = {
  "gives back what was put, to the byte": async (subject) => {
    for (const [index, size] of SIZES.entries()) {
      assert.equal(await put(subject, `rdd_1_${index}`, content(size, index)), true);
    }
    for (const [index, size] of SIZES.entries()) {
      await expectBlock(subject, `rdd_1_${index}`, content(size, index));
    }
  },

  "gives a block as often as it is asked for, also at once": async (subject) => {
    await put(subject, "rdd_1_1", content(5000, 1));
    await Promise.all([1, 2, 3].map(() => expectBlock(subject, "rdd_1_1", content(5000, 1))));
    await expectBlock(subject, "rdd_1_1", content(5000, 1));
  },

  "fails a block that is not here, and only that one": async (subject) => {
    await put(subject, "rdd_1_1", content(10, 1));
    await expectMissing(subject, "rdd_1_2");
    await expectMissing(subject, "broadcast_77_piece0");
    await expectBlock(subject, "rdd_1_1", content(10, 1));
  },

  "keeps one whole content of a block that is put twice": async (subject) => {
    await put(subject, "rdd_1_1", content(4000, 1));
    await put(subject, "rdd_1_1", content(3000, 2)).catch(() => false);
    const bytes = await read(subject, "rdd_1_1");
    const isOne = [content(4000, 1), content(3000, 2)].some((one) => one.equals(bytes));
    assert.ok(isOne, "the block is neither what was put first nor what was put second");
  },

  "takes in a stream whose pieces are overwritten behind it": async (subject) => {
    const bytes = content(300_000, 5);
    await stream(subject, "rdd_2_1", bytes, 7001);
    await expectBlock(subject, "rdd_2_1", bytes);
  },

  "keeps nothing of a stream that broke off": async ({ level, manager }) => {
    const blockId = parseBlockId("rdd_2_2");
    const callback = manager.putBlockDataAsStream(blockId, level ?? StorageLevel.MEMORY_AND_DISK);
    await callback.onData(callback.id, content(1000, 1));
    callback.onFailure(callback.id, new Error("the connection is gone"));
    await new Promise((resolve) => {
      nodePlatform().clock.setTimer(20, () => resolve(null));
    });
    await expectMissing({ manager }, "rdd_2_2");
  },

  "keeps many blocks that come at once apart": async (subject) => {
    const names = Array.from({ length: 40 }, (_, index) => `rdd_3_${index}`);
    await Promise.all(
      names.map((name, index) =>
        index % 2 === 0
          ? put(subject, name, content(2000 + index, index))
          : stream(subject, name, content(2000 + index, index), 500),
      ),
    );
    await Promise.all(
      names.map((name, index) => expectBlock(subject, name, content(2000 + index, index))),
    );
  },

  "serves and takes in blocks over a connection": async ({ level, manager }) => {
    const conf = new TransportConf("shuffle");
    await using server = new NettyBlockTransferService({ conf, appId: "app", executorId: "1" });
    await using peer = new NettyBlockTransferService({
      conf,
      appId: "app",
      executorId: "2",
      messageUploadBytesMax: 1000,
    });
    await server.init(manager);
    await peer.init(manager);
    const { hostName: host, port } = server;
    const kept = level ?? StorageLevel.MEMORY_AND_DISK;
    for (const [index, size] of [1000, 200_000].entries()) {
      const data = new BytesManagedBuffer(content(size, index));
      await peer.uploadBlock(host, port, "1", `rdd_4_${index}`, data, kept);
      const block = await peer.fetchBlockSync(host, port, "1", `rdd_4_${index}`);
      assert.ok(content(size, index).equals(await block.bytes()), "other bytes were fetched");
      block.release();
    }
    await assert.rejects(peer.fetchBlockSync(host, port, "1", "rdd_4_9"));
  },

  "gives partitions and runs of partitions": async ({ commitMapOutput, manager }) => {
    if (commitMapOutput === undefined) return;
    await commitMapOutput(SHUFFLE, MAP, PARTITIONS);
    for (const [reduceId, partition] of PARTITIONS.entries()) {
      if (partition.length === 0) continue;
      await expectBlock({ manager }, shuffleBlockId(SHUFFLE, MAP, reduceId).name, partition);
    }
    const run = Buffer.concat(PARTITIONS.slice(0, 3));
    await expectBlock({ manager }, shuffleBlockBatchId(SHUFFLE, MAP, 0, 3).name, run);
    await expectMissing({ manager }, shuffleBlockId(SHUFFLE, MAP, PARTITIONS.length).name);
    await expectMissing({ manager }, shuffleBlockId(SHUFFLE, MAP + 1n, 0).name);
  },

  "names local directories in which others find its map outputs": async (subject) => {
    const { commitMapOutput, manager } = subject;
    const localDirs = manager.getLocalDirs?.();
    if (commitMapOutput === undefined || localDirs === undefined) return;
    await commitMapOutput(SHUFFLE, MAP, PARTITIONS);
    const client = { getHostLocalDirs: async () => new Map([["1", localDirs]]) };
    const hostLocal = new HostLocalBlocks({ files: nodePlatform().files, client });
    const location = BlockManagerId.of("1", "host", 1);
    const block = await hostLocal.read(location, shuffleBlockId(SHUFFLE, MAP, 3));
    assert.ok((PARTITIONS[3] as Buffer).equals(await block.bytes()), "other bytes lie there");
  },

  "never rejects a diagnosis, and knows algorithms by their exact names": async (subject) => {
    const { commitMapOutput, manager } = subject;
    if (commitMapOutput === undefined || manager.diagnoseCorruption === undefined) return;
    await commitMapOutput(SHUFFLE, MAP, PARTITIONS);
    const block = shuffleBlockId(SHUFFLE, MAP, 3);
    const unknown = await manager.diagnoseCorruption(block, 1n, "../ADLER32");
    assert.equal(unknown, "UNSUPPORTED_CHECKSUM_ALGORITHM");
    const wrong = await manager.diagnoseCorruption(block, 1n, "ADLER32");
    assert.ok(["NETWORK_ISSUE", "UNKNOWN_ISSUE"].includes(wrong), `blamed: ${wrong}`);
    const missing = shuffleBlockId(SHUFFLE, MAP + 1n, 0);
    assert.equal(await manager.diagnoseCorruption(missing, 1n, "ADLER32"), "UNKNOWN_ISSUE");
  },
};

function put(
  { level, manager }: BlockDataManagerUnderTest,
  name: string,
  bytes: Buffer,
): Promise<boolean> {
  const data: ManagedBuffer = new BytesManagedBuffer(Buffer.from(bytes));
  return manager.putBlockData(parseBlockId(name), data, level ?? StorageLevel.MEMORY_AND_DISK);
}

async function stream(
  { level, manager }: BlockDataManagerUnderTest,
  name: string,
  bytes: Buffer,
  pieceBytes: number,
): Promise<void> {
  const kept = level ?? StorageLevel.MEMORY_AND_DISK;
  const callback = manager.putBlockDataAsStream(parseBlockId(name), kept);
  const piece = Buffer.alloc(pieceBytes);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const count = bytes.copy(piece, 0, at);
    await callback.onData(callback.id, piece.subarray(0, count));
    piece.fill(0xff);
  }
  await callback.onComplete(callback.id);
}

async function read(
  { manager }: Pick<BlockDataManagerUnderTest, "manager">,
  name: string,
): Promise<Buffer> {
  const block = await manager.getLocalBlockData(parseBlockId(name));
  try {
    const bytes = await block.bytes();
    assert.equal(block.size, bytes.length, `${name}: the declared size is wrong`);
    return Buffer.from(bytes);
  } finally {
    block.release();
  }
}

async function expectBlock(
  subject: Pick<BlockDataManagerUnderTest, "manager">,
  name: string,
  expected: Buffer,
): Promise<void> {
  const bytes = await read(subject, name);
  assert.ok(expected.equals(bytes), `${name}: ${bytes.length} other bytes than were put`);
}

async function expectMissing(
  { manager }: Pick<BlockDataManagerUnderTest, "manager">,
  name: string,
): Promise<void> {
  const lookup = async (): Promise<ManagedBuffer> => manager.getLocalBlockData(parseBlockId(name));
  await assert.rejects(lookup, `${name} should not be here`);
}

/** Bytes that tell blocks and places in them apart. */
function content(size: number, seed: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, at) => (at * 31 + (at >> 8) + seed) & 0xff));
}
