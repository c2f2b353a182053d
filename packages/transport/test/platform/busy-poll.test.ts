import { once } from "node:events";
import net from "node:net";
import { availableParallelism } from "node:os";
import { expect, it } from "vitest";
import { TransportConf, TransportContext } from "../../src/index.ts";
import { BusyPoll } from "../../src/platform/busy-poll.ts";
import { createNodeNetwork } from "../../src/platform/node-network.ts";
import { nodePlatform } from "../../src/platform/node-platform.ts";
import type { ConnectOptions, ListenOptions } from "../../src/platform/platform.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { EchoHandler } from "../context/echo-service.ts";
import { write } from "../testing/recorder.ts";

/** Lets the test run one turn at a time, and move the time between. */
class TurnClock extends ManualClock {
  ms = 0;
  #waiting: (() => void)[] = [];

  override nowMs(): number {
    return this.ms;
  }

  override setImmediate(callback: () => void): { cancel(): void } {
    this.#waiting.push(callback);
    return { cancel: () => {} };
  }

  /** What waited for the next turn. */
  turn(): number {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) callback();
    return waiting.length;
  }
}

it("does not poll while connections write in turns", () => {
  const clock = new TurnClock();
  const poll = new BusyPoll(clock);
  const others = [{}, {}];
  for (let index = 0; index < 5; index += 1) {
    for (const writer of others) poll.wrote(writer, 1);
  }
  expect(clock.turn()).toBe(0);
});

it("polls until the latest time that it was asked for, and no longer", () => {
  const clock = new TurnClock();
  const poll = new BusyPoll(clock);
  poll.wrote(poll, 2);
  expect(clock.turn()).toBe(0);
  poll.wrote(poll, 2);
  poll.wrote(poll, 1);
  clock.ms = 1.5;
  expect([clock.turn(), clock.turn(), clock.turn()]).toEqual([1, 1, 1]);
  poll.wrote(poll, 2);
  clock.ms = 3;
  expect([clock.turn(), clock.turn()]).toEqual([1, 1]);
  clock.ms = 3.5;
  expect([clock.turn(), clock.turn()]).toEqual([1, 0]);
});

it("tries less and less often while nothing comes in time, and always when something does", () => {
  const clock = new TurnClock();
  const poll = new BusyPoll(clock);
  poll.wrote(poll, 1);
  const attempts: number[] = [];
  for (let write = 0; write < 1600; write += 1) {
    poll.wrote(poll, 1);
    clock.ms += 2;
    if (clock.turn() > 0) attempts.push(write);
  }
  const gaps = attempts.map((write, index) => write - (attempts[index - 1] ?? 0));
  expect(gaps).toEqual([0, 3, 5, 9, 17, 33, 65, 129, 257, 257, 257, 257, 257]);
  let polled = 0;
  for (let write = 0; write < 3000; write += 1) {
    poll.wrote(poll, 1);
    clock.ms += 0.5;
    polled += clock.turn();
  }
  expect(polled).toBeGreaterThan(1900);
});

it("follows writes of a connection that asks for it, and of no other", async () => {
  const clock = new TurnClock();
  const network = createNodeNetwork(clock);
  const server = net.createServer((socket) => socket.on("error", () => {}).resume());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  for (const busyPollMicros of [0, 50]) {
    const where = { host: "127.0.0.1", port, timeoutMs: 0, busyPollMicros };
    const socket = await network.connect(where);
    socket.start({ onData: () => {}, onEnd: () => {}, onClose: () => {} });
    expect(await write(socket, Buffer.from("hello"))).toBeNull();
    expect(clock.turn()).toBe(0);
    expect(await write(socket, Buffer.from("again"))).toBeNull();
    expect(clock.turn()).toBe(busyPollMicros === 0 || availableParallelism() === 1 ? 0 : 1);
    socket.destroy();
  }
  server.close();
});

it("is what a context asks of its network at both ends, and answers as without", async () => {
  const platform = nodePlatform();
  const asked: (ConnectOptions | ListenOptions)[] = [];
  const network: typeof platform.network = {
    connect: (options) => {
      asked.push(options);
      return platform.network.connect(options);
    },
    listen: (options, onSocket) => {
      asked.push(options);
      return platform.network.listen(options, onSocket);
    },
  };
  const conf = new TransportConf("shuffle", { "bm.shuffle.io.busyPollMicros": "50" });
  const rpcHandler = new EchoHandler(platform);
  const context = new TransportContext({ conf, rpcHandler, platform: { ...platform, network } });
  await using server = await context.createServer({ host: "127.0.0.1" });
  await using factory = context.createClientFactory();
  const client = await factory.createClient("127.0.0.1", server.port);
  expect(await client.sendRpc(Buffer.from("hello"))).toEqual(Buffer.from("hello"));
  expect(asked).toMatchObject([{ busyPollMicros: 50 }, { busyPollMicros: 50 }]);
});
