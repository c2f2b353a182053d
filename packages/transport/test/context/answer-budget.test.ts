import { describe, expect, it } from "vitest";
import {
  BytesManagedBuffer,
  type ChunkSource,
  ManagedBuffer,
  type Platform,
  type TransportClient,
  TransportConf,
  TransportContext,
  type TransportServer,
} from "../../src/index.ts";
import {
  createMemoryFiles,
  createMemoryNetwork,
  createSeededRandom,
  ManualClock,
} from "../../src/testing/index.ts";
import { EchoHandler, startPair } from "./echo-service.ts";

const KIB = 1024;
const CHUNK_BYTES = 100 * KIB;
const BUDGET = { "bm.shuffle.answersInFlight.size": "400k" };

describe("the budget of answers on their way", () => {
  it("lets peers that read have theirs beside one that stopped, twice over", async () => {
    await using net = await MemoryNet.start(BUDGET);
    const stopped = await net.connect();
    const active = await net.connect();
    for (let round = 0; round < 2; round += 1) {
      stopped.client.channel.pauseReading();
      stopped.fetch(20);
      await net.settle();
      expect(net.figures["answerBytesInFlight"]).toBeLessThanOrEqual(400 * KIB);
      expect(net.figures["numAnswersWaiting"]).toBeGreaterThan(10);

      active.fetch(20);
      await net.settle();
      expect(active.takeArrived()).toEqual(numbersBelow(20));

      stopped.client.channel.resumeReading();
      await net.settle();
      expect(stopped.takeArrived()).toEqual(numbersBelow(20));
      expect(net.figures).toMatchObject({ answerBytesInFlight: 0, numAnswersWaiting: 0 });
    }
    expect(net.figures["numAnswersDelayedTotal"]).toBeGreaterThan(20);
    expect(net.handler.ended).toEqual([]);
  });

  it("gives every stopped peer one answer, and the others turns in what is left", async () => {
    await using net = await MemoryNet.start(BUDGET);
    const peers = await Promise.all(Array.from({ length: 8 }, () => net.connect()));
    for (const peer of peers) {
      peer.client.channel.pauseReading();
      peer.fetch(10);
    }
    await net.settle();
    // The first took the budget; the others have their one answer each beyond it.
    expect(net.figures["answerBytesInFlight"]).toBe((4 + 7) * CHUNK_BYTES);
    for (const peer of peers.slice(0, 4)) peer.client.channel.resumeReading();
    await net.settle();
    expect(peers.map((peer) => peer.takeArrived().length)).toEqual([10, 10, 10, 10, 0, 0, 0, 0]);
  });

  it("sends an answer that is larger than the whole budget", async () => {
    await using net = await MemoryNet.start({ "bm.shuffle.answersInFlight.size": "1k" });
    const peer = await net.connect();
    peer.fetch(5);
    await net.settle();
    expect(peer.takeArrived()).toEqual(numbersBelow(5));
  });

  it("releases what waits with its connection, and lets others have the room", async () => {
    await using net = await MemoryNet.start(BUDGET);
    const [gone, stopped] = [await net.connect(), await net.connect()];
    for (const peer of [gone, stopped]) {
      peer.client.channel.pauseReading();
      peer.fetch(10);
    }
    await net.settle();
    gone.client.abort(new Error("gone"));
    await net.settle();
    expect(net.released.filter((peer) => peer === gone.number)).toHaveLength(10);
    expect(net.figures["answerBytesInFlight"]).toBe(4 * CHUNK_BYTES);
    expect(net.handler.streamManager.chunksBeingTransferred()).toBe(10);
  });

  it("keeps streams and their failures in order while they wait", async () => {
    await using net = await MemoryNet.start({ "bm.shuffle.answersInFlight.size": "1k" });
    const peer = await net.connect();
    const streamId = net.register(peer, 3);
    const ends: string[] = [];
    const callback = {
      onData: () => {},
      onComplete: (name: string) => void ends.push(`${name} complete`),
      onFailure: (name: string) => void ends.push(`${name} failed`),
    };
    const names = [`${streamId}_0`, `${streamId}_1`, "0_0", `${streamId}_2`];
    for (const name of names) peer.client.stream(name, callback);
    await net.settle();
    expect(ends).toEqual([
      `${streamId}_0 complete`,
      `${streamId}_1 complete`,
      "0_0 failed",
      `${streamId}_2 complete`,
    ]);
  });

  it("lets nothing overtake an answer that made the channel full while it waited", async () => {
    await using pair = await startPair();
    const sizes = [5, 16 * 1024 * KIB, 7, 16 * 1024 * KIB, 9];
    const open = (index: number): ManagedBuffer =>
      new BytesManagedBuffer(Buffer.alloc(sizes[index] ?? 0));
    const streamId = pair.handler.register({ count: sizes.length, open });
    const lengths = sizes.map(() => 0);
    const ended = sizes.map((_, index) => {
      const { promise, reject, resolve } = Promise.withResolvers<void>();
      pair.client.stream(`${streamId}_${index}`, {
        onData: (_name, bytes) => void (lengths[index] = (lengths[index] ?? 0) + bytes.length),
        onComplete: () => resolve(),
        onFailure: (_name, error) => reject(error),
      });
      return promise;
    });
    await Promise.all(ended);
    // Streams are told apart by their order alone.
    expect(lengths).toEqual(sizes);
  });

  it("holds on real sockets: a peer that stopped keeps nobody waiting", async () => {
    await using pair = await startPair(BUDGET);
    await using other = await startPair(BUDGET);
    const context = new TransportContext({
      conf: new TransportConf("shuffle"),
      rpcHandler: other.clientHandler,
    });
    await using factory = context.createClientFactory();
    const stopped = await factory.createClient("127.0.0.1", pair.server.port);
    const stoppedSide = await pair.handler.clientOf(1);
    const large = chunksOfSize(40, 1024 * KIB);
    const { streamManager } = pair.handler;
    const held = streamManager.registerStream(null, large, stoppedSide.channel);
    const read = pair.handler.register(chunksOfSize(40, 1024 * KIB));
    for (let round = 0; round < 2; round += 1) {
      stopped.channel.pauseReading();
      const late = fetchAll(stopped, held, round * 20, 20);
      const early = await fetchAll(pair.client, read, round * 20, 20);
      expect(early).toHaveLength(20);
      stopped.channel.resumeReading();
      expect(await late).toHaveLength(20);
    }
    expect(pair.handler.ended).toEqual([]);
    expect(streamManager.chunksBeingTransferred()).toBe(0);
  });
});

/** A server and its peers on a network in memory, whose pipes hold less than a chunk. */
class MemoryNet {
  readonly handler: EchoHandler;
  readonly released: number[] = [];
  readonly #clock: ManualClock;
  readonly #serving: TransportContext;
  readonly #calling: TransportContext;
  readonly #server: TransportServer;
  readonly #peers: Peer[] = [];

  private constructor(
    serving: TransportContext,
    calling: TransportContext,
    server: TransportServer,
    clock: ManualClock,
  ) {
    this.handler = serving.rpcHandler as EchoHandler;
    this.#serving = serving;
    this.#calling = calling;
    this.#server = server;
    this.#clock = clock;
  }

  static async start(values: Readonly<Record<string, string>>): Promise<MemoryNet> {
    const clock = new ManualClock();
    const network = createMemoryNetwork(clock, { pipeBytes: 10 * KIB });
    const random = createSeededRandom(1);
    const platform: Platform = { clock, network, random, files: createMemoryFiles() };
    const conf = new TransportConf("shuffle", values);
    const made = (): TransportContext =>
      new TransportContext({ conf, platform, rpcHandler: new EchoHandler(platform) });
    const serving = made();
    const listening = serving.createServer({ port: 7337 });
    await clock.settle();
    return new MemoryNet(serving, made(), await listening, clock);
  }

  get figures(): Readonly<Record<string, number>> {
    return this.#serving.metrics.snapshot();
  }

  async connect(): Promise<Peer> {
    const connecting = this.#calling.createClientFactory().createClient("127.0.0.1", 7337);
    await this.settle();
    const number = this.#peers.length;
    const peer = new Peer(this, number, await connecting);
    this.#peers.push(peer);
    return peer;
  }

  /** A stream of that many chunks for the peer. */
  register({ number }: Peer, count: number): number {
    const side = this.handler.clients[number] as TransportClient;
    const open = (): ManagedBuffer => new NotedBody(() => this.released.push(number));
    return this.handler.streamManager.registerStream(null, { count, open }, side.channel);
  }

  settle(): Promise<void> {
    return this.#clock.settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { client } of this.#peers) client.abort(new Error("the test is over"));
    const closing = this.#server.close();
    await this.settle();
    await closing;
  }
}

class Peer {
  readonly number: number;
  readonly client: TransportClient;
  readonly #net: MemoryNet;
  #arrived: number[] = [];

  constructor(net: MemoryNet, number: number, client: TransportClient) {
    this.#net = net;
    this.number = number;
    this.client = client;
  }

  fetch(count: number): void {
    const streamId = this.#net.register(this, count);
    for (let index = 0; index < count; index += 1) {
      this.client.fetchChunkWith(streamId, index, {
        onSuccess: (arrived, { size }) => this.#arrived.push(size === CHUNK_BYTES ? arrived : -1),
        onFailure: () => {},
      });
    }
  }

  takeArrived(): number[] {
    const arrived = this.#arrived;
    this.#arrived = [];
    return arrived;
  }
}

/** A chunk that is read while it is sent, and says when it was released. */
class NotedBody extends ManagedBuffer {
  readonly size = CHUNK_BYTES;
  readonly #onRelease: () => void;

  constructor(onRelease: () => void) {
    super();
    this.#onRelease = onRelease;
  }

  open(): ReturnType<ManagedBuffer["open"]> {
    return new BytesManagedBuffer(Buffer.alloc(CHUNK_BYTES)).open();
  }

  override release(): void {
    this.#onRelease();
  }
}

function chunksOfSize(count: number, bytes: number): ChunkSource {
  return { count, open: () => new BytesManagedBuffer(Buffer.alloc(bytes)) };
}

function fetchAll(
  client: TransportClient,
  streamId: number,
  first: number,
  count: number,
): Promise<ManagedBuffer[]> {
  const indexes = Array.from({ length: count }, (_, at) => first + at);
  return Promise.all(indexes.map((index) => client.fetchChunk(streamId, index)));
}

function numbersBelow(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}
