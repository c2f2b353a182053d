/** Runs any workload over the connections of a contender. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Measured, Outcome, Workload } from "../suites/workload.ts";
import { connectRepeatedly } from "./connect-load.ts";
import { Latencies } from "./latencies.ts";
import type { Connect, Link } from "./link.ts";
import { LoadRun } from "./load-run.ts";
import { peakBytes, residentBytes } from "./resident-memory.ts";

/** Connections opened and closed before memory is looked at: what only the first one costs. */
const REHEARSAL_CONNECTIONS = 200;
const CONNECTING_AT_ONCE = 16;
/** Until allocators and collectors have come to rest. */
const SETTLE_MS = 500;

/** Rejects with the first failure of any request. */
export async function perform(connect: Connect, workload: Workload): Promise<Outcome> {
  const control = await connect({ ...workload, kind: "rpc" });
  try {
    const before = await control.counters();
    const cpu = process.cpuUsage();
    const measured = await performKind(connect, control, workload);
    const { user, system } = process.cpuUsage(cpu);
    const after = await control.counters();
    return {
      p50Us: 0,
      p99Us: 0,
      serverBytesPerUnit: 0,
      clientBytesPerUnit: 0,
      keptShare: 0,
      clientCpuSeconds: (user + system) / 1e6,
      serverCpuSeconds: after.cpuSeconds - before.cpuSeconds,
      clientPeakBytes: peakBytes(process.pid) ?? process.resourceUsage().maxRSS * 1024,
      serverPeakBytes: peakBytes(workload.serverPid) ?? after.residentBytes,
      ...measured,
    };
  } finally {
    await control.close();
  }
}

function performKind(connect: Connect, control: Link, workload: Workload): Promise<Measured> {
  switch (workload.kind) {
    case "rpc":
    case "chunk":
      return performLoad(connect, control, workload);
    case "connect":
      return connectRepeatedly(connect, workload);
    case "idle":
      return holdIdle(connect, control, workload);
    case "slow-reader":
      return readBesideStopped(connect, control, workload);
    case "stopped-readers":
      return stopReading(connect, control, workload);
  }
}

async function performLoad(connect: Connect, control: Link, workload: Workload): Promise<Measured> {
  const links = await open(connect, workload, workload.connections);
  try {
    return await load(links, control, workload);
  } finally {
    await closeAll(links);
  }
}

async function load(links: readonly Link[], control: Link, workload: Workload): Promise<Measured> {
  const run = new LoadRun(links, workload);
  // Connecting before and sorting afterwards are not part of what is counted.
  const before = await control.counters();
  const cpu = process.cpuUsage();
  await run.run();
  const { user, system } = process.cpuUsage(cpu);
  const after = await control.counters();
  return {
    operations: run.operations,
    bytes: run.bytes,
    seconds: run.seconds,
    clientCpuSeconds: (user + system) / 1e6,
    serverCpuSeconds: after.cpuSeconds - before.cpuSeconds,
    ...run.latencies.percentiles({ p50Us: 0.5, p99Us: 0.99 }),
  };
}

async function holdIdle(connect: Connect, control: Link, workload: Workload): Promise<Measured> {
  await closeAll(await open(connect, workload, REHEARSAL_CONNECTIONS));
  const before = await memory(control, workload);
  const startedMs = performance.now();
  const links = await open(connect, workload, workload.connections);
  const seconds = (performance.now() - startedMs) / 1000;
  const after = await memory(control, workload);
  await closeAll(links);
  return { operations: links.length, bytes: 0, seconds, ...growth(before, after, links.length) };
}

/** Before, beside and after a connection that asked for its window 16 times over and stopped reading. */
async function readBesideStopped(
  connect: Connect,
  control: Link,
  workload: Workload,
): Promise<Measured> {
  const active = await open(connect, workload, workload.connections);
  const stopped = await connect(workload);
  try {
    const before = await load(active, control, workload);
    const requests = workload.window * 16;
    const end = requestAndStop(stopped, requests);
    const beside = await load(active, control, workload);
    stopped.resumeReading();
    await end;
    const after = await load(active, control, workload);
    const alone = (rate(before) + rate(after)) / 2;
    return { ...beside, keptShare: rate(beside) / alone };
  } finally {
    await closeAll([...active, stopped]);
  }
}

async function stopReading(connect: Connect, control: Link, workload: Workload): Promise<Measured> {
  const links = await open(connect, workload, workload.connections);
  try {
    const before = await memory(control, workload);
    const ends = links.map((link) => requestAndStop(link, workload.window));
    await sleep(workload.seconds * 1000);
    const after = await memory(control, workload);
    const latencies = new Latencies();
    const startedMs = performance.now();
    for (const link of links) link.resumeReading();
    await Promise.all(
      ends.map((end) => end.then(() => latencies.add(performance.now() - startedMs))),
    );
    const operations = links.length * workload.window;
    const seconds = (performance.now() - startedMs) / 1000;
    const bytes = operations * (workload.chunkBytes[0] ?? 0);
    return { operations, bytes, seconds, ...growth(before, after, links.length) };
  } finally {
    await closeAll(links);
  }
}

/** Settles when every answer came, which is after reading was resumed. */
function requestAndStop(link: Link, requests: number): Promise<void> {
  const end = Promise.withResolvers<void>();
  let missing = requests;
  for (let index = 0; index < requests; index += 1) {
    const send = link.createSender({
      answered: () => {
        missing -= 1;
        if (missing === 0) end.resolve();
      },
      failed: end.reject,
    });
    send(index);
  }
  link.pauseReading();
  return end.promise;
}

interface Memory {
  readonly server: number;
  readonly client: number;
}

async function memory(control: Link, { serverPid }: Workload): Promise<Memory> {
  await sleep(SETTLE_MS);
  const server = residentBytes(serverPid) ?? (await control.counters()).residentBytes;
  return { server, client: residentBytes(process.pid) ?? process.memoryUsage.rss() };
}

function growth(
  before: Memory,
  after: Memory,
  units: number,
): Pick<Outcome, "serverBytesPerUnit" | "clientBytesPerUnit"> {
  return {
    serverBytesPerUnit: (after.server - before.server) / units,
    clientBytesPerUnit: (after.client - before.client) / units,
  };
}

async function open(connect: Connect, workload: Workload, count: number): Promise<Link[]> {
  const links: Link[] = [];
  while (links.length < count) {
    const some = Math.min(CONNECTING_AT_ONCE, count - links.length);
    links.push(...(await Promise.all(Array.from({ length: some }, () => connect(workload)))));
  }
  return links;
}

async function closeAll(links: readonly Link[]): Promise<void> {
  await Promise.all(links.map((link) => link.close()));
}

function rate({ operations, seconds }: Measured): number {
  return operations / seconds;
}
