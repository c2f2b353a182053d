import { afterEach, describe, expect, it } from "vitest";
import { nodeClock } from "../../src/platform/node-clock.ts";
import { nodePlatform } from "../../src/platform/node-platform.ts";
import type { Network, Socket } from "../../src/platform/platform.ts";
import { createMemoryNetwork } from "../../src/testing/memory-network.ts";
import { hangingPort } from "./hanging-port.ts";
import { connectedPair, type Pair, pattern, Recorder, turns, write } from "./recorder.ts";

interface NetworkHarness {
  readonly network: Network;
  /** A port at 127.0.0.1 that neither accepts nor refuses. */
  readonly hangingPort: () => Promise<number>;
}

const MIB = 1024 * 1024;
const HANGING_MEMORY_PORT = 4;

const implementations: readonly (readonly [string, NetworkHarness])[] = [
  ["node", { network: nodePlatform().network, hangingPort }],
  [
    "memory",
    {
      network: createMemoryNetwork(nodeClock, {
        onConnect: (_, to) => (to.port === HANGING_MEMORY_PORT ? "hang" : "accept"),
      }),
      hangingPort: () => Promise.resolve(HANGING_MEMORY_PORT),
    },
  ],
];

/** What every Network promises. */
describe.each(implementations)("%s network", (_name, { network, hangingPort: findHangingPort }) => {
  const pairs: Pair[] = [];

  async function pair(): Promise<Pair> {
    const made = await connectedPair(network);
    pairs.push(made);
    return made;
  }

  afterEach(async () => {
    for (const { listener, client, server } of pairs.splice(0)) {
      client.destroy();
      server.destroy();
      await listener.close();
    }
  });

  describe("connections", () => {
    it("know each other's addresses", async () => {
      const { listener, client, server } = await pair();
      expect(client.remoteAddress).toEqual(listener.address);
      expect(server.localAddress).toEqual(listener.address);
      expect(server.remoteAddress).toEqual(client.localAddress);
      expect(client.localAddress.host).toBe("127.0.0.1");
    });

    it("carry bytes in order, both ways", async () => {
      const { client, server, atClient, atServer } = await pair();
      const there = pattern(300_000, 1);
      const back = pattern(200_000, 2);
      for (let at = 0; at < there.length; at += 7001) {
        void write(client, there.subarray(at, at + 7001));
      }
      void write(server, back.subarray(0, 5), back.subarray(5, 100_000), back.subarray(100_000));
      await Promise.all([atServer.received(there.length), atClient.received(back.length)]);
      expect(atServer.bytes.equals(there)).toBe(true);
      expect(atClient.bytes.equals(back)).toBe(true);
    });

    it("are kept apart", async () => {
      const [one, other] = [await pair(), await pair()];
      await write(one.client, Buffer.from("one"));
      await write(other.client, Buffer.from("other"));
      await Promise.all([one.atServer.received(3), other.atServer.received(5)]);
      expect(one.atServer.bytes.toString()).toBe("one");
      expect(other.atServer.bytes.toString()).toBe("other");
    });

    it("deliver what was sent before the receiver started", async () => {
      const listener = await network.listen({ host: "127.0.0.1", port: 0 }, (socket) => {
        socket.start(new Recorder());
        void write(socket, Buffer.from("greeting"));
        socket.end();
      });
      const client = await network.connect({ ...listener.address, timeoutMs: 0 });
      await turns(5);
      const atClient = new Recorder();
      client.start(atClient);
      await atClient.received(8);
      expect(atClient.bytes.toString()).toBe("greeting");
      client.end();
      await atClient.saw("close");
      await listener.close();
    });
  });

  describe("writes", () => {
    it("are reported once each, in order, never within write()", async () => {
      const { client } = await pair();
      const done: string[] = [];
      const last = new Promise<void>((resolve) => {
        for (const label of ["a", "b", "c"]) {
          client.write([Buffer.from(label)], (error) => {
            done.push(`${label}:${error}`);
            if (label === "c") resolve();
          });
        }
      });
      expect(done).toEqual([]);
      expect(client.pendingBytes).toBe(3);
      await last;
      await turns(5);
      expect(done).toEqual(["a:null", "b:null", "c:null"]);
      expect(client.pendingBytes).toBe(0);
    });

    it("of one turn arrive together", async () => {
      const { client, atServer } = await pair();
      for (let i = 0; i < 50; i += 1) void write(client, Buffer.from("x"), Buffer.from("y"));
      await atServer.received(100);
      expect(atServer.pieces).toHaveLength(1);
    });

    it("of nothing are reported too, in their turn", async () => {
      const { client, atServer } = await pair();
      const order: number[] = [];
      const all = [
        write(client, Buffer.from("a")).then(() => order.push(0)),
        write(client).then(() => order.push(1)),
        write(client, Buffer.alloc(0)).then(() => order.push(2)),
        write(client, Buffer.from("b"), Buffer.alloc(0)).then(() => order.push(3)),
      ];
      await Promise.all(all);
      expect(order).toEqual([0, 1, 2, 3]);
      await atServer.received(2);
      expect(atServer.bytes.toString()).toBe("ab");
    });

    it("may be made from within a report", async () => {
      const { client, atServer } = await pair();
      await new Promise<void>((resolve) => {
        let count = 0;
        const next = (): void => {
          count += 1;
          if (count <= 500) client.write([Buffer.from("z")], next);
          else resolve();
        };
        next();
      });
      await atServer.received(500);
      expect(atServer.byteCount).toBe(500);
    });

    it("wait while the peer does not read, and go on when it does, twice", async () => {
      const { client, server, atServer } = await pair();
      const piece = pattern(MIB + 7);
      let sentCount = 0;
      for (let round = 0; round < 2; round += 1) {
        server.pauseReading();
        const results: Promise<Error | null>[] = [];
        // Until the buffers of the system are full, however large it made them.
        while (client.pendingBytes === 0 && results.length < 256) {
          for (let i = 0; i < 4; i += 1) results.push(write(client, piece));
          await turns(50);
        }
        expect(client.pendingBytes).toBeGreaterThan(0);
        sentCount += results.length;
        expect(atServer.byteCount).toBeLessThan(sentCount * piece.length);
        server.resumeReading();
        expect(await Promise.all(results)).toEqual(results.map(() => null));
        await atServer.received(sentCount * piece.length);
        expect(client.pendingBytes).toBe(0);
      }
      expect(atServer.bytes.equals(Buffer.alloc(sentCount * piece.length, piece))).toBe(true);
    });
  });

  describe("pausing", () => {
    it("takes effect in the middle of delivery", async () => {
      const { client, server, atServer } = await pair();
      atServer.onPiece = () => server.pauseReading();
      await write(client, pattern(1000));
      await atServer.received(1);
      const seen = atServer.byteCount;
      const second = write(client, pattern(100_000));
      await turns(20);
      expect(atServer.byteCount).toBe(seen);
      atServer.onPiece = () => {};
      server.resumeReading();
      await atServer.received(101_000);
      expect(await second).toBeNull();
    });
  });

  describe("the end", () => {
    it("comes after the last byte, and then both ends close", async () => {
      const { client, server, atClient, atServer } = await pair();
      const sent = Buffer.alloc(5 * MIB, pattern(MIB + 7));
      void write(client, sent);
      client.end();
      await atServer.saw("end");
      expect(atServer.bytes.equals(sent)).toBe(true);
      expect(atClient.log).not.toContain("close");
      server.end();
      await Promise.all([atClient.saw("close"), atServer.saw("close")]);
      await turns(10);
      for (const { log, closeError } of [atClient, atServer]) {
        expect(log.filter((event) => event !== "data")).toEqual(["end", "close"]);
        expect(closeError).toBeNull();
      }
    });

    it("of one direction leaves the other open", async () => {
      const { client, server, atClient, atServer } = await pair();
      client.end();
      await atServer.saw("end");
      expect(await write(server, Buffer.from("late answer"))).toBeNull();
      server.end();
      await atClient.saw("close");
      expect(atClient.bytes.toString()).toBe("late answer");
      expect(atClient.closeError).toBeNull();
    });

    it("may be asked for twice, and in any mixture with destroy", async () => {
      const { client, server, atClient, atServer } = await pair();
      client.end();
      client.end();
      server.end();
      server.destroy();
      server.destroy();
      client.destroy();
      client.end();
      await Promise.all([atClient.saw("close"), atServer.saw("close")]);
      await turns(10);
      expect(atClient.log.filter((event) => event === "close")).toHaveLength(1);
      expect(atServer.log.filter((event) => event === "close")).toHaveLength(1);
    });

    it("is noticed by a socket that had paused reading", async () => {
      const { client, server, atServer } = await pair();
      server.pauseReading();
      await write(client, pattern(10_000));
      client.end();
      server.end();
      await atServer.saw("close");
      expect(atServer.closeError).toBeNull();
      expect(atServer.byteCount).toBe(0);
    });

    it("reaches a socket that is started only later", async () => {
      const { listener } = await pair();
      const client = await network.connect({ ...listener.address, timeoutMs: 0 });
      client.destroy();
      await turns(20);
      const late = new Recorder();
      client.start(late);
      await late.saw("close");
      expect(late.log).toEqual(["close"]);
    });
  });

  describe("destroying", () => {
    it("fails every waiting write once, in order, before the close", async () => {
      const { client, server, atClient } = await pair();
      server.pauseReading();
      const failures: (Error | null)[] = [];
      const piece = Buffer.alloc(MIB);
      for (let i = 0; i < 40; i += 1) {
        client.write([piece], (error) => {
          failures[i] = error;
          atClient.note(`write ${i}`);
        });
      }
      await turns(100);
      client.destroy();
      client.write([Buffer.from("after")], () => atClient.note("write 40"));
      await atClient.saw("close");
      expect(atClient.log.at(-1)).toBe("close");
      expect(atClient.log.slice(0, -1)).toEqual(Array.from({ length: 41 }, (_, i) => `write ${i}`));
      expect(failures.at(-1)).toMatchObject({ code: "WRITE_FAILED" });
      expect(atClient.closeError).toBeNull();
      expect(client.pendingBytes).toBe(0);
    });

    it("refuses writes afterwards, after an end too, never within write()", async () => {
      const { client, atClient } = await pair();
      const refusals: (Error | null)[] = [];
      client.end();
      client.write([Buffer.from("x")], (error) => refusals.push(error));
      expect(refusals).toEqual([]);
      client.destroy();
      await atClient.saw("close");
      client.write([Buffer.from("y")], (error) => refusals.push(error));
      await turns(2);
      expect(refusals).toHaveLength(2);
      for (const error of refusals) expect(error).toMatchObject({ code: "WRITE_FAILED" });
    });

    it("closes the peer", async () => {
      const { client, atServer, server } = await pair();
      client.destroy();
      await atServer.until(() => atServer.log.length > 0);
      server.end();
      await atServer.saw("close");
      expect(atServer.log.filter((event) => event === "close")).toHaveLength(1);
    });

    it("with unread bytes is a lost connection for a peer that goes on writing", async () => {
      const { client, server, atClient } = await pair();
      server.pauseReading();
      void write(client, pattern(MIB));
      await turns(20);
      server.destroy();
      let failure: Error | null = null;
      for (let i = 0; i < 1000 && failure === null; i += 1) {
        failure = await write(client, Buffer.from("more"));
      }
      expect(failure).toMatchObject({ code: "WRITE_FAILED" });
      await atClient.saw("close");
      expect(atClient.closeError).toMatchObject({ code: "CHANNEL_CLOSED" });
      expect(atClient.closeError?.cause).toHaveProperty("code");
      expect(atClient.log.filter((event) => event === "close")).toHaveLength(1);
    });
  });

  describe("an owner that throws", () => {
    it("loses its own connection and nothing else", async () => {
      const [bad, good] = [await pair(), await pair()];
      bad.atServer.onPiece = () => {
        throw new Error("handler broke");
      };
      await write(bad.client, Buffer.from("x"));
      await bad.atServer.saw("close");
      expect(bad.atServer.closeError?.message).toBe("handler broke");
      await write(good.client, Buffer.from("y"));
      await good.atServer.received(1);
    });

    it("may throw while it is handed a socket", async () => {
      const listener = await network.listen({ host: "127.0.0.1", port: 0 }, () => {
        throw new Error("not today");
      });
      const client = await network.connect({ ...listener.address, timeoutMs: 0 });
      const atClient = new Recorder();
      client.start(atClient);
      await atClient.until(() => atClient.log.length > 0);
      expect(atClient.log).not.toContain("data");
      client.destroy();
      await listener.close();
    });
  });

  describe("connecting", () => {
    it("is refused where nobody listens", async () => {
      const { listener } = await pair();
      await listener.close();
      const attempt = network.connect({ ...listener.address, timeoutMs: 1000 });
      await expect(attempt).rejects.toMatchObject({
        code: "CONNECT_FAILED",
        message: expect.stringMatching(/^Failed to connect to 127\.0\.0\.1:\d+: nobody listens/),
        cause: { code: "ECONNREFUSED" },
      });
    });

    it("fails for a port that cannot be", async () => {
      const attempt = network.connect({ host: "127.0.0.1", port: 70_000, timeoutMs: 1000 });
      await expect(attempt).rejects.toMatchObject({ code: "CONNECT_FAILED" });
    });

    it("stops at its time limit", async () => {
      const port = await findHangingPort();
      const attempt = network.connect({ host: "127.0.0.1", port, timeoutMs: 30 });
      await expect(attempt).rejects.toMatchObject({
        code: "CONNECT_TIMEOUT",
        message: `Connecting to 127.0.0.1:${port} timed out (30 ms)`,
      });
    });

    it("stops when the caller gives up", async () => {
      const port = await findHangingPort();
      const controller = new AbortController();
      const { signal } = controller;
      const attempt = network.connect({ host: "127.0.0.1", port, timeoutMs: 0, signal });
      await turns(3);
      const reason = new Error("enough");
      controller.abort(reason);
      await expect(attempt).rejects.toMatchObject({ code: "REQUEST_ABORTED", cause: reason });
    });

    it("does not begin when the caller has given up before", async () => {
      const { listener } = await pair();
      const signal = AbortSignal.abort(new Error("never"));
      const attempt = network.connect({ ...listener.address, timeoutMs: 0, signal });
      await expect(attempt).rejects.toMatchObject({ code: "REQUEST_ABORTED" });
    });

    it("leaves an established connection alone when the signal fires later", async () => {
      const { listener } = await pair();
      const controller = new AbortController();
      const client = await network.connect({
        ...listener.address,
        timeoutMs: 1000,
        signal: controller.signal,
      });
      const atClient = new Recorder();
      client.start(atClient);
      controller.abort();
      await turns(10);
      expect(atClient.log).toEqual([]);
      client.destroy();
      await atClient.saw("close");
    });
  });

  describe("listening", () => {
    it("chooses a free port for port 0", async () => {
      const [one, other] = [await pair(), await pair()];
      expect(one.listener.address.port).toBeGreaterThan(0);
      expect(one.listener.address.port).not.toBe(other.listener.address.port);
    });

    it("fails on a port that is taken", async () => {
      const { listener } = await pair();
      const attempt = network.listen(listener.address, () => {});
      await expect(attempt).rejects.toMatchObject({
        code: "BIND_FAILED",
        message: expect.stringContaining("the address is in use"),
        cause: { code: "EADDRINUSE" },
      });
    });

    it("fails on a port that cannot be", async () => {
      const attempt = network.listen({ host: "127.0.0.1", port: 70_000 }, () => {});
      await expect(attempt).rejects.toMatchObject({ code: "BIND_FAILED" });
    });

    it("on every interface hears the loopback address", async () => {
      const accepted = Promise.withResolvers<Socket>();
      const listener = await network.listen({ port: 0 }, (socket) => {
        socket.start(new Recorder());
        accepted.resolve(socket);
      });
      const { port } = listener.address;
      const client = await network.connect({ host: "127.0.0.1", port, timeoutMs: 1000 });
      const server = await accepted.promise;
      expect(server.remoteAddress.host).toBe("127.0.0.1");
      client.destroy();
      server.destroy();
      await listener.close();
    });

    it("ends without ending what was accepted, and frees the port", async () => {
      const { listener, client, atServer } = await pair();
      await listener.close();
      await listener.close();
      await write(client, Buffer.from("still here"));
      await atServer.received(10);
      const again = await network.listen(listener.address, () => {});
      expect(again.address).toEqual(listener.address);
      await again.close();
    });

    it("shares a port when every listener asks for that", async () => {
      const open = (port: number) =>
        network.listen({ host: "127.0.0.1", port, reusePort: true }, () => {});
      const first = await open(0);
      const second = await open(first.address.port);
      expect(second.address).toEqual(first.address);
      await Promise.all([first.close(), second.close()]);
    });
  });
});
