import { BytesManagedBuffer, type ManagedBuffer, TransportConf } from "@bm/transport";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ExternalShuffleClient, type ExternalShuffleClientOptions } from "../../src/index.ts";
import { RecordingListener } from "../fetch/recording-listener.ts";
import { ScriptedService } from "./scripted-service.ts";

const HOST = "127.0.0.1";
const INFO = { localDirs: ["/d0", "/d1"], subDirsPerLocalDir: 64, shuffleManager: "sort" };

let service: ScriptedService;
let client: ExternalShuffleClient;

beforeEach(async () => {
  service = await new ScriptedService().start();
  client = newClient();
});

afterEach(async () => {
  await client.close();
  await service.stop();
});

describe("registering", () => {
  it("says where an executor writes, over a connection that ends with the answer", async () => {
    await client.registerWithShuffleServer(HOST, service.port, "7", INFO);
    const message = { type: "RegisterExecutor", appId: "app", execId: "7", executorInfo: INFO };
    expect(service.messages).toEqual([message]);
    await vi.waitFor(() => expect(service.connections.size).toBe(0));
  });

  it("is tried again after a failure, as often as it may be", async () => {
    let attempts = 0;
    service.answer = () => {
      attempts += 1;
      if (attempts < 3) throw new Error("not yet");
      return null;
    };
    await client.registerWithShuffleServer(HOST, service.port, "7", INFO);
    expect(attempts).toBe(3);
    attempts = -10;
    const registering = client.registerWithShuffleServer(HOST, service.port, "7", INFO);
    await expect(registering).rejects.toMatchObject({
      code: "REGISTRATION_FAILED",
      message: expect.stringContaining("Unable to register with external shuffle server due to :"),
      cause: { code: "REMOTE_FAILURE" },
    });
    expect(attempts).toBe(-7);
  });

  it("stops waiting when it is given up", async () => {
    const patient = newClient({ registrationWaitMs: 60_000 });
    service.answer = () => {
      throw new Error("no");
    };
    const given = new AbortController();
    const { signal } = given;
    const registering = patient.registerWithShuffleServer(HOST, service.port, "7", INFO, {
      signal,
    });
    await vi.waitFor(() => expect(service.messages).toHaveLength(1));
    given.abort(new Error("enough"));
    await expect(registering).rejects.toMatchObject({ code: "REGISTRATION_FAILED" });
    await patient.close();
  });
});

describe("asking", () => {
  it("removes blocks", async () => {
    service.answer = () => ({ type: "BlocksRemoved", numRemovedBlocks: 2 });
    expect(await client.removeBlocks(HOST, service.port, "7", ["rdd_1_1", "rdd_1_2"])).toBe(2);
    expect(service.messages).toMatchObject([{ type: "RemoveBlocks", blockIds: { length: 2 } }]);
  });

  it("reads local directories by executor", async () => {
    const localDirsByExec = new Map([["7", ["/d0", "/d1"]]]);
    service.answer = () => ({ type: "LocalDirsForExecutors", localDirsByExec });
    expect(await client.getHostLocalDirs(HOST, service.port, ["7"])).toEqual(localDirsByExec);
  });

  it("finalizes a merge", async () => {
    const merged = { shuffleMergeId: 2, bitmaps: [], reduceIds: [], sizes: [] };
    service.answer = () => ({ type: "MergeStatuses", shuffleId: 1, ...merged });
    const statuses = await client.finalizeShuffleMerge(HOST, service.port, 1, 2);
    expect(statuses).toMatchObject({ shuffleId: 1, shuffleMergeId: 2 });
    const wrong = client.finalizeShuffleMerge(HOST, service.port, 9, 2);
    await expect(wrong).rejects.toMatchObject({ code: "ANSWER_INVALID" });
  });

  it("reads the meta of a merged partition", async () => {
    const partition = { shuffleId: 1, shuffleMergeId: 2, reduceId: 5 };
    const { bitmaps, numChunks } = await client.getMergedBlockMeta(HOST, service.port, partition);
    expect([numChunks, Buffer.from(bitmaps.view).toString()]).toEqual([5, "app"]);
  });

  it("asks for a removal that nobody answers", async () => {
    await client.removeShuffleMerge(HOST, service.port, 1, -1);
    await vi.waitFor(() =>
      expect(service.messages).toMatchObject([{ type: "RemoveShuffleMerge", shuffleMergeId: -1 }]),
    );
  });

  it("refuses another answer than the one that is due", async () => {
    service.answer = () => ({ type: "CorruptionCause", cause: "DISK_ISSUE" });
    const removing = client.removeBlocks(HOST, service.port, "7", ["rdd_1_1"]);
    await expect(removing).rejects.toMatchObject({ code: "ANSWER_INVALID" });
  });

  it("has no diagnosis where nobody can say", async () => {
    const block = { execId: "7", shuffleId: 1, mapId: 2n, reduceId: 3 };
    const corrupt = { ...block, checksum: 4n, algorithm: "ADLER32" };
    service.answer = () => ({ type: "CorruptionCause", cause: "DISK_ISSUE" });
    expect(await client.diagnoseCorruption(HOST, service.port, corrupt)).toBe("DISK_ISSUE");
    service.answer = () => {
      throw new Error("no such executor");
    };
    expect(await client.diagnoseCorruption(HOST, service.port, corrupt)).toBe("UNKNOWN_ISSUE");
    expect(await client.diagnoseCorruption(HOST, 1, corrupt)).toBe("UNKNOWN_ISSUE");
  });
});

describe("pushing", () => {
  const NAMES = [0, 1, 2, 3].map((map) => `shufflePush_1_2_${map}_5`);

  it("sends every block and releases it", async () => {
    const { bodies, listener } = await push(NAMES);
    expect([...listener.successes.keys()]).toEqual(NAMES);
    expect([...service.pushed.keys()]).toEqual(NAMES);
    expect([...service.pushed.values()]).toEqual(NAMES.map((name) => `content of ${name}`));
    expect(bodies.map(({ releases }) => releases)).toEqual([1, 1, 1, 1]);
    expect(service.messages.map((message) => "index" in message && message.index)).toEqual([
      0, 1, 2, 3,
    ]);
  });

  it("loses only the block that collided", async () => {
    service.pushAnswer = ({ mapIndex }) =>
      mapIndex === 1 ? "BLOCK_APPEND_COLLISION_DETECTED" : "SUCCESS";
    const { bodies, listener } = await push(NAMES);
    expect([...listener.failures.keys()]).toEqual([NAMES[1]]);
    expect(listener.failures.get(NAMES[1] ?? "")).toMatchObject({
      code: "PUSH_REFUSED",
      pushReturnCode: "BLOCK_APPEND_COLLISION_DETECTED",
    });
    expect(listener.successes.size).toBe(3);
    expect(bodies.every(({ releases }) => releases === 1)).toBe(true);
  });

  it.each(["TOO_LATE_BLOCK_PUSH", "STALE_BLOCK_PUSH", "TOO_OLD_ATTEMPT_PUSH"] as const)(
    "ends with the first block that is refused as %s",
    async (code) => {
      service.pushAnswer = ({ mapIndex }) => (mapIndex === 1 ? code : "SUCCESS");
      const { bodies, listener } = await push(NAMES);
      expect([...listener.successes.keys()]).toEqual([NAMES[0]]);
      expect([...listener.failures.keys()]).toEqual(NAMES.slice(1));
      expect(bodies.every(({ releases }) => releases === 1)).toBe(true);
    },
  );

  it("sends again what broke off, and only that", async () => {
    let breaks = 1;
    service.pushAnswer = ({ mapIndex }) => {
      if (mapIndex !== 2 || breaks === 0) return "SUCCESS";
      breaks -= 1;
      return null;
    };
    const { bodies, listener } = await push(NAMES);
    expect(listener.failures.size).toBe(0);
    expect(listener.successes.size).toBe(4);
    expect(service.pushed.size).toBe(4);
    expect(bodies.every(({ releases }) => releases === 1)).toBe(true);
  });

  it("does not insist where nobody listens", async () => {
    await service.stop();
    const { bodies, listener } = await push(NAMES);
    expect(NAMES.map((name) => listener.codeOf(name))).toEqual(NAMES.map(() => "CONNECT_FAILED"));
    expect(bodies.every(({ releases }) => releases === 1)).toBe(true);
  });

  it("refuses names of no pushed block", async () => {
    const { listener } = await push(["shuffle_1_2_3"]);
    expect(listener.codeOf("shuffle_1_2_3")).toBe("BLOCK_IDS_INVALID");
    await expect(push([])).rejects.toMatchObject({ code: "BLOCK_IDS_INVALID" });
  });

  it("releases what it is given when it is closed", async () => {
    await client.close();
    const body = new CountedBody("x");
    const pushing = client.pushBlocks(
      HOST,
      service.port,
      new Map([["shufflePush_1_2_3_4", body as ManagedBuffer]]),
      new PushListener(),
    );
    await expect(pushing).rejects.toMatchObject({ code: "CLOSED" });
    expect(body.releases).toBe(1);
  });

  async function push(names: readonly string[]) {
    const bodies = names.map((name) => new CountedBody(`content of ${name}`));
    const blocks = new Map(names.map((name, index) => [name, bodies[index] as ManagedBuffer]));
    const listener = new PushListener();
    await client.pushBlocks(HOST, service.port, blocks, listener);
    return { bodies, listener };
  }
});

it("closes twice, and fails what is in progress", async () => {
  const listener = new RecordingListener();
  service.receive = () => {};
  const fetching = client.fetchBlocks(HOST, service.port, "7", ["shuffle_1_2_3"], listener);
  await vi.waitFor(() => expect(service.connections.size).toBe(1));
  await Promise.all([client.close(), client.close()]);
  await fetching;
  expect(listener.codeOf("shuffle_1_2_3")).toBe("FETCH_ABORTED");
});

class PushListener extends RecordingListener {
  onBlockPushSuccess(blockId: string): void {
    this.onBlockFetchSuccess(blockId, new BytesManagedBuffer(Buffer.of()));
  }

  onBlockPushFailure(blockId: string, error: Error): void {
    this.onBlockFetchFailure(blockId, error);
  }
}

class CountedBody extends BytesManagedBuffer {
  releases = 0;

  constructor(content: string) {
    super(Buffer.from(content));
  }

  override release(): void {
    this.releases += 1;
  }
}

function newClient(options: Partial<ExternalShuffleClientOptions> = {}): ExternalShuffleClient {
  return new ExternalShuffleClient({
    conf: new TransportConf("shuffle", { "spark.shuffle.io.retryWait": "0s" }),
    appId: "app",
    registrationWaitMs: 1,
    ...options,
  });
}
