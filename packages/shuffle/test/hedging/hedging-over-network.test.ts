/** Hedging with real servers and a real reader; only time and the network are made up. */
import { type BlockId, shuffleBlockId } from "@bm/block";
import {
  BytesManagedBuffer,
  type ManagedBuffer,
  nodePlatform,
  type Platform,
  type Random,
  TransportConf,
} from "@bm/transport";
import { createMemoryNetwork, createSeededRandom, ManualClock } from "@bm/transport/testing";
import { expect, it } from "vitest";
import { FetchHedging, NettyBlockTransferService } from "../../src/index.ts";
import { MemoryBlockManager } from "../transfer/memory-block-manager.ts";

const SERVERS = 10;
const FIRST_PORT = 7000;
const SLOW = 3;
const SLOWDOWN = 100;
const FETCHES = 3000;
/** The server becomes slow while fetches are under way. */
const HEALTHY_FETCHES = 300;
const PAUSE_MS = 10;

/** Finds its blocks after a while. */
class SlowBlocks extends MemoryBlockManager {
  readonly #clock: ManualClock;
  readonly #delayMs: () => number;

  constructor(clock: ManualClock, delayMs: () => number) {
    super();
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  override getLocalBlockData({ name }: BlockId): Promise<ManagedBuffer> {
    return new Promise((resolve) => {
      const found = (): void => resolve(new BytesManagedBuffer(Buffer.from(`bytes of ${name}`)));
      this.#clock.setTimer(this.#delayMs(), found);
    });
  }
}

interface Run {
  readonly isSlow: boolean;
  readonly isHedged: boolean;
}

interface Result {
  readonly p999: number;
  readonly extraShare: number;
}

/** Fetches from servers of which every neighbour has the same blocks. */
async function run({ isHedged, isSlow }: Run): Promise<Result> {
  const clock = new ManualClock();
  const random = createSeededRandom(1);
  const platform = { ...nodePlatform(), clock, random, network: createMemoryNetwork(clock) };
  const durations: number[] = [];
  const services = Array.from({ length: SERVERS }, (_, server) => {
    const factor = (): number =>
      isSlow && server === SLOW && durations.length > HEALTHY_FETCHES ? SLOWDOWN : 1;
    const blocks = new SlowBlocks(clock, () => latency(random) * factor());
    return startService(platform, blocks, FIRST_PORT + server);
  });
  const reader = startService(platform, new MemoryBlockManager(), FIRST_PORT + SERVERS);
  await clock.settle();
  const started = await Promise.all([...services, reader]);
  const hedging = new FetchHedging({
    clock,
    alternativeOf: (place) => ({
      ...place,
      port: FIRST_PORT + ((place.port - FIRST_PORT + 1) % SERVERS),
    }),
  });
  const client = isHedged ? hedging.wrap(await reader) : await reader;
  for (let index = 0; index < FETCHES; index += 1) {
    const startMs = clock.nowMs();
    const port = FIRST_PORT + random.below(SERVERS);
    void client.fetchBlocks("127.0.0.1", port, "x", [shuffleBlockId(0, BigInt(index), 0).name], {
      onBlockFetchSuccess: (_id, data) => {
        durations.push(clock.nowMs() - startMs);
        data.release();
      },
      onBlockFetchFailure: () => {},
    });
    await clock.advanceAndSettle(PAUSE_MS);
  }
  while (durations.length < FETCHES) await clock.advanceAndSettle(100);
  for (const service of started) service.abort(new Error("the test is over"));
  await clock.settle();
  durations.sort((one, other) => one - other);
  const p999 = durations[Math.floor(FETCHES * 0.999)] ?? 0;
  return { p999, extraShare: hedging.extraRequests / FETCHES };
}

async function startService(
  platform: Platform,
  blocks: MemoryBlockManager,
  port: number,
): Promise<NettyBlockTransferService> {
  const conf = new TransportConf("shuffle");
  const executorId = String(port);
  const service = new NettyBlockTransferService({
    conf,
    appId: "app-1",
    executorId,
    port,
    platform,
  });
  await service.init(blocks);
  return service;
}

/** Mostly about 10 ms, with a tail. */
function latency(random: Random): number {
  return 5 + 10 * random.next() - 8 * Math.log(1 - random.next());
}

it("keeps the slowest fetches within twice the healthy ones, with 5 % more requests", async () => {
  const healthy = await run({ isSlow: false, isHedged: false });
  const slow = await run({ isSlow: true, isHedged: false });
  const hedged = await run({ isSlow: true, isHedged: true });
  expect(slow.p999).toBeGreaterThan(10 * healthy.p999);
  expect(hedged.p999).toBeLessThanOrEqual(2 * healthy.p999);
  expect(hedged.extraShare).toBeLessThanOrEqual(0.05);
});
