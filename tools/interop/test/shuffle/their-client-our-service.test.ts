import { mkdirSync, readFileSync, realpathSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ExternalShuffleService } from "@bm/shuffle";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingTools } from "../../src/jvm-build.ts";
import { startJvmPeer } from "../../src/jvm-peer.ts";
import type { PeerFields, PeerProcess } from "../../src/peer-process.ts";
import {
  layOut,
  outputsOf,
  partitionsOf,
  pushedBytes,
  type RecordedMerge,
} from "../../src/shuffle/recorded-outputs.ts";

const missing = await missingTools();
const MANAGER = "org.apache.spark.shuffle.sort.SortShuffleManager";
const SET = "plain-adler32";
const pushMerge = JSON.parse(
  readFileSync(join(import.meta.dirname, "vectors", "push-merge.json"), "utf8"),
) as RecordedMerge;
const { appId, attemptId, mergeDir, shuffleId, shuffleMergeId } = pushMerge;

describe.skipIf(missing !== null)("Spark's client at our shuffle service", () => {
  let root = "";
  let localDirs: readonly string[] = [];
  let service: ExternalShuffleService;
  let peer: PeerProcess;
  /** What a start-up that failed half-way has to end too. */
  const ends: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    root = realpathSync(await mkdtemp(join(tmpdir(), "bm-shuffle-")));
    ends.push(() => rm(root, { recursive: true, force: true }));
    localDirs = ["m", "n"].map((name) => join(root, name, "blockmgr"));
    layOut(SET, localDirs);
    for (const dir of localDirs) {
      for (let sub = 0; sub < 64; sub += 1) {
        const name = sub.toString(16).padStart(2, "0");
        mkdirSync(join(dir, "..", mergeDir, name), { recursive: true });
      }
    }
    service = await ExternalShuffleService.start({
      conf: {
        "spark.shuffle.push.server.mergedShuffleFileManagerImpl":
          "org.apache.spark.network.shuffle.RemoteBlockPushResolver",
        "spark.shuffle.push.server.minChunkSizeInMergedShuffleFile": "100",
      },
      host: "127.0.0.1",
      port: 0,
    });
    ends.push(() => service.close());
    const client = { appId, attemptId: String(attemptId) };
    [peer] = await startJvmPeer("ShuffleServicePeer", { conf: {}, ...client });
    ends.push(() => peer.stop());
    const meta = JSON.stringify({ mergeDir, attemptId: String(attemptId) });
    await ask("register", { exec: "1", localDirs, manager: `${MANAGER}:${meta}}}` });
  }, 180_000);

  afterAll(async () => {
    for (const end of ends.toReversed()) await end();
  });

  it("reads every recorded partition to the byte", async () => {
    for (const shuffle of ["shuffle_0_", "shuffle_1_"]) {
      const outputs = outputsOf(SET).filter(({ data }) => data.includes(shuffle));
      const expected = partitionsOf(outputs);
      const { blocks } = await ask("fetch", { exec: "1", blocks: [...expected.keys()] });
      expect(blocks).toEqual(
        Object.fromEntries([...expected].map(([name, bytes]) => [name, bytes.toString("base64")])),
      );
    }
  });

  it("reads local directories, those of executors and of merged partitions", async () => {
    const merged = localDirs.map((dir) => join(dir, "..", mergeDir)).join(",");
    const { dirs } = await ask("dirs", { execs: ["1", "shuffle-push-merger"] });
    expect(dirs).toEqual({ 1: localDirs.join(","), "shuffle-push-merger": merged });
  });

  it("is told why a block is corrupt", async () => {
    const part = outputsOf(SET)[0]?.partitions.find(({ length }) => length > 0);
    const block = { exec: "1", shuffleId: 0, mapId: 0, reduceId: part?.reduceId ?? 0 };
    const asked = { ...block, checksum: Number(part?.checksum), algorithm: "ADLER32" };
    expect((await ask("diagnose", asked))["cause"]).toBe("CHECKSUM_VERIFY_PASS");
    expect((await ask("diagnose", { ...asked, checksum: 1 }))["cause"]).toBe("NETWORK_ISSUE");
  });

  it("pushes, finalizes, and reads what was merged", async () => {
    const ids = { shuffleId, mergeId: shuffleMergeId };
    for (const { blocks, reduceId } of pushMerge.blocksInOrder) {
      for (const { length, mapIndex } of blocks) {
        const name = `shufflePush_${shuffleId}_${shuffleMergeId}_${mapIndex}_${reduceId}`;
        const contents = [pushedBytes(mapIndex, reduceId, length).toString("base64")];
        const pushed = await ask("push", { blocks: [name], contents });
        expect(pushed["blocks"]).toEqual({ [name]: "" });
      }
    }
    const { merged } = await ask("finalize", ids);
    for (const { blocks, reduceId } of pushMerge.blocksInOrder) {
      const size = blocks.reduce((sum, { length }) => sum + length, 0);
      const maps = blocks.map(({ mapIndex }) => mapIndex).join(",");
      expect(merged).toMatchObject({ [reduceId]: `${size}:{${maps}}` });
      const { chunks } = await ask("meta", { ...ids, reduceId });
      const names = (chunks as string)
        .split(";")
        .map((_, chunk) => `shuffleChunk_${shuffleId}_${shuffleMergeId}_${reduceId}_${chunk}`);
      const fetched = await ask("fetch", { exec: "shuffle-push-merger", blocks: names });
      const texts = fetched["blocks"] as Readonly<Record<string, string>>;
      const bytes = Buffer.concat(names.map((name) => Buffer.from(texts[name] ?? "", "base64")));
      const expected = blocks.map((block) => pushedBytes(block.mapIndex, reduceId, block.length));
      expect(bytes.equals(Buffer.concat(expected))).toBe(true);
    }
    const late = `shufflePush_${shuffleId}_${shuffleMergeId}_9_0`;
    const { blocks } = await ask("push", { blocks: [late], contents: ["AAAA"] });
    expect(blocks).toMatchObject({ [late]: expect.stringContaining("is finalized") });
  });

  function ask(op: string, fields: PeerFields) {
    return peer.command(op, { port: service.port, ...fields });
  }
});
