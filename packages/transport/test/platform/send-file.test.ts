import { execFileSync } from "node:child_process";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type CachedCalls, loadCachedCalls } from "../../src/platform/cached-calls.ts";
import { createNodeFiles } from "../../src/platform/node-files.ts";
import { nodePlatform } from "../../src/platform/node-platform.ts";
import {
  ASK_NEXT_TURN,
  ASK_WHEN_SENT,
  type Files,
  type OpenFile,
} from "../../src/platform/platform.ts";
import { connectedPair, type Pair, pattern, turns, write } from "../testing/recorder.ts";

const calls = loadCachedCalls();
const MIB = 1024 * 1024;
const content = pattern(3 * MIB + 5);
const header = Buffer.from("a header");
const NOTHING = Buffer.alloc(0);

describe.skipIf(calls === null || calls.sendFile === null)("files that the system sends", () => {
  const real = calls as CachedCalls & { readonly sendFile: NonNullable<CachedCalls["sendFile"]> };
  const { network } = nodePlatform();
  let directory = "";
  let path = "";
  let connected: Pair;

  beforeAll(async () => {
    const files = createNodeFiles();
    directory = await files.makeTemporaryDirectory("bm-send-");
    path = `${directory}/data`;
    await files.writeFile(path, content);
  });
  afterAll(() => createNodeFiles().remove(directory));
  afterEach(async () => {
    vi.useRealTimers();
    connected.client.destroy();
    connected.server.destroy();
    await connected.listener.close();
  });

  /** A file of a directory that is known to be in memory. */
  async function opened(load: () => CachedCalls = () => real): Promise<OpenFile> {
    const files: Files = createNodeFiles(load);
    const first = await files.open(path, "read");
    expect(first.readNow(Buffer.alloc(10), 0)).toBe(10);
    await first.close();
    return files.openNow(path) as OpenFile;
  }

  it("arrive in order among what is written", async () => {
    connected = await connectedPair(network);
    const { client, atServer } = connected;
    const file = await opened();
    const expected: Buffer[] = [];
    for (const [index, length] of [1, 70_000, 16_384, 300_000, 5, MIB].entries()) {
      const body = content.subarray(index, index + length);
      void write(client, Buffer.from(`write ${index}`));
      const count = client.sendFile(header, file, index, length);
      expect(count).toBeGreaterThan(0);
      const rest = Buffer.concat([header, body]).subarray(count);
      if (rest.length > 0) await write(client, rest);
      expected.push(Buffer.from(`write ${index}`), header, body);
      await turns(3);
    }
    const whole = Buffer.concat(expected);
    await atServer.received(whole.length);
    expect(atServer.bytes.equals(whole)).toBe(true);
    await file.close();
    expect(client.sendFile(header, file, 0, 10)).toBe(0);
  });

  it("are taken as far as there is room, and not while bytes wait before them", async () => {
    connected = await connectedPair(network);
    const { client, server, atServer } = connected;
    const file = await opened();
    server.pauseReading();
    const expected: Buffer[] = [];
    for (;;) {
      const count = client.sendFile(header, file, 7, MIB);
      if (count === ASK_NEXT_TURN) {
        await turns(1);
        continue;
      }
      const frame = Buffer.concat([header, content.subarray(7, 7 + MIB)]);
      expected.push(frame.subarray(0, count));
      if (count < frame.length) break;
    }
    const waiting = write(client, content);
    expected.push(content);
    await turns(2);
    expect(client.sendFile(NOTHING, file, 0, 10)).toBe(ASK_WHEN_SENT);
    server.resumeReading();
    await waiting;
    const whole = Buffer.concat(expected);
    await atServer.received(whole.length);
    expect(atServer.bytes.equals(whole)).toBe(true);
    await file.close();
  });

  it("leave other connections and timers their share of a turn", async () => {
    connected = await connectedPair(network);
    const { client } = connected;
    const file = await opened();
    let bytes = 0;
    let count = 0;
    for (; count === 0 || count === MIB; bytes += count) {
      count = client.sendFile(NOTHING, file, 0, MIB);
      if (count <= 0) break;
    }
    expect(bytes).toBeLessThan(8 * MIB);
    await file.close();
  });

  it("are not asked for while the disk may still be filling memory", async () => {
    connected = await connectedPair(network);
    const { client, atServer } = connected;
    let isThere = true;
    let asked = 0;
    const file = await opened(() => ({
      ...real,
      sendFile: (...args) => {
        asked += 1;
        return isThere ? real.sendFile(...args) : -1;
      },
      read: (...args) => (isThere ? real.read(...args) : -1),
    }));
    vi.useFakeTimers({ toFake: ["performance"] });
    expect(client.sendFile(NOTHING, file, 0, 10)).toBe(10);
    isThere = false;
    expect(client.sendFile(NOTHING, file, 0, 10)).toBe(0);
    isThere = true;
    expect(client.sendFile(NOTHING, file, 0, 10)).toBe(0);
    expect(asked).toBe(2);
    vi.advanceTimersByTime(1001);
    expect(client.sendFile(NOTHING, file, 0, 10)).toBe(10);
    isThere = false;
    expect(file.readNow(Buffer.alloc(10), 0)).toBe(0);
    isThere = true;
    expect(client.sendFile(NOTHING, file, 0, 10)).toBe(0);
    vi.advanceTimersByTime(1001);
    expect(client.sendFile(NOTHING, file, 0, 10)).toBe(10);
    await atServer.received(30);
    await file.close();
  });

  it("are refused when a page of them is missing, or the file ends before", async () => {
    connected = await connectedPair(network);
    const { client, atServer } = connected;
    const file = await opened();
    expect(client.sendFile(header, file, content.length - 10, 20_000)).toBe(0);
    const writer = await createNodeFiles().open(path, "read-write");
    await writer.sync();
    await writer.close();
    // GNU dd asks the system to drop the pages of a file that it reads nothing of.
    execFileSync("dd", [`if=${path}`, "iflag=nocache", "count=0"], { stdio: "ignore" });
    const isDropped = file.readNow(Buffer.alloc(10), 2 * MIB) === 0;
    if (isDropped) expect(client.sendFile(header, file, 2 * MIB, 10)).toBe(0);
    await turns(3);
    expect(atServer.byteCount).toBe(0);
    await createNodeFiles().readFile(path);
    await file.close();
  });

  it("are refused by a connection that is ending or gone", async () => {
    connected = await connectedPair(network);
    const { client, server, atClient, atServer } = connected;
    const file = await opened();
    client.end();
    expect(client.sendFile(header, file, 0, 10)).toBe(0);
    server.destroy();
    expect(server.sendFile(header, file, 0, 10)).toBe(0);
    await Promise.all([atClient.saw("close"), atServer.saw("close")]);
    expect(client.sendFile(header, file, 0, 10)).toBe(0);
    await file.close();
  });

  it("of a peer that is gone fail no call, and the next write tells", async () => {
    connected = await connectedPair(network);
    const { client, server, atClient } = connected;
    const file = await opened();
    server.pauseReading();
    await write(client, Buffer.from("unread"));
    await turns(5);
    server.destroy();
    let failure: Error | null = null;
    for (let round = 0; round < 1000 && failure === null; round += 1) {
      client.sendFile(header, file, 0, 10);
      failure = await write(client, Buffer.from("more"));
    }
    expect(failure).toMatchObject({ code: "WRITE_FAILED" });
    await atClient.saw("close");
    await file.close();
  });
});
