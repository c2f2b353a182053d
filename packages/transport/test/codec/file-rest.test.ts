import { describe, expect, it } from "vitest";
import {
  Channel,
  ChunkedWriter,
  encodeMessage,
  FileSegmentManagedBuffer,
  type Message,
  MessageEncoder,
  MessageType,
} from "../../src/index.ts";
import { nodeClock } from "../../src/platform/node-clock.ts";
import {
  createMemoryFiles,
  createMemoryNetwork,
  type MemoryNetworkOptions,
} from "../../src/testing/index.ts";
import { pattern } from "../buffer/pieces.ts";
import { Recorder, turns } from "../testing/recorder.ts";

describe("files that the system sends by itself", () => {
  const content = pattern(2_000_000);

  it.each([300, 5000, 70_000, 10_000_000])(
    "keeps frames whole and in order, with room for %d bytes",
    async (pipeBytes) => {
      const files = createMemoryFiles({ isCached: true });
      await files.writeFile("/data", content);
      const { channel, peer } = await connectedChannel({ pipeBytes });
      const expected: Buffer[] = [];
      const ends: number[] = [];
      for (let index = 0; index < 60; index += 1) {
        const [start, end] = [index * 31, index * 31 + ((index * 7919) % 90_000) + 1];
        const key = {
          type: MessageType.ChunkFetchSuccess,
          streamId: 1,
          chunkIndex: index,
        } as const;
        const bytes = content.subarray(start, end);
        const segment = { files, path: "/data", offset: start, length: end - start };
        const body = index % 5 === 0 ? bytes : new FileSegmentManagedBuffer(segment);
        channel.write({ ...key, body }, (error) => {
          expect(error).toBeNull();
          ends.push(index);
        });
        expected.push(frameOf({ ...key, body: bytes }));
      }
      const whole = Buffer.concat(expected);
      await peer.received(whole.length);
      await channel.close();
      expect(peer.bytes.equals(whole)).toBe(true);
      expect(ends.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, at) => at));
      expect(channel.pendingBytes).toBe(0);
    },
  );

  it("shows every byte to a handler between it and the socket", async () => {
    const files = createMemoryFiles({ isCached: true });
    await files.writeFile("/data", content);
    const { channel, peer } = await connectedChannel();
    let seen = 0;
    channel.pipeline.addFirst("cipher", {
      write: (context, message, done) => {
        for (const piece of message as Uint8Array[]) seen += piece.length;
        context.write(message, done);
      },
    });
    const body = new FileSegmentManagedBuffer({
      files,
      path: "/data",
      offset: 5,
      length: 600_000,
    });
    channel.write({ type: MessageType.OneWayMessage, body });
    await channel.close();
    expect(peer.bytes.subarray(-600_000).equals(content.subarray(5, 600_005))).toBe(true);
    expect(seen).toBe(peer.byteCount);
  });

  it("ends the connection when the file is cut while it is sent", async () => {
    const files = createMemoryFiles({ isCached: true });
    await files.writeFile("/data", content);
    const { channel } = await connectedChannel({ pipeBytes: 1000 });
    const ended = Promise.withResolvers<Error | null>();
    const body = new FileSegmentManagedBuffer({
      files,
      path: "/data",
      offset: 0,
      length: 900_000,
    });
    channel.write({ type: MessageType.OneWayMessage, body }, ended.resolve);
    const file = await files.open("/data", "read-write");
    await file.truncate(100_000);
    expect(await ended.promise).toMatchObject({ code: "BODY_UNAVAILABLE" });
    await channel.closed;
    expect(channel.pendingBytes).toBe(0);
  });

  it("tells everybody who waits when the connection is lost", async () => {
    const files = createMemoryFiles({ isCached: true });
    await files.writeFile("/data", content);
    const { channel, peer } = await connectedChannel({ pipeBytes: 1000 });
    const ends: (Error | null)[] = [];
    for (let index = 0; index < 3; index += 1) {
      const body = new FileSegmentManagedBuffer({
        files,
        path: "/data",
        offset: 0,
        length: 900_000,
      });
      channel.write({ type: MessageType.OneWayMessage, body }, (error) => ends.push(error));
    }
    await peer.received(50_000);
    channel.abort(new Error("enough"));
    await channel.closed;
    await turns(5);
    expect(ends).toHaveLength(3);
    for (const error of ends) expect(error).not.toBeNull();
    expect(channel.pendingBytes).toBe(0);
  });
});

function frameOf(message: Message): Buffer {
  const { header, body } = encodeMessage(message);
  return Buffer.concat([header, body as Uint8Array]);
}

/** A channel over a connection in memory, and what arrives at its other end. */
async function connectedChannel(
  options: MemoryNetworkOptions = {},
): Promise<{ channel: Channel; peer: Recorder }> {
  const network = createMemoryNetwork(nodeClock, options);
  const peer = new Recorder();
  const listener = await network.listen({ host: "127.0.0.1", port: 0 }, (accepted) => {
    accepted.start(peer);
    void peer.saw("end").then(() => accepted.end());
  });
  const socket = await network.connect({ ...listener.address, timeoutMs: 0 });
  const channel = new Channel({ socket, clock: nodeClock });
  channel.pipeline.addLast("chunkedWriter", new ChunkedWriter());
  channel.pipeline.addLast("encoder", new MessageEncoder());
  channel.start();
  return { channel, peer };
}
