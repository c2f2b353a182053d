import { describe, expect, it } from "vitest";
import { nodeClock } from "../../src/platform/node-clock.ts";
import type { Socket } from "../../src/platform/platform.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { createMemoryNetwork } from "../../src/testing/memory-network.ts";
import { connectedPair, pattern, Recorder, write } from "./recorder.ts";

describe("memory network", () => {
  it("cuts what arrives where the test wants it", async () => {
    const cuts = [1, 2, 3];
    const network = createMemoryNetwork(nodeClock, { onDeliver: () => cuts.shift() ?? 1000 });
    const { client, atServer } = await connectedPair(network);
    await write(client, pattern(20));
    await atServer.received(20);
    expect(atServer.pieces.map((piece) => piece.length)).toEqual([1, 2, 3, 14]);
    expect(atServer.bytes.equals(pattern(20))).toBe(true);
  });

  it("loses a connection after the bytes that the test lets through", async () => {
    const network = createMemoryNetwork(nodeClock, {
      onDeliver: ({ bytes, deliveredBytes }) =>
        deliveredBytes === 100 ? "reset" : Math.min(bytes, 100 - deliveredBytes),
    });
    const { client, atClient, atServer } = await connectedPair(network);
    client.write([pattern(1_000_000)], () => {});
    await Promise.all([atClient.saw("close"), atServer.saw("close")]);
    expect(atServer.byteCount).toBe(100);
    for (const { closeError } of [atClient, atServer]) {
      expect(closeError).toMatchObject({ code: "CHANNEL_CLOSED", cause: { code: "ECONNRESET" } });
    }
  });

  it("overwrites bytes that were only borrowed", async () => {
    const network = createMemoryNetwork(nodeClock);
    const kept: Uint8Array[] = [];
    const closed = Promise.withResolvers<void>();
    const listener = await network.listen({ port: 0 }, (socket) => {
      socket.start({
        onData: (bytes) => kept.push(bytes),
        onEnd: () => socket.end(),
        onClose: () => closed.resolve(),
      });
    });
    const client = await network.connect({ ...listener.address, timeoutMs: 0 });
    client.start(new Recorder());
    await write(client, Buffer.from("secret"));
    client.end();
    await closed.promise;
    expect(Buffer.concat(kept).includes("secret")).toBe(false);
  });

  it("takes a copy of what is written once it is reported as written", async () => {
    const network = createMemoryNetwork(nodeClock);
    const { client, atServer } = await connectedPair(network);
    const bytes = Buffer.from("first");
    await write(client, bytes);
    bytes.fill("x");
    await atServer.received(5);
    expect(atServer.bytes.toString()).toBe("first");
  });

  it("holds no more than its pipe while the peer pauses", async () => {
    const network = createMemoryNetwork(nodeClock, { pipeBytes: 1000 });
    const { client, server } = await connectedPair(network);
    server.pauseReading();
    client.write([pattern(5000)], () => {});
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    expect(client.pendingBytes).toBe(4000);
  });

  it("refuses connections as told", async () => {
    const network = createMemoryNetwork(nodeClock, { onConnect: () => "refuse" });
    const listener = await network.listen({ port: 0 }, () => {});
    const attempt = network.connect({
      host: "127.0.0.1",
      port: listener.address.port,
      timeoutMs: 0,
    });
    await expect(attempt).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
  });

  it("knows several machines, each with its own ports", async () => {
    const network = createMemoryNetwork(nodeClock);
    const greet = (text: string) => (socket: Socket) => {
      socket.start(new Recorder());
      void write(socket, Buffer.from(text));
    };
    await network.at("10.0.0.1").listen({ port: 80 }, greet("one"));
    await network.at("10.0.0.2").listen({ port: 80 }, greet("two"));
    const client = await network
      .at("10.0.0.3")
      .connect({ host: "10.0.0.2", port: 80, timeoutMs: 0 });
    const atClient = new Recorder();
    client.start(atClient);
    await atClient.received(3);
    expect(atClient.bytes.toString()).toBe("two");
    expect(client.localAddress.host).toBe("10.0.0.3");
    const unknown = network.connect({ host: "nowhere.example", port: 80, timeoutMs: 0 });
    await expect(unknown).rejects.toMatchObject({ cause: { code: "ENOTFOUND" } });
  });

  it("stands still with a manual clock until it is let go on", async () => {
    const clock = new ManualClock();
    const network = createMemoryNetwork(clock);
    const pending = connectedPair(network);
    await clock.settle();
    const { client, atServer } = await pending;
    client.write([Buffer.from("x")], () => {});
    await Promise.resolve();
    expect(atServer.byteCount).toBe(0);
    await clock.settle();
    expect(atServer.byteCount).toBe(1);
  });

  it("measures connect time-outs by its clock", async () => {
    const clock = new ManualClock();
    const network = createMemoryNetwork(clock, { onConnect: () => "hang" });
    const attempt = network.connect({ host: "127.0.0.1", port: 1, timeoutMs: 120_000 });
    const outcome = expect(attempt).rejects.toMatchObject({ code: "CONNECT_TIMEOUT" });
    await clock.advanceAndSettle(120_000);
    await outcome;
    expect(clock.timerCount).toBe(0);
  });
});
