import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  BytesManagedBuffer,
  FileSegmentManagedBuffer,
  nodePlatform,
  StreamManagedBuffer,
} from "../../src/index.ts";
import { memoryChunks, type Pair, pattern, startPair } from "./echo-service.ts";

describe("sendRpc", () => {
  for (const size of [0, 1, 1000, 65_536, 65_537, 1_000_003, 16 * 1024 * 1024]) {
    it(`carries ${size} bytes both ways`, async () => {
      await using pair = await startPair();
      const answer = await pair.client.sendRpc(pattern(size));
      expect(pattern(size).equals(answer)).toBe(true);
    });
  }

  it("keeps a thousand answers apart", async () => {
    await using pair = await startPair();
    const texts = Array.from({ length: 1000 }, (_, index) => `echo:${index}`);
    const answers = await Promise.all(texts.map((text) => pair.client.sendRpc(Buffer.from(text))));
    expect(answers.map((answer) => Buffer.from(answer).toString())).toEqual(texts);
  });

  it("gives the peer's failure text with its Java class", async () => {
    await using pair = await startPair();
    await expect(pair.client.sendRpc(Buffer.from("fail:not here"))).rejects.toMatchObject({
      code: "REMOTE_FAILURE",
      javaClass: "java.lang.UnsupportedOperationException",
      message: "java.lang.UnsupportedOperationException: not here\n",
    });
    expect(pair.client.isActive).toBe(true);
  });

  it("gives up after its time-out, forgets the request and keeps the connection", async () => {
    await using pair = await startPair();
    const request = pair.client.sendRpc(Buffer.from("never"), { timeoutMs: 20 });
    await expect(request).rejects.toMatchObject({ code: "REQUEST_TIMEOUT" });
    expect(pair.client.outstanding).toBe(0);
    expect(pair.client.isActive).toBe(true);
    for (const reply of pair.handler.pending.splice(0)) reply.onSuccess(Buffer.from("late"));
    expect(Buffer.from(await pair.client.sendRpc(Buffer.from("next"))).toString()).toBe("next");
  });

  it("is given up by its signal", async () => {
    await using pair = await startPair();
    const controller = new AbortController();
    const request = pair.client.sendRpc(Buffer.from("never"), { signal: controller.signal });
    controller.abort(new Error("not needed any more"));
    await expect(request).rejects.toMatchObject({ code: "REQUEST_ABORTED" });
    expect(pair.client.outstanding).toBe(0);
    await releasePending(pair);
  });

  it("fails at once on a closed connection", async () => {
    await using pair = await startPair();
    await pair.client.close();
    await expect(pair.client.sendRpc(Buffer.from("x"))).rejects.toMatchObject({
      code: "CHANNEL_CLOSED",
    });
  });

  it("fails when the peer closes with the request outstanding", async () => {
    await using pair = await startPair();
    const request = pair.client.sendRpc(Buffer.from("never"));
    const rejected = expect(request).rejects.toMatchObject({ code: "CHANNEL_CLOSED" });
    await until(() => pair.handler.pending.length === 1);
    pair.server.abort(new Error("stopped"));
    await rejected;
  });

  it("works from the accepting end too", async () => {
    await using pair = await startPair();
    const answer = await pair.client.sendRpc(Buffer.from("ask-back"));
    expect(Buffer.from(answer).toString()).toBe("client said from the server");
  });

  it("takes a body from a file", async () => {
    await using file = await temporaryFile(pattern(300_000));
    await using pair = await startPair();
    const answer = await pair.client.sendRpc(file.segment(1000, 250_000));
    expect(pattern(300_000).subarray(1000, 251_000).equals(answer)).toBe(true);
  });
});

describe("send", () => {
  it("delivers in order, without an answer", async () => {
    await using pair = await startPair();
    for (let index = 0; index < 100; index += 1) pair.client.send(Buffer.from(`message ${index}`));
    await pair.client.sendRpc(Buffer.from("flush"));
    expect(pair.handler.oneWay).toEqual(Array.from({ length: 100 }, (_, i) => `message ${i}`));
  });
});

describe("fetchChunk", () => {
  it("gives the chunks of a stream in order", async () => {
    await using pair = await startPair();
    await pair.client.sendRpc(Buffer.from("hello"));
    const streamId = pair.handler.register(memoryChunks("one", "", "three"));
    const chunks = await Promise.all([0, 1, 2].map((i) => pair.client.fetchChunk(streamId, i)));
    expect(chunks.map(({ view }) => Buffer.from(view).toString())).toEqual(["one", "", "three"]);
    expect(pair.handler.streamManager.streamCount).toBe(0);
  });

  for (const size of [0, 1, 65_535, 65_536, 262_144, 1_048_577, 5_000_000]) {
    it(`gives a file segment of ${size} bytes`, async () => {
      await using file = await temporaryFile(pattern(5_000_100));
      await using pair = await startPair();
      await pair.client.sendRpc(Buffer.from("hello"));
      const streamId = pair.handler.register({ count: 1, open: () => file.segment(50, size) });
      const { view } = await pair.client.fetchChunk(streamId, 0);
      expect(
        pattern(5_000_100)
          .subarray(50, 50 + size)
          .equals(view),
      ).toBe(true);
    });
  }

  it("keeps the order when earlier chunks are found later", async () => {
    await using pair = await startPair();
    await pair.client.sendRpc(Buffer.from("hello"));
    const first = Promise.withResolvers<BytesManagedBuffer>();
    const streamId = pair.handler.register({
      count: 2,
      open: (index) =>
        index === 0 ? first.promise : new BytesManagedBuffer(Buffer.from("second")),
    });
    const arrived: string[] = [];
    const fetches = [0, 1].map((index) =>
      pair.client.fetchChunk(streamId, index).then(({ view }) => arrived.push(String(view))),
    );
    first.resolve(new BytesManagedBuffer(Buffer.from("first")));
    await Promise.all(fetches);
    expect(arrived).toHaveLength(2);
    expect(arrived[0]).toBe(String(Buffer.from("first")));
  });

  it("says what is wrong with a chunk and keeps the connection", async () => {
    await using pair = await startPair();
    await pair.client.sendRpc(Buffer.from("hello"));
    const streamId = pair.handler.register(memoryChunks("a", "b"));
    await expect(pair.client.fetchChunk(streamId, 1)).rejects.toMatchObject({
      code: "CHUNK_FETCH_FAILED",
      message: expect.stringContaining("Received out-of-order chunk index 1 (expected 0)"),
    });
    await expect(pair.client.fetchChunk(424_242, 0)).rejects.toMatchObject({
      message: expect.stringContaining("streamId 424242 is closed"),
    });
    expect(pair.client.isActive).toBe(true);
  });

  it("answers a missing file with a failure and serves on", async () => {
    await using pair = await startPair();
    await pair.client.sendRpc(Buffer.from("hello"));
    const { files } = nodePlatform();
    const path = join(tmpdir(), "bm-no-such-file");
    const missing = new FileSegmentManagedBuffer({ files, path, offset: 0, length: 10 });
    const streamId = pair.handler.register({ count: 1, open: () => missing });
    await expect(pair.client.fetchChunk(streamId, 0)).rejects.toMatchObject({
      code: "CHUNK_FETCH_FAILED",
    });
    expect(Buffer.from(await pair.client.sendRpc(Buffer.from("on"))).toString()).toBe("on");
  });

  it("drops a stream with its connection", async () => {
    await using pair = await startPair();
    await pair.client.sendRpc(Buffer.from("hello"));
    let releasedFrom = -1;
    pair.handler.register({
      ...memoryChunks("a", "b", "c"),
      release: (index) => void (releasedFrom = index),
    });
    await pair.client.close();
    await until(() => pair.handler.ended.length === 1);
    expect(pair.handler.streamManager.streamCount).toBe(0);
    expect(releasedFrom).toBe(0);
  });
});

describe("stream", () => {
  it("carries raw bytes between other messages", async () => {
    await using file = await temporaryFile(pattern(3_000_000));
    await using pair = await startPair();
    await pair.client.sendRpc(Buffer.from("hello"));
    const streamId = pair.handler.register({ count: 2, open: () => file.segment(0, 3_000_000) });
    const [first, rpc, second] = await Promise.all([
      readStream(pair, `${streamId}_0`),
      pair.client.sendRpc(Buffer.from("between")),
      readStream(pair, `${streamId}_1`),
    ]);
    expect(first.equals(pattern(3_000_000))).toBe(true);
    expect(second.equals(first)).toBe(true);
    expect(Buffer.from(rpc).toString()).toBe("between");
  });

  it("reports a stream that does not exist", async () => {
    await using pair = await startPair();
    await expect(readStream(pair, "no-such")).rejects.toMatchObject({ code: "STREAM_FAILED" });
    await expect(readStream(pair, "77_0")).rejects.toMatchObject({ code: "STREAM_FAILED" });
    expect(pair.client.isActive).toBe(true);
  });

  it("completes an empty stream", async () => {
    await using pair = await startPair();
    await pair.client.sendRpc(Buffer.from("hello"));
    const streamId = pair.handler.register(memoryChunks(""));
    expect(await readStream(pair, `${streamId}_0`)).toHaveLength(0);
  });
});

describe("uploadStream", () => {
  for (const size of [0, 1, 100_000, 20_000_000]) {
    it(`carries ${size} bytes and their header`, async () => {
      await using pair = await startPair();
      const data = new BytesManagedBuffer(Buffer.alloc(size, 7));
      const answer = await pair.client.uploadStream(Buffer.from("meta"), data);
      expect(Buffer.from(answer).toString()).toBe(`got ${size}`);
      expect(pair.handler.uploads).toEqual([{ meta: "meta", bytes: size, end: "complete" }]);
    });
  }

  it("carries a body that is produced while it is sent", async () => {
    await using pair = await startPair();
    const data = new StreamManagedBuffer({
      size: 300_000,
      open: async function* () {
        for (let index = 0; index < 3; index += 1) yield Buffer.alloc(100_000, index);
      },
    });
    const upload = pair.client.uploadStream(Buffer.from("lazy"), data);
    const rpc = pair.client.sendRpc(Buffer.from("behind"));
    expect(Buffer.from(await upload).toString()).toBe("got 300000");
    expect(Buffer.from(await rpc).toString()).toBe("behind");
  });

  it("closes the connection after the reason when the receiver refuses", async () => {
    await using pair = await startPair();
    const data = new BytesManagedBuffer(Buffer.alloc(1_000_000));
    await expect(pair.client.uploadStream(Buffer.from("refuse"), data)).rejects.toMatchObject({
      code: "REMOTE_FAILURE",
      message: expect.stringContaining("no uploads of that kind"),
    });
    await pair.client.channel.closed;
  });

  it("closes the connection after the reason when the receiver fails on the way", async () => {
    await using pair = await startPair();
    const data = new BytesManagedBuffer(Buffer.alloc(10));
    const upload = pair.client.uploadStream(Buffer.from("fail-in-data"), data);
    await expect(upload).rejects.toMatchObject({
      message: expect.stringMatching(
        /^java\.io\.IOException: Destination failed while reading stream\nCaused by: .*disk full/,
      ),
    });
    await pair.client.channel.closed;
    expect(pair.handler.uploads).toEqual([{ meta: "fail-in-data", bytes: 0, end: "failed" }]);
  });

  it("keeps the connection when the receiver fails after the last byte", async () => {
    await using pair = await startPair();
    const data = new BytesManagedBuffer(Buffer.alloc(10));
    const upload = pair.client.uploadStream(Buffer.from("fail-at-end"), data);
    await expect(upload).rejects.toMatchObject({
      message: expect.stringContaining("leaving channel active\nCaused by: "),
    });
    expect(pair.client.isActive).toBe(true);
    expect(pair.handler.uploads[0]?.end).toBe("failed");
  });

  it("tells the receiver when the sender goes away", async () => {
    await using pair = await startPair();
    const data = new StreamManagedBuffer({
      size: 1_000_000,
      open: async function* () {
        yield Buffer.alloc(1000);
        pair.client.abort(new Error("gone"));
        await new Promise((resolve) => setTimeout(resolve, 20));
        yield Buffer.alloc(999_000);
      },
    });
    await expect(pair.client.uploadStream(Buffer.from("cut"), data)).rejects.toMatchObject({
      code: "CHANNEL_CLOSED",
    });
    await until(() => pair.handler.ended.length === 1);
    expect(pair.handler.uploads.every(({ end }) => end === "failed")).toBe(true);
  });
});

describe("mergedBlockMeta", () => {
  it("gives the chunk count and the bitmaps", async () => {
    await using pair = await startPair();
    const meta = await pair.client.mergedBlockMeta("app-1", 1, 2, 3);
    expect(meta.numChunks).toBe(3);
    expect(Buffer.from(meta.bitmaps.view).toString()).toBe("app-1");
  });
});

async function readStream(pair: Pair, streamId: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    pair.client.stream(streamId, {
      onData: (_id, bytes) => void pieces.push(Buffer.from(bytes)),
      onComplete: () => resolve(),
      onFailure: (_id, error) => reject(error),
    });
  });
  return Buffer.concat(pieces);
}

async function releasePending(pair: Pair): Promise<void> {
  await until(() => pair.handler.pending.length > 0);
  for (const reply of pair.handler.pending.splice(0)) reply.onSuccess(Buffer.alloc(0));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

async function temporaryFile(content: Buffer): Promise<{
  segment(offset: number, length: number): FileSegmentManagedBuffer;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const directory = await mkdtemp(join(tmpdir(), "bm-transport-"));
  const path = join(directory, "data");
  await writeFile(path, content);
  const { files } = nodePlatform();
  return {
    segment: (offset, length) => new FileSegmentManagedBuffer({ files, path, offset, length }),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}
