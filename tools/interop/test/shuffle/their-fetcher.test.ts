import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlockId, ShuffleBlockBatchId, ShuffleBlockId } from "@bm/block";
import {
  type BlockDataManager,
  type CorruptionCauseName,
  IndexShuffleBlockResolver,
  NettyBlockTransferService,
  ShuffleError,
} from "@bm/shuffle";
import { BytesManagedBuffer, type ManagedBuffer, nodePlatform, TransportConf } from "@bm/transport";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingTools } from "../../src/jvm-build.ts";
import { startJvmPeer } from "../../src/jvm-peer.ts";
import type { PeerProcess } from "../../src/peer-process.ts";
import { layOut, outputsOf, partitionsOf } from "../../src/shuffle/recorded-outputs.ts";

const missing = await missingTools();
const SET = "plain-adler32";
const LARGE_BYTES = 5 * 1024 * 1024 + 3;

describe.skipIf(missing !== null)("Spark's fetcher at our block server", () => {
  let root = "";
  let localDirs: readonly string[] = [];
  let peer: PeerProcess;
  let oldPeer: PeerProcess;
  let server: NettyBlockTransferService;
  /** What a start-up that failed half-way has to end too. */
  const ends: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "bm-shuffle-"));
    ends.push(() => rm(root, { recursive: true, force: true }));
    localDirs = ["a", "b"].map((name) => join(root, name));
    layOut(SET, localDirs);
    const conf = new TransportConf("shuffle");
    server = new NettyBlockTransferService({ conf, appId: "app-1", executorId: "1" });
    ends.push(() => server.close());
    await server.init(new FilesOfAnExecutor(localDirs));
    const first = { appId: "app-1" };
    [peer] = await startJvmPeer("ShuffleServicePeer", { conf: {}, ...first });
    ends.push(() => peer.stop());
    const oldProtocol = { "spark.shuffle.useOldFetchProtocol": "true" };
    [oldPeer] = await startJvmPeer("ShuffleServicePeer", { conf: oldProtocol, ...first });
    ends.push(() => oldPeer.stop());
  }, 180_000);

  afterAll(async () => {
    for (const end of ends.toReversed()) await end();
  });

  it("reads every recorded partition to the byte", async () => {
    for (const shuffle of ["shuffle_0_", "shuffle_1_"]) {
      const expected = partitionsOf(outputsOf(SET).filter(({ data }) => data.includes(shuffle)));
      expect(await fetch(peer, [...expected.keys()])).toEqual(base64(expected));
    }
  });

  it("reads runs of partitions", async () => {
    const expected = [...partitionsOf(outputsOf(SET).slice(0, 1)).values()];
    expect(await fetch(peer, ["shuffle_0_0_0_4"])).toEqual({
      shuffle_0_0_0_4: Buffer.concat(expected).toString("base64"),
    });
  });

  it("reads by name, as Spark 2 did", async () => {
    const expected = partitionsOf(outputsOf(SET).slice(0, 1));
    expect(await fetch(oldPeer, [...expected.keys()])).toEqual(base64(expected));
  });

  it("reads blocks of other kinds, into files too", async () => {
    const expected = { rdd_1_2: Buffer.alloc(LARGE_BYTES, 7).toString("base64") };
    expect(await fetch(peer, ["rdd_1_2"])).toEqual(expected);
    const dir = join(root, "downloads");
    await mkdir(dir);
    expect(await fetch(peer, ["rdd_1_2"], { dir })).toEqual(expected);
  });

  it("hears of missing blocks, and stays connected", async () => {
    const outcome = await fetch(peer, ["shuffle_0_0_0", "shuffle_0_99_0", "shuffle_0_99_1"]);
    expect(outcome["shuffle_0_0_0"]).not.toContain("!");
    expect(outcome["shuffle_0_99_0"]).toContain("shuffle_0_99_0 not found");
    expect(outcome["shuffle_0_99_1"]).toContain("shuffle_0_99_0 not found");
  });

  it("reads where our executor writes", async () => {
    const command = { port: server.port, execs: ["1"] };
    expect((await peer.command("dirs", command))["dirs"]).toEqual({ 1: localDirs.join(",") });
    const wrong = { port: server.port, execs: ["2"] };
    await expect(peer.command("dirs", wrong)).rejects.toThrow(
      "Invalid executor id: 2, expected 1.",
    );
  });

  it("is told why a block is corrupt", async () => {
    const [output] = outputsOf(SET);
    const part = output?.partitions.find(({ length }) => length > 0);
    const block = { exec: "1", shuffleId: 0, mapId: 0, reduceId: part?.reduceId ?? 0 };
    const diagnose = async (checksum: number, algorithm: string): Promise<unknown> => {
      const command = { port: server.port, ...block, checksum, algorithm };
      return (await peer.command("diagnose", command))["cause"];
    };
    const good = Number(part?.checksum);
    expect(await diagnose(good, "ADLER32")).toBe("CHECKSUM_VERIFY_PASS");
    expect(await diagnose(1, "ADLER32")).toBe("NETWORK_ISSUE");
    expect(await diagnose(good, "CRC32")).toBe("UNKNOWN_ISSUE");
    expect(await diagnose(good, "../ADLER32")).toBe("UNSUPPORTED_CHECKSUM_ALGORITHM");
  });

  async function fetch(by: PeerProcess, blocks: readonly string[], fields = {}): Promise<Outcome> {
    const command = { port: server.port, exec: "1", blocks, ...fields };
    return (await by.command("fetch", command))["blocks"] as Outcome;
  }
});

type Outcome = Readonly<Record<string, string>>;

function base64(blocks: ReadonlyMap<string, Buffer>): Outcome {
  return Object.fromEntries([...blocks].map(([name, bytes]) => [name, bytes.toString("base64")]));
}

/** Serves map outputs from disk, and one large block. */
class FilesOfAnExecutor implements BlockDataManager {
  readonly #resolver: IndexShuffleBlockResolver;

  readonly #localDirs: readonly string[];

  constructor(localDirs: readonly string[]) {
    this.#localDirs = localDirs;
    this.#resolver = new IndexShuffleBlockResolver({ ...nodePlatform(), localDirs });
  }

  getLocalBlockData(blockId: BlockId): ManagedBuffer | Promise<ManagedBuffer> {
    if (blockId.kind === "rdd") return new BytesManagedBuffer(Buffer.alloc(LARGE_BYTES, 7));
    return this.#resolver.getBlockData(blockId as ShuffleBlockId | ShuffleBlockBatchId);
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

  putBlockData(): Promise<boolean> {
    return Promise.resolve(false);
  }

  putBlockDataAsStream(): never {
    throw new ShuffleError("BLOCK_NOT_STORED", "nothing is kept here");
  }
}
