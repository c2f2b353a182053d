import { connect, type Socket as NetSocket } from "node:net";
import { describe, expect, it } from "vitest";
import { BytesManagedBuffer, encodeMessage, ManagedBuffer, MessageType } from "../../src/index.ts";
import { pattern, startPair } from "./echo-service.ts";

const MIB = 1024 * 1024;

describe("a peer that does not take its answers", () => {
  it("is not read from above the high water mark, and served on once it reads", async () => {
    await using pair = await startPair();
    const slow = await RawPeer.connect(pair.server.port);
    slow.socket.pause();
    const request = encodeMessage({
      type: MessageType.RpcRequest,
      requestId: 1,
      body: pattern(MIB),
    });
    const frame = Buffer.concat([request.header, request.body as Uint8Array]);
    for (let count = 0; count < 60; count += 1) slow.socket.write(frame);
    await settled(() => pair.handler.clients[1]?.channel.pendingBytes ?? 0);
    const queued = pair.handler.clients[1]?.channel.pendingBytes ?? 0;
    expect(queued).toBeGreaterThan(8 * MIB);
    expect(queued).toBeLessThan(12 * MIB);

    // Others are not held up meanwhile.
    expect(await pair.client.sendRpc(Buffer.from("quick"))).toHaveLength(5);

    slow.socket.resume();
    await slow.received(60 * (MIB + 21));
    slow.socket.destroy();
  });

  it("is not served beyond the mark when one read brought all of its requests", async () => {
    await using pair = await startPair();
    const slow = await RawPeer.connect(pair.server.port);
    slow.socket.pause();
    const count = 200;
    let opened = 0;
    const chunks = {
      count,
      open: () => {
        opened += 1;
        return new BytesManagedBuffer(pattern(MIB));
      },
    };
    const { channel } = await pair.handler.clientOf(1);
    const streamId = pair.handler.streamManager.registerStream(null, chunks, channel);
    const requests = Array.from({ length: count }, (_, chunkIndex) => {
      return encodeMessage({ type: MessageType.ChunkFetchRequest, streamId, chunkIndex }).header;
    });
    slow.socket.write(Buffer.concat(requests));
    await settled(() => channel.pendingBytes);
    expect(channel.pendingBytes).toBeGreaterThan(0);
    expect(opened).toBeLessThan(40);

    slow.socket.resume();
    await slow.received(count * (MIB + 21));
    expect(opened).toBe(count);
    slow.socket.destroy();
  });

  it("loses only its own connection when it goes away with answers queued", async () => {
    await using pair = await startPair();
    const slow = await RawPeer.connect(pair.server.port);
    slow.socket.pause();
    const released: number[] = [];
    const streamId = pair.handler.streamManager.registerStream(
      null,
      { count: 50, open: (index) => new SlowBody(index, released) },
      (await pair.handler.clientOf(1)).channel,
    );
    for (let chunkIndex = 0; chunkIndex < 50; chunkIndex += 1) {
      slow.socket.write(
        encodeMessage({ type: MessageType.ChunkFetchRequest, streamId, chunkIndex }).header,
      );
    }
    await settled(() => pair.handler.clients[1]?.channel.pendingBytes ?? 0);
    slow.socket.destroy();
    await until(() => released.length === 50);
    expect(new Set(released).size).toBe(50);
    expect(pair.handler.streamManager.chunksBeingTransferred()).toBe(0);
    expect(await pair.client.sendRpc(Buffer.from("quick"))).toHaveLength(5);
  });
});

describe("a peer that asks for more chunks than the disk can find", () => {
  it("is not read beyond a limit, and gets every answer in order in the end", async () => {
    await using pair = await startPair();
    await pair.client.sendRpc(Buffer.from("hello"));
    const gate = Promise.withResolvers<void>();
    let opened = 0;
    const count = 20_000;
    const streamId = pair.handler.register({
      count,
      open: async (index) => {
        opened += 1;
        await gate.promise;
        return new BytesManagedBuffer(Buffer.from(String(index)));
      },
    });
    const arrived: string[] = [];
    const all = new Promise<void>((resolve, reject) => {
      for (let index = 0; index < count; index += 1) {
        pair.client.fetchChunkWith(streamId, index, {
          onSuccess: (_index, { view }) => {
            arrived.push(Buffer.from(view).toString());
            if (arrived.length === count) resolve();
          },
          onFailure: (_index, error) => reject(error),
        });
      }
    });
    await settled(() => opened);
    expect(opened).toBe(4096);
    gate.resolve();
    await all;
    expect(arrived).toEqual(Array.from({ length: count }, (_, index) => String(index)));
  });
});

describe("a receiver of an upload that is slower than its sender", () => {
  it("holds the sender up instead of gathering in memory", async () => {
    await using pair = await startPair();
    const gate = Promise.withResolvers<void>();
    let received = 0;
    pair.handler.receiveStream = () => ({
      id: "slow",
      onData: (_id, bytes) => {
        received += bytes.length;
        return gate.promise;
      },
      onComplete: () => {},
      onFailure: () => {},
    });
    const data = new BytesManagedBuffer(Buffer.alloc(50 * MIB));
    const upload = pair.client.uploadStream(Buffer.from("slow"), data);
    await settled(() => received);
    expect(received).toBeLessThan(2 * MIB);
    gate.resolve();
    await upload;
    expect(received).toBe(50 * MIB);
  });

  it("ends the upload with the reason when it fails later", async () => {
    await using pair = await startPair();
    const ends: string[] = [];
    pair.handler.receiveStream = () => ({
      id: "failing",
      onData: () => Promise.reject(new Error("disk full")),
      onComplete: () => void ends.push("complete"),
      onFailure: () => void ends.push("failed"),
    });
    const data = new BytesManagedBuffer(Buffer.alloc(5 * MIB));
    await expect(pair.client.uploadStream(Buffer.from("failing"), data)).rejects.toMatchObject({
      message: expect.stringMatching(
        /Destination failed while reading stream\nCaused by: .*disk full/,
      ),
    });
    await until(() => ends.length > 0);
    expect(ends).toEqual(["failed"]);
  });
});

/** A megabyte that comes in pieces and says when it was released. */
class SlowBody extends ManagedBuffer {
  readonly size = MIB;
  readonly #index: number;
  readonly #released: number[];

  constructor(index: number, released: number[]) {
    super();
    this.#index = index;
    this.#released = released;
  }

  open(): ReturnType<ManagedBuffer["open"]> {
    return new BytesManagedBuffer(Buffer.alloc(MIB, this.#index)).open();
  }

  override release(): void {
    this.#released.push(this.#index);
  }
}

/** A socket that counts what it gets. */
class RawPeer {
  readonly socket: NetSocket;
  #bytes = 0;

  private constructor(socket: NetSocket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("data", (data) => void (this.#bytes += data.length));
  }

  static connect(port: number): Promise<RawPeer> {
    return new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(new RawPeer(socket)));
    });
  }

  async received(bytes: number): Promise<void> {
    await until(() => this.#bytes >= bytes);
  }
}

/** Waits until a figure stops changing. */
async function settled(read: () => number): Promise<void> {
  for (let last = -1, same = 0; same < 10; ) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const now = read();
    same = now === last && now > 0 ? same + 1 : 0;
    last = now;
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
