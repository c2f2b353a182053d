import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { localFilePath } from "@bm/block";
import { DownloadFiles, ExternalShuffleClient } from "@bm/shuffle";
import { BytesManagedBuffer, type ManagedBuffer, nodePlatform, TransportConf } from "@bm/transport";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingTools } from "../../src/jvm-build.ts";
import { startJvmPeer } from "../../src/jvm-peer.ts";
import {
  layOut,
  outputsOf,
  partitionsOf,
  pushedBytes,
  type RecordedMerge,
  type RecordedOutput,
} from "../../src/shuffle/recorded-outputs.ts";
import { FetchedBlocks } from "./fetched-blocks.ts";

const missing = await missingTools();
const HOST = "127.0.0.1";
const MANAGER = "org.apache.spark.shuffle.sort.SortShuffleManager";
const MERGER = "shuffle-push-merger";
const pushMerge = JSON.parse(
  readFileSync(join(import.meta.dirname, "vectors", "push-merge.json"), "utf8"),
) as RecordedMerge;
const CONF = { "spark.shuffle.push.server.minChunkSizeInMergedShuffleFile": "100" };

describe.skipIf(missing !== null)("our client at Spark's shuffle service", () => {
  const sets = ["plain-adler32", "lz4-crc32c"];
  const dirsOf = new Map<string, readonly string[]>();
  let root = "";
  let service: { readonly port: number };
  let client: ExternalShuffleClient;
  /** What a start-up that failed half-way has to end too. */
  const ends: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "bm-shuffle-"));
    ends.push(() => rm(root, { recursive: true, force: true }));
    const [process, { port }] = await startJvmPeer("ShuffleServicePeer", { conf: CONF });
    service = { port: Number(port) };
    ends.push(() => process.stop());
    client = newClient();
    ends.push(() => client.close());
    for (const set of sets) {
      const localDirs = ["a", "b"].map((name) => join(root, set, name));
      dirsOf.set(set, localDirs);
      layOut(set, localDirs);
      const info = { localDirs, subDirsPerLocalDir: 64, shuffleManager: MANAGER };
      await client.registerWithShuffleServer(HOST, service.port, set, info);
    }
  }, 180_000);

  afterAll(async () => {
    for (const end of ends.toReversed()) await end();
  });

  it.each(sets)("fetches every recorded partition of %s to the byte", async (set) => {
    for (const shuffle of ["shuffle_0_", "shuffle_1_"]) {
      const outputs = outputsOf(set).filter(({ data }) => data.includes(shuffle));
      const expected = partitionsOf(outputs);
      const fetched = await fetch(client, set, [...expected.keys()]);
      expect(fetched.failures).toEqual(new Map());
      expect(sorted(fetched.blocks)).toEqual(sorted(expected));
    }
  });

  it("fetches by name, as from a service of Spark 2", async () => {
    await using old = newClient({ "spark.shuffle.useOldFetchProtocol": "true" });
    const expected = partitionsOf(outputsOf("plain-adler32").slice(0, 1));
    const fetched = await fetch(old, "plain-adler32", [...expected.keys()]);
    expect(sorted(fetched.blocks)).toEqual(sorted(expected));
  });

  it("fetches runs of partitions", async () => {
    const expected = [...partitionsOf(outputsOf("plain-adler32").slice(0, 1)).values()];
    const fetched = await fetch(client, "plain-adler32", ["shuffle_0_0_0_4"]);
    expect(fetched.blocks.get("shuffle_0_0_0_4")?.equals(Buffer.concat(expected))).toBe(true);
  });

  it("fetches into files that are gone once they are read", async () => {
    const { files, random } = nodePlatform();
    const directory = join(root, "downloads");
    await using downloads = new DownloadFiles({ files, random, directory });
    const expected = partitionsOf(outputsOf("lz4-crc32c").slice(0, 3));
    const fetched = new FetchedBlocks();
    const names = [...expected.keys()];
    await client.fetchBlocks(HOST, service.port, "lz4-crc32c", names, fetched, { downloads });
    await fetched.read();
    expect(sorted(fetched.blocks)).toEqual(sorted(expected));
    await downloads.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  it("fails the blocks of an unknown executor with the service's own words", async () => {
    const { failures } = await fetch(client, "nobody", ["shuffle_0_0_0", "shuffle_0_0_1"]);
    expect(failures.size).toBe(2);
    expect(failures.get("shuffle_0_0_0")?.message).toContain("Executor is not registered");
  });

  it("reads where executors write", async () => {
    const dirs = await client.getHostLocalDirs(HOST, service.port, sets);
    expect(sorted(dirs)).toEqual(sorted(dirsOf));
  });

  it("is told why a block is corrupt", async () => {
    const { partitions } = outputsOf("plain-adler32")[0] as RecordedOutput;
    const part = partitions.find(({ length }) => length > 0);
    const block = {
      execId: "plain-adler32",
      shuffleId: 0,
      mapId: 0n,
      reduceId: part?.reduceId ?? 0,
      checksum: BigInt(part?.checksum ?? 0),
      algorithm: "ADLER32",
    };
    const diagnose = (changes: object): Promise<string> =>
      client.diagnoseCorruption(HOST, service.port, { ...block, ...changes });
    expect(await diagnose({})).toBe("CHECKSUM_VERIFY_PASS");
    expect(await diagnose({ checksum: 1n })).toBe("NETWORK_ISSUE");
    expect(await diagnose({ algorithm: "MD5" })).toBe("UNSUPPORTED_CHECKSUM_ALGORITHM");
    expect(await diagnose({ execId: "nobody" })).toBe("UNKNOWN_ISSUE");
  });

  it("removes files and is told how many", async () => {
    const dirs = [join(root, "rdd")];
    const info = { localDirs: dirs, subDirsPerLocalDir: 64, shuffleManager: MANAGER };
    await client.registerWithShuffleServer(HOST, service.port, "rdd", info);
    const { path } = localFilePath(dirs, 64, "rdd_1_2");
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, "an rdd block");
    const removed = client.removeBlocks(HOST, service.port, "rdd", ["rdd_1_2", "rdd_1_3"]);
    expect(await removed).toBe(1);
  });

  it("is told when a registration is refused", async () => {
    await using hasty = newClient({}, { registrationAttemptsMax: 2, registrationWaitMs: 1 });
    const shuffleManager = `${MANAGER}:{"attemptId":"1"}`;
    const info = { localDirs: [root], subDirsPerLocalDir: 64, shuffleManager };
    const registering = hasty.registerWithShuffleServer(HOST, service.port, "x", info);
    await expect(registering).rejects.toMatchObject({
      code: "REGISTRATION_FAILED",
      message: expect.stringContaining("Failed to get the merge directory information"),
    });
  });

  describe("with push-merge", () => {
    const { attemptId, appId, shuffleId, shuffleMergeId } = pushMerge;
    let pusher: ExternalShuffleClient;
    let localDirs: string[] = [];

    beforeAll(async () => {
      pusher = newClient({}, { appId, appAttemptId: attemptId });
      ends.push(() => pusher.close());
      localDirs = ["m", "n"].map((name) => join(root, "merge", name, "blockmgr"));
      for (const dir of localDirs) {
        for (let sub = 0; sub < 64; sub += 1) {
          const name = sub.toString(16).padStart(2, "0");
          mkdirSync(join(dir, "..", pushMerge.mergeDir, name), { recursive: true });
        }
      }
      const meta = JSON.stringify({ mergeDir: pushMerge.mergeDir, attemptId: String(attemptId) });
      const info = { localDirs, subDirsPerLocalDir: 64, shuffleManager: `${MANAGER}:${meta}}}` };
      await pusher.registerWithShuffleServer(HOST, service.port, "1", info);
    });

    it("pushes, finalizes, and reads what was merged", async () => {
      for (const { blocks, reduceId } of pushMerge.blocksInOrder) {
        // One after the other: blocks of one partition that are pushed at once may collide.
        for (const { length, mapIndex } of blocks) {
          const pushed = await push(pusher, mapIndex, reduceId, length);
          expect(pushed.failures).toEqual(new Map());
        }
      }
      const again = await push(pusher, 0, 0, 40);
      expect(again.failures).toEqual(new Map());

      const statuses = await pusher.finalizeShuffleMerge(
        ...([HOST, service.port, shuffleId, shuffleMergeId] as const),
      );
      const sizes = statuses.reduceIds.map((id, index) => [id, Number(statuses.sizes[index])]);
      expect(Object.fromEntries(sizes)).toEqual(
        Object.fromEntries(
          pushMerge.blocksInOrder.map(({ blocks, reduceId }) => [
            reduceId,
            blocks.reduce((sum, { length }) => sum + length, 0),
          ]),
        ),
      );
      for (const { blocks, reduceId } of pushMerge.blocksInOrder) {
        const partition = { shuffleId, shuffleMergeId, reduceId };
        const meta = await pusher.getMergedBlockMeta(HOST, service.port, partition);
        const chunks = Array.from(
          { length: meta.numChunks },
          (_, chunk) => `shuffleChunk_${shuffleId}_${shuffleMergeId}_${reduceId}_${chunk}`,
        );
        meta.bitmaps.release();
        const fetched = await fetch(pusher, MERGER, chunks);
        const merged = Buffer.concat(chunks.map((name) => fetched.blocks.get(name) ?? Buffer.of()));
        const expected = blocks.map((block) => pushedBytes(block.mapIndex, reduceId, block.length));
        expect(merged.equals(Buffer.concat(expected))).toBe(true);
      }
      const dirs = await pusher.getHostLocalDirs(HOST, service.port, [MERGER]);
      expect(dirs.get(MERGER)).toEqual(localDirs.map((dir) => join(dir, "..", pushMerge.mergeDir)));
    });

    it("is told that a push came too late, and sends no more", async () => {
      const { failures } = await push(pusher, 9, 0, 100);
      expect([...failures.values()]).toMatchObject([
        { code: "PUSH_REFUSED", pushReturnCode: "TOO_LATE_BLOCK_PUSH" },
      ]);
      const twice = pusher.finalizeShuffleMerge(HOST, service.port, shuffleId, shuffleMergeId);
      await expect(twice).rejects.toMatchObject({ code: "REMOTE_FAILURE" });
    });

    it("is told that its attempt is too old", async () => {
      await using old = newClient({}, { appId, appAttemptId: attemptId + 1 });
      const { failures } = await push(old, 0, 0, 10);
      expect([...failures.values()]).toMatchObject([{ pushReturnCode: "TOO_OLD_ATTEMPT_PUSH" }]);
    });

    it("drops what was merged", async () => {
      await pusher.removeShuffleMerge(HOST, service.port, shuffleId, -1);
      // One connection, in order: the answer shows that the removal was read.
      await pusher.getHostLocalDirs(HOST, service.port, [MERGER]);
      const { failures } = await push(pusher, 0, 0, 10);
      expect([...failures.values()]).toMatchObject([{ pushReturnCode: "TOO_LATE_BLOCK_PUSH" }]);
    });

    async function push(
      by: ExternalShuffleClient,
      mapIndex: number,
      reduceId: number,
      length: number,
    ): Promise<FetchedBlocks> {
      const name = `shufflePush_${shuffleId}_${shuffleMergeId}_${mapIndex}_${reduceId}`;
      const bytes = new BytesManagedBuffer(pushedBytes(mapIndex, reduceId, length));
      const pushed = new FetchedBlocks();
      const blocks = new Map<string, ManagedBuffer>([[name, bytes]]);
      await by.pushBlocks(HOST, service.port, blocks, pushed);
      return pushed;
    }
  });

  it("is told of a disk that changed bytes", async () => {
    const output = outputsOf("plain-adler32")[1] as RecordedOutput;
    const dirs = dirsOf.get("plain-adler32") ?? [];
    const { path } = localFilePath(dirs, 64, basename(output.data));
    writeFileSync(
      path,
      readFileSync(path).map((byte) => byte ^ 1),
    );
    const part = output.partitions.find(({ length }) => length > 0);
    const corrupt = {
      execId: "plain-adler32",
      shuffleId: 0,
      mapId: 1n,
      reduceId: part?.reduceId ?? 0,
      checksum: BigInt(part?.checksum ?? 0),
      algorithm: "ADLER32",
    };
    expect(await client.diagnoseCorruption(HOST, service.port, corrupt)).toBe("DISK_ISSUE");
  });

  async function fetch(
    by: ExternalShuffleClient,
    execId: string,
    names: readonly string[],
  ): Promise<FetchedBlocks> {
    const fetched = new FetchedBlocks();
    await by.fetchBlocks(HOST, service.port, execId, names, fetched);
    return fetched.read();
  }
});

function newClient(
  conf: Readonly<Record<string, string>> = {},
  options: Partial<ConstructorParameters<typeof ExternalShuffleClient>[0]> = {},
): ExternalShuffleClient {
  const values = { "spark.shuffle.io.retryWait": "0s", ...conf };
  return new ExternalShuffleClient({
    conf: new TransportConf("shuffle", values),
    appId: "app-1",
    ...options,
  });
}

function sorted<Value>(map: ReadonlyMap<string, Value>): [string, Value][] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
