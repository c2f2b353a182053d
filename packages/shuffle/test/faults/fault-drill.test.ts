/**
 * Fetches under seeded schedules of faults. `BM_FAULT_SCHEDULES` sets how many (default 80), and
 * `BM_FAULT_SEED` where they begin, to repeat one that failed.
 */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodePlatform, type Random } from "@bm/transport";
import { createSeededRandom } from "@bm/transport/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { DownloadFiles, type NettyBlockTransferService } from "../../src/index.ts";
import {
  ANYTHING_FAILS,
  CONNECTION_FAILS,
  drill,
  type Expectation,
  NOTHING_FAILS,
  RETRIES,
  someBlocks,
  startReader,
} from "./drill.ts";
import { type Fault, FaultyProxy } from "./faulty-proxy.ts";
import { ServerProcess } from "./server-process.ts";

const SCHEDULES = Number(process.env["BM_FAULT_SCHEDULES"] ?? 80);
const SEED = Number(process.env["BM_FAULT_SEED"] ?? 1);
/** Drills that go on at the same time, each with a proxy and a reader of its own. */
const LANES = 6;
/** Every so many schedules one is about the process instead of the connection. */
const PROCESS_SHARE = 8;
const LONG_MS = 30_000 + SCHEDULES * 2000;

const ends: (() => Promise<unknown>)[] = [];
const server = new ServerProcess();
const mortal = new ServerProcess();
let directory = "";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "drill-"));
  ends.push(() => rm(directory, { recursive: true }));
  await Promise.all([server.start(), mortal.start()]);
  ends.push(
    () => server.kill(),
    () => mortal.kill(),
  );
});

afterAll(async () => {
  for (const end of ends.toReversed()) await end();
});

it(
  "ends every block once, whatever happens to the connections",
  async () => {
    const faults: string[] = [];
    const seeds = Array.from({ length: SCHEDULES }, (_, index) => SEED + index);
    const lane = async (): Promise<void> => {
      const proxy = await FaultyProxy.start(server.port);
      for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
        // A reader of its own: it must not begin with a connection of the schedule before.
        const reader = await startReader();
        const found = await connectionDrill(createSeededRandom(seed), proxy, reader);
        await reader.close();
        faults.push(...found.map((text) => `seed ${seed}: ${text}`));
      }
      await proxy.stop();
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    expect(faults).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  },
  LONG_MS,
);

it(
  "ends every block once, whatever happens to the server",
  async () => {
    const faults: string[] = [];
    for (let index = 0; index < Math.ceil(SCHEDULES / PROCESS_SHARE); index += 1) {
      const reader = await startReader();
      const found = await processDrill(createSeededRandom(SEED + index), reader);
      faults.push(...found.map((text) => `seed ${SEED + index}: ${text}`));
      await reader.close();
    }
    expect(faults).toEqual([]);
  },
  LONG_MS,
);

async function connectionDrill(
  random: Random,
  proxy: FaultyProxy,
  reader: NettyBlockTransferService,
): Promise<readonly string[]> {
  const blocks = someBlocks(random);
  const bytes = blocks.reduce((sum, { reduceId }) => sum + reduceId, 0);
  const kinds = ["none", "cut", "truncate", "silence", "delay", "flip", "refuse"] as const;
  const kind = kinds[random.below(kinds.length)] ?? "none";
  // As many as the retries can bear, or more.
  const count = kind === "silence" ? 1 : 1 + random.below(RETRIES + 2);
  // A little beyond the last byte too: then nothing happens.
  const faults = Array.from({ length: count }, () => faultOf(kind, random, bytes + 200));
  proxy.faults = faults;
  const isAborted = random.below(10) === 0;
  const given = new AbortController();
  if (isAborted) setTimeout(() => given.abort(new Error("enough")), random.below(20));
  await using downloads = newDownloads(random);
  const options = { signal: given.signal, ...(random.below(3) === 0 && { downloads }) };
  const found = [...(await drill(reader, proxy.port, blocks, expected(kind, count), options))];
  await downloads.close();
  if (downloads.count > 0) found.push(`${downloads.count} files were not released`);
  proxy.faults = [];
  return found.map((text) => `${count} x ${kind}: ${text}`);
}

function faultOf(kind: Fault["kind"], random: Random, bytes: number): Fault {
  const atByte = random.below(bytes);
  return { kind, atByte, ms: 1 + random.below(100), bit: random.below(8) };
}

function expected(kind: Fault["kind"], count: number): Expectation {
  if (kind === "flip") return ANYTHING_FAILS;
  if (kind === "none" || kind === "delay" || count <= RETRIES) return NOTHING_FAILS;
  return CONNECTION_FAILS;
}

async function processDrill(
  random: Random,
  reader: NettyBlockTransferService,
): Promise<readonly string[]> {
  const blocks = someBlocks(random);
  const kinds = ["kill", "restart", "pause"] as const;
  const kind = kinds[random.below(kinds.length)] ?? "kill";
  let act: Promise<unknown> = Promise.resolve();
  setTimeout(() => {
    act = actOn(kind, random);
  }, random.below(15));
  await using downloads = newDownloads(random);
  const options = random.below(2) === 0 ? { downloads } : {};
  // A server that comes back may be too late for the last retry.
  const expectation = kind === "pause" ? NOTHING_FAILS : CONNECTION_FAILS;
  const found = await drill(reader, mortal.port, blocks, expectation, options);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await act;
  if (kind === "kill") await mortal.start();
  const after = await startReader();
  const again = await drill(after, mortal.port, blocks, NOTHING_FAILS);
  await after.close();
  return [...found, ...again.map((text) => `afterwards: ${text}`)].map(
    (text) => `${kind}: ${text}`,
  );
}

async function actOn(kind: "kill" | "restart" | "pause", random: Random): Promise<void> {
  if (kind === "pause") {
    mortal.pause();
    setTimeout(() => mortal.resume(), random.below(300));
    return;
  }
  await mortal.kill();
  if (kind === "restart") await mortal.start();
}

function newDownloads(random: Random): DownloadFiles {
  const { files } = nodePlatform();
  return new DownloadFiles({ files, random, directory });
}
