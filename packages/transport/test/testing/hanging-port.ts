import { once } from "node:events";
import net from "node:net";
import { Worker } from "node:worker_threads";
import { afterAll } from "vitest";

const cleanups: (() => unknown)[] = [];
let port: Promise<number> | null = null;

afterAll(async () => {
  for (const cleanup of cleanups) await cleanup();
});

/** A port of the loopback address where connecting neither succeeds nor fails. */
export function hangingPort(): Promise<number> {
  port ??= listenWithoutAccepting();
  return port;
}

/** Accepts nothing: its thread is asleep and its queue is full, so new connections get no answer. */
async function listenWithoutAccepting(): Promise<number> {
  const worker = new Worker(
    `const net = require("node:net");
     const { parentPort } = require("node:worker_threads");
     const server = net.createServer();
     server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000), 10);
     });`,
    { eval: true },
  );
  cleanups.push(() => worker.terminate());
  const [found] = (await once(worker, "message")) as [number];
  await new Promise((resolve) => {
    setTimeout(resolve, 100);
  });
  const fillers = Array.from({ length: 4 }, () => net.connect(found, "127.0.0.1"));
  for (const filler of fillers) filler.on("error", () => {});
  cleanups.unshift(() => fillers.forEach((filler) => void filler.destroy()));
  await new Promise((resolve) => {
    setTimeout(resolve, 50);
  });
  return found;
}
