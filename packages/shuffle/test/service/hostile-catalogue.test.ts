import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decodeBlockTransferMessage, type ExternalShuffleService } from "../../src/index.ts";
import { readVectors } from "../read-vectors.ts";
import { type HostileRequest, hostileRequests } from "./hostile-catalogue.ts";
import {
  APP,
  Asker,
  endAll,
  failureOf,
  layOut,
  startService,
  temporaryDirectory,
} from "./service-under-test.ts";

const SECRET = "not for you";
const MIB = 1024 * 1024;
const JAVA_FAILURE = /^(?:java|org\.apache\.spark)\.[\w.]+(?:Exception|Failure)/;
const golden = (readVectors("shuffle-messages.json") as { hex: string }[]).map(({ hex }) => hex);

let root: string;
let outside: string;
let service: ExternalShuffleService;
let asker: Asker;

beforeEach(async () => {
  root = await temporaryDirectory();
  outside = await temporaryDirectory();
  await writeFile(join(outside, "secret"), SECRET);
  await mkdir(join(root, "blockmgr-a"));
  service = await startService({ roots: [root] });
  asker = await Asker.connect(service.port);
  await asker.register("1", [join(root, "blockmgr-a")]);
  await layOut("plain-adler32", [join(root, "blockmgr-a")]);
});
afterEach(endAll);

/** How a request was refused, or what it got. */
async function outcomeOf({ bytes }: HostileRequest): Promise<string> {
  let body: Uint8Array;
  try {
    body = await asker.client.sendRpc(bytes);
  } catch (error) {
    return firstLine(error);
  }
  if (body.length === 0) return "an empty answer";
  const answer = decodeBlockTransferMessage(body);
  if (answer.type === "BlocksRemoved") return `removed ${answer.numRemovedBlocks}`;
  if (answer.type === "CorruptionCause") return answer.cause;
  if (answer.type !== "StreamHandle") return `an answer: ${answer.type}`;
  const failures = new Set<string>();
  for (let chunk = 0; chunk < Math.min(answer.numChunks, 3); chunk += 1) {
    failures.add(await failureOf(asker.chunk(answer.streamId, chunk)));
  }
  return [...failures].join(" and ") || "an empty stream";
}

function firstLine(error: unknown): string {
  return (error as Error).message.split("\n")[0] ?? "";
}

/** Nothing was opened, nothing deleted, nothing said about a file. */
function isRefusal(outcome: string): boolean {
  const harmless = ["removed 0", "UNSUPPORTED_CHECKSUM_ALGORITHM", "an empty stream"];
  return harmless.includes(outcome) || JAVA_FAILURE.test(outcome);
}

/** An honest client beside all this. */
async function expectAlive(): Promise<void> {
  const honest = await Asker.connect(service.port);
  const { streamId } = await honest.open({
    type: "FetchShuffleBlocks",
    appId: APP,
    execId: "1",
    shuffleId: 0,
    mapIds: [0n],
    reduceIds: [[0]],
    batchFetchEnabled: false,
  });
  expect((await honest.chunk(streamId, 0)).length).toBeGreaterThan(0);
}

describe("hostile requests", () => {
  it("are more than a hundred, no two of them alike", () => {
    const all = hostileRequests({ root, outside }, golden);
    const distinct = new Set(all.map(({ bytes }) => Buffer.from(bytes).toString("hex")));
    expect(distinct.size).toBeGreaterThanOrEqual(150);
  });

  it("are refused one by one, give nothing away, and leave nothing behind", async () => {
    const before = process.memoryUsage.rss();
    const answered: string[] = [];
    for (const request of hostileRequests({ root, outside }, golden)) {
      const outcome = await outcomeOf(request);
      expect(outcome).not.toContain(SECRET);
      if (!isRefusal(outcome)) answered.push(`${request.name}: ${outcome}`);
    }
    expect(answered).toEqual([]);
    expect(asker.client.channel.isActive).toBe(true);
    expect(service.parts.registry.size).toBe(1);
    await expectAlive();
    await asker.client.close();
    await expect.poll(() => service.parts.handler.references.bytes).toBe(0);
    expect(service.parts.handler.streamManager.streamCount).toBe(0);
    expect(process.memoryUsage.rss() - before).toBeLessThan(512 * MIB);
  });

  it("for a million blocks in one message hold a few bytes each, and are answered", async () => {
    const blockIds = Array.from({ length: 1_000_000 }, () => "rdd_1_1");
    const open = { type: "OpenBlocks", appId: APP, execId: "1", blockIds } as const;
    const { numChunks, streamId } = await asker.open(open);
    expect(numChunks).toBe(1_000_000);
    expect(service.parts.handler.references.bytes).toBeLessThan(16 * MIB);
    expect(await failureOf(asker.chunk(streamId, 0))).toContain("Chunk was not found");
    await asker.client.close();
    await expect.poll(() => service.parts.handler.references.bytes).toBe(0);
    await expectAlive();
  });

  it.each([
    ["removed", { type: "RemoveBlocks", appId: APP, execId: "1" }],
    ["asked for the directories of", null],
  ] as const)("for a million names %s at once are answered without harm", async (_, removal) => {
    const names = Array.from({ length: 1_000_000 }, (__, at) => `../${at}`);
    if (removal !== null) {
      const answer = await asker.ask({ ...removal, blockIds: names });
      expect(answer).toEqual({ type: "BlocksRemoved", numRemovedBlocks: 0 });
    } else {
      const dirs = { type: "GetLocalDirsForExecutors", appId: APP, execIds: names } as const;
      expect(await failureOf(asker.ask(dirs))).toContain("Executor is not registered");
    }
    await expectAlive();
  });
});

describe("hostile frames", () => {
  const header = (length: bigint): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(length);
    return bytes;
  };
  const framed = (...content: number[]): Buffer =>
    Buffer.concat([header(BigInt(8 + content.length)), Buffer.from(content)]);

  it.each([
    ["of no length", header(0n)],
    ["of the length of their header", header(8n)],
    ["of less than their header", header(7n)],
    ["of a negative length", header(-1n)],
    ["of the lowest length", header(-(2n ** 63n))],
    ["of the highest length", header(2n ** 63n - 1n)],
    ["larger than a peer may send", header(2n ** 31n + 9n)],
    ["of an unknown kind", framed(0x7f, 0, 0, 0, 0)],
    ["of a negative kind", framed(0xff)],
    ["of an answer that nobody asked for", framed(4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0)],
    [
      "whose body is shorter than they say",
      framed(3, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff),
    ],
    ["whose body is negative", framed(3, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff)],
    ["whose text is longer than they are", framed(6, 0x7f, 0xff, 0xff, 0xff)],
    ["with a request cut in its number", framed(3, 0, 0)],
    [
      "with an upload of negative meta data",
      framed(10, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff),
    ],
    ["that are a request of HTTP", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
    ["that are the beginning of TLS", Buffer.from("16030100c8010000c40303", "hex")],
    ["that are zeros", Buffer.alloc(4096)],
  ])("%s end their connection and nothing else", async (_, bytes) => {
    const socket = connect(service.port, "127.0.0.1");
    const ended = Promise.withResolvers<void>();
    socket.on("error", () => {}).on("close", () => ended.resolve());
    socket.resume();
    socket.write(bytes);
    socket.end();
    await ended.promise;
    await expectAlive();
  });
});
