import { once } from "node:events";
import net from "node:net";
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, it } from "vitest";
import { nodePlatform } from "../../src/platform/node-platform.ts";
import { connectedPair, Recorder, turns } from "../testing/recorder.ts";

const { network } = nodePlatform();
const cleanups: (() => unknown)[] = [];

afterAll(async () => {
  for (const cleanup of cleanups) await cleanup();
});

describe("node network", () => {
  it("sets TCP_NODELAY on both ends, and keep-alive where it was asked for", async () => {
    const { connect, createServer } = net;
    const seen: unknown[] = [];
    net.connect = ((options: net.NetConnectOpts) => {
      seen.push(options);
      return connect(options);
    }) as typeof net.connect;
    net.createServer = ((options: net.ServerOpts, onSocket: (socket: net.Socket) => void) => {
      seen.push(options);
      return createServer(options, onSocket);
    }) as typeof net.createServer;
    try {
      for (const keepAlive of [undefined, true]) {
        const listener = await network.listen({ port: 0, keepAlive }, (socket) => socket.destroy());
        (await network.connect({ ...listener.address, timeoutMs: 0 })).destroy();
        await listener.close();
      }
    } finally {
      Object.assign(net, { connect, createServer });
    }
    expect(seen).toMatchObject([
      { noDelay: true, keepAlive: false, allowHalfOpen: true },
      { noDelay: true, keepAlive: true, allowHalfOpen: true },
      { noDelay: true, keepAlive: true, allowHalfOpen: true },
      { noDelay: true, keepAlive: true, allowHalfOpen: true },
    ]);
  });

  it("says so when a name is unknown", async () => {
    const attempt = network.connect({ host: "no-such-host.invalid", port: 1, timeoutMs: 10_000 });
    await expect(attempt).rejects.toMatchObject({
      code: "CONNECT_FAILED",
      message: expect.stringContaining("no-such-host.invalid:1"),
    });
  });

  it("reports a reset by a foreign peer as a lost connection", async () => {
    const atServer = new Recorder();
    const listener = await network.listen({ host: "127.0.0.1", port: 0 }, (socket) =>
      socket.start(atServer),
    );
    const foreign = net.connect(listener.address);
    foreign.write("hello");
    await atServer.received(5);
    foreign.resetAndDestroy();
    await atServer.saw("close");
    expect(atServer.closeError).toMatchObject({
      code: "CHANNEL_CLOSED",
      message: "the connection was lost: the peer reset the connection (ECONNRESET)",
    });
    await listener.close();
  });

  it("survives peers that reset before they are accepted", async () => {
    const recorders: Recorder[] = [];
    const listener = await network.listen({ host: "127.0.0.1", port: 0 }, (socket) => {
      const recorder = new Recorder();
      recorders.push(recorder);
      socket.start(recorder);
    });
    const foreign = Array.from({ length: 50 }, () => net.connect(listener.address));
    await Promise.all(
      foreign.map(async (socket) => {
        await once(socket, "connect");
        socket.resetAndDestroy();
      }),
    );
    await Promise.all(recorders.map((recorder) => recorder.saw("close")));
    const { client, server, atServer } = await connectedPair(network);
    client.end();
    await atServer.saw("end");
    server.end();
    await atServer.saw("close");
    expect(atServer.closeError).toBeNull();
    await listener.close();
  });

  it("keeps small writes, which it copies, and large ones in order", async () => {
    const { client, server, listener, atServer } = await connectedPair(network);
    const sizes = [0, 1, 21, 4096, 4097, 70_000, 2000, 2096, 0, 1024];
    const sent: Buffer[] = [];
    const reports: number[] = [];
    for (let index = 0; index < 500; index += 1) {
      const size = sizes[index % sizes.length] ?? 0;
      const pieces = [Buffer.alloc(size, index), Buffer.alloc(index % 3, index + 1)];
      sent.push(...pieces);
      client.write(pieces, (error) => void reports.push(error === null ? index : -1));
    }
    const whole = Buffer.concat(sent);
    expect(client.pendingBytes).toBe(whole.length);
    client.end();
    await atServer.saw("end");
    expect(atServer.bytes.equals(whole)).toBe(true);
    expect(client.pendingBytes).toBe(0);
    expect(reports).toEqual(Array.from({ length: 500 }, (_, index) => index));
    server.destroy();
    await listener.close();
  });

  it("joins pieces that lie behind each other in memory, and no others", async () => {
    const { client, server, listener, atServer } = await connectedPair(network);
    const memory = Buffer.from(Array.from({ length: 60_000 }, (_, at) => at ^ (at >>> 8)));
    const other = Buffer.from(memory.map((byte) => byte ^ 0xff));
    const [a, b, c] = [
      memory.subarray(0, 5000),
      memory.subarray(5000, 11_000),
      memory.subarray(9000),
    ];
    const sent = [a, b, c, a, other.subarray(5000, 12_000), b, Buffer.from("small"), c, a, b];
    for (const piece of sent) client.write([piece], null);
    client.end();
    await atServer.saw("end");
    expect(atServer.bytes.equals(Buffer.concat(sent))).toBe(true);
    server.destroy();
    await listener.close();
  });

  it("sends what a long turn wrote before the turn ends", async () => {
    const { port, received, worker } = await drainingPeer();
    const socket = await network.connect({ host: "127.0.0.1", port, timeoutMs: 5000 });
    socket.start(new Recorder());
    const piece = Buffer.alloc(1024);
    for (let index = 0; index < 64; index += 1) socket.write([piece], null);
    // Holds the turn until the peer, in a thread of its own, has read something.
    expect(Atomics.wait(received, 0, 0, 20_000)).not.toBe("timed-out");
    socket.destroy();
    await worker.terminate();
  });

  it("reports each write once and in order, and none as sent that was dropped", async () => {
    const { client, server, listener, atClient } = await connectedPair(network);
    server.pauseReading();
    const pieces = [Buffer.alloc(100), Buffer.alloc(1024), Buffer.alloc(64 * 1024)];
    const reports: (Error | null)[] = [];
    // More than the system takes for a peer that does not read.
    const count = 1500;
    for (let index = 0; index < count; index += 1) {
      const piece = pieces[index % pieces.length] as Buffer;
      client.write([piece], (error) => void reports.push(error));
    }
    await turns(3);
    const sent = reports.length;
    client.destroy();
    await atClient.saw("close");
    expect(reports).toHaveLength(count);
    expect(reports.slice(0, sent).every((error) => error === null)).toBe(true);
    expect(reports.slice(sent).every((error) => error !== null)).toBe(true);
    expect(sent).toBeLessThan(count);
    expect(client.pendingBytes).toBe(0);
    server.destroy();
    await listener.close();
  });

  it("lets timers run while a peer takes every byte at once", async () => {
    const { port, worker } = await drainingPeer();
    const socket = await network.connect({ host: "127.0.0.1", port, timeoutMs: 5000 });
    const recorder = new Recorder();
    socket.start(recorder);
    const piece = Buffer.alloc(1000);
    let isRunning = true;
    const writeOn = (): void => {
      if (isRunning) socket.write([piece], writeOn);
    };
    writeOn();
    let ticks = 0;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        ticks += 1;
        if (ticks < 10 && !recorder.log.includes("close")) return;
        clearInterval(timer);
        resolve();
      }, 1);
    });
    isRunning = false;
    // Without fairness the first tick would come when the peer has left.
    expect(recorder.log).toEqual([]);
    socket.destroy();
    await worker.terminate();
  });
});

interface DrainingPeer {
  readonly port: number;
  /** Its only number is 1 once a byte was read. */
  readonly received: Int32Array;
  readonly worker: Worker;
}

/** Reads as fast as it can in a thread of its own, for two seconds. */
async function drainingPeer(): Promise<DrainingPeer> {
  const received = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(
    `const net = require("node:net");
     const { parentPort, workerData } = require("node:worker_threads");
     const server = net.createServer((socket) => {
       socket.on("error", () => {}).on("data", () => {
         Atomics.store(workerData, 0, 1);
         Atomics.notify(workerData, 0);
       });
       setTimeout(() => socket.destroy(), 2000);
     });
     server.listen({ port: 0, host: "127.0.0.1" }, () => {
       parentPort.postMessage(server.address().port);
     });`,
    { eval: true, workerData: received },
  );
  cleanups.push(() => worker.terminate());
  const [port] = (await once(worker, "message")) as [number];
  return { port, received, worker };
}
