import { BytesManagedBuffer, type Random } from "@bm/transport";
import { createSeededRandom, ManualClock } from "@bm/transport/testing";
import { beforeEach, describe, expect, it } from "vitest";
import {
  type BlockFetchClient,
  type BlockFetchingListener,
  FetchHedging,
  type FetchHedgingOptions,
  type FetchOptions,
  ShuffleError,
} from "../../src/index.ts";
import { RecordingListener } from "../fetch/recording-listener.ts";

const FETCHES = 10_000;
/** The server becomes slow while fetches are under way. */
const HEALTHY_FETCHES = 300;
const FIRST = { host: "a", port: 1, executorId: "1" };
const SECOND = { host: "b", port: 2, executorId: "2" };

let clock: ManualClock;
let client: TimedClient;
let hedging: FetchHedging;
let hedged: BlockFetchClient;

beforeEach(() => {
  clock = new ManualClock();
  client = new TimedClient(clock);
  use({});
});

describe("a fetch that may be repeated elsewhere", () => {
  it("is not repeated as long as it is not slow", async () => {
    await warmUp();
    const { told } = await fetch(["x"], 10);
    expect(told()).toEqual({ x: "from a" });
    expect(client.requests.filter(({ host }) => host === "b")).toEqual([]);
  });

  it("is repeated when it is slow, and the first answer counts", async () => {
    await warmUp();
    client.latencyOf = ({ host }) => (host === "a" ? 1000 : 10);
    const { released, told } = await fetch(["x", "y"], 40);
    expect(told()).toEqual({ x: "from b", y: "from b" });
    expect(hedging.extraRequests).toBe(1);
    // The loser was given up, and what it brings all the same is released.
    expect(client.requests.at(-2)?.signal?.aborted).toBe(true);
    await clock.advanceAndSettle(2000);
    expect(released()).toBe(2);
  });

  it("asks only for what is missing", async () => {
    await warmUp();
    client.latencyOf = ({ host }, blockId) => (host === "a" && blockId === "y" ? 1000 : 10);
    const { told } = await fetch(["x", "y"], 40);
    expect(client.requests.at(-1)).toMatchObject({ host: "b", blockIds: ["y"] });
    expect(told()).toEqual({ x: "from a", y: "from b" });
  });

  it("fails when both places have failed, and not before", async () => {
    await warmUp();
    client.latencyOf = ({ host }) => (host === "a" ? 50 : 100);
    client.failureOf = ({ host }) => new Error(`not at ${host}`);
    const { failures } = await fetch(["x"], 60);
    expect(failures()).toEqual({});
    await clock.advanceAndSettle(100);
    expect(failures()).toEqual({ x: "not at b" });
  });

  it("is told of a failure at once when nothing was repeated", async () => {
    await warmUp();
    client.failureOf = ({ host }) => new Error(`not at ${host}`);
    const { failures } = await fetch(["x"], 10);
    expect(failures()).toEqual({ x: "not at a" });
    expect(client.requests.filter(({ host }) => host === "b")).toEqual([]);
  });

  it("passes on that its client refuses", async () => {
    client.refusal = new ShuffleError("CLOSED", "closed");
    const fetching = hedged.fetchBlocks("a", 1, "1", ["x"], new RecordingListener());
    await expect(fetching).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("is given up at both places", async () => {
    await warmUp();
    client.latencyOf = () => 1000;
    const given = new AbortController();
    await fetch(["x"], 40, { signal: given.signal });
    given.abort();
    expect(client.requests.slice(-2).map(({ signal }) => signal?.aborted)).toEqual([true, true]);
    await clock.settle();
    // Those of the two requests, which the test's client does not cancel; none that asks again.
    expect(clock.timerCount).toBe(2);
  });

  it("is not repeated beyond the share that is allowed", async () => {
    use({ extraShareMax: 0.1 });
    await warmUp(40);
    client.latencyOf = () => 100;
    for (let index = 0; index < 20; index += 1) void fetch([`z${index}`], 0);
    await clock.advanceAndSettle(50);
    expect([hedging.requests, hedging.extraRequests]).toEqual([60, 6]);
  });

  it("asks a peer second that lost again and again, and tries it now and then", async () => {
    await warmUp(200);
    client.latencyOf = ({ host }) => (host === "a" ? 1000 : 10);
    await fetch(["l1"], 100);
    await fetch(["l2"], 100);
    await fetch(["l3"], 100);
    const before = client.requests.length;
    for (let index = 0; index < 60; index += 1) await fetch([`m${index}`], 40);
    const firsts = client.requests.slice(before).filter(({ host }) => host === "a");
    expect(firsts).toHaveLength(3);
    // It has recovered: the next trial shows it.
    client.latencyOf = () => 10;
    for (let index = 0; index < 20; index += 1) await fetch([`n${index}`], 40);
    await fetch(["o"], 40);
    expect(client.requests.at(-1)?.host).toBe("a");
  });

  it("is still repeated where both peers have lost, and begins at the one that lost less often", async () => {
    await warmUp(300);
    // A while in which b is slow: it loses three times.
    client.latencyOf = ({ host }) => (host === "b" ? 1000 : 10);
    for (let index = 0; index < 3; index += 1) {
      void hedged.fetchBlocks("b", 2, "2", [`b${index}`], new RecordingListener());
      await clock.advanceAndSettle(2000);
    }
    client.latencyOf = ({ host }) => (host === "a" ? 1000 : 10);
    for (let index = 0; index < 5; index += 1) await fetch([`a${index}`], 100);
    const { told } = await fetch(["x"], 100);
    expect(told()).toEqual({ x: "from b" });
  });

  it.each([{ quantile: 2 }, { extraShareMax: -1 }, { quantile: Number.NaN }])(
    "refuses the shares %j",
    (options) => {
      expect(() => use(options)).toThrow(ShuffleError);
    },
  );
});

it.each([1, 2, 3])(
  "keeps the slowest fetches near healthy ones when one of ten servers is slow (seed %i)",
  async (seed) => {
    const healthy = await slowestOf(seed, 1);
    const slowed = await slowestOf(seed, 100);
    expect(slowed.extraShare).toBeLessThanOrEqual(0.05);
    expect(slowed.p999).toBeLessThan(2 * healthy.p999);
  },
);

it.each([1, 2, 3])(
  "does so although the whole machine stands still now and then (seed %i)",
  async (seed) => {
    const healthy = await slowestOf(seed, 1, standStill);
    const slowed = await slowestOf(seed, 100, standStill);
    expect(slowed.extraShare).toBeLessThanOrEqual(0.05);
    expect(slowed.p999).toBeLessThan(2 * healthy.p999);
  },
);

const STILL_EVERY_MS = 3000;
const STILL_MS = 250;

/** What a fetch that begins now and takes so long takes longer because nothing moves. */
function standStill(nowMs: number, durationMs: number): number {
  const startMs = nowMs % STILL_EVERY_MS;
  const endMs = startMs + durationMs;
  if (startMs < STILL_MS) return Math.max(durationMs, STILL_MS - startMs);
  return endMs > STILL_EVERY_MS ? durationMs + STILL_MS : durationMs;
}

/** The 99.9th percentile of many fetches, each block at two of ten servers, one of which is slower. */
async function slowestOf(
  seed: number,
  factor: number,
  disturb: (nowMs: number, durationMs: number) => number = (_nowMs, durationMs) => durationMs,
) {
  const random = createSeededRandom(seed);
  const durations: number[] = [];
  clock = new ManualClock();
  client = new TimedClient(clock);
  client.latencyOf = ({ port }) => {
    const isSlow = port === 3 && durations.length > HEALTHY_FETCHES;
    return disturb(clock.nowMs(), latency(random) * (isSlow ? factor : 1));
  };
  use({ alternativeOf: ({ port }) => ({ ...SECOND, port: (port + 1) % 10 }) });
  for (let index = 0; index < FETCHES; index += 1) {
    const startMs = clock.nowMs();
    void hedged.fetchBlocks("a", random.below(10), "1", [`x${index}`], {
      onBlockFetchSuccess: () => durations.push(clock.nowMs() - startMs),
      onBlockFetchFailure: () => {},
    });
    clock.advance(3);
    // Promises go on now and then: aborts and ends do not need it.
    if (index % 50 === 0) await clock.settle();
  }
  await clock.advanceAndSettle(10_000);
  expect(durations).toHaveLength(FETCHES);
  durations.sort((a, b) => a - b);
  const p999 = durations[Math.floor(durations.length * 0.999)] ?? 0;
  return { p999, extraShare: hedging.extraRequests / hedging.requests };
}

/** Mostly about 10 ms, with a tail. */
function latency(random: Random): number {
  return 5 + 10 * random.next() - 8 * Math.log(1 - random.next());
}

function use(options: Partial<FetchHedgingOptions>): void {
  hedging = new FetchHedging({
    clock,
    alternativeOf: ({ host }) => (host === "a" ? SECOND : FIRST),
    ...options,
  });
  hedged = hedging.wrap(client);
}

/** Fetches that take 10 ms each. */
async function warmUp(count = 60): Promise<void> {
  for (let index = 0; index < count; index += 1) await fetch([`w${index}`], 10);
}

async function fetch(blockIds: readonly string[], waitMs: number, options: FetchOptions = {}) {
  const told: Record<string, string> = {};
  const failures: Record<string, string> = {};
  const before = client.released;
  const listener: BlockFetchingListener = {
    onBlockFetchSuccess: (blockId, data) => {
      if (blockId in told || blockId in failures) throw new Error(`${blockId} was told twice`);
      told[blockId] = Buffer.from((data as BytesManagedBuffer).view).toString();
    },
    onBlockFetchFailure: (blockId, error) => {
      if (blockId in told || blockId in failures) throw new Error(`${blockId} was told twice`);
      failures[blockId] = error.message;
    },
  };
  void hedged.fetchBlocks("a", 1, "1", blockIds, listener, options);
  if (waitMs > 0) await clock.advanceAndSettle(waitMs);
  return {
    told: () => told,
    failures: () => failures,
    released: () => client.released - before,
  };
}

interface Asked {
  readonly host: string;
  readonly port: number;
  readonly blockIds: readonly string[];
  readonly signal: AbortSignal | undefined;
}

/** Answers each block after a time; like a real transport it goes on when nobody waits any more. */
class TimedClient implements BlockFetchClient {
  readonly requests: Asked[] = [];
  readonly #clock: ManualClock;
  latencyOf: (asked: Asked, blockId: string) => number = () => 10;
  failureOf: (asked: Asked) => Error | null = () => null;
  refusal: Error | null = null;
  released = 0;

  constructor(on: ManualClock) {
    this.#clock = on;
  }

  fetchBlocks(
    host: string,
    port: number,
    _executorId: string,
    blockIds: readonly string[],
    listener: BlockFetchingListener,
    { signal }: FetchOptions = {},
  ): Promise<void> {
    if (this.refusal !== null) return Promise.reject(this.refusal);
    const asked = { host, port, blockIds, signal };
    this.requests.push(asked);
    return new Promise((resolve) => {
      let open = blockIds.length;
      for (const blockId of blockIds) {
        this.#clock.setTimer(this.latencyOf(asked, blockId), () => {
          const failure = this.failureOf(asked);
          const buffer = new BytesManagedBuffer(Buffer.from(`from ${host}`));
          buffer.release = () => void (this.released += 1);
          if (failure === null) listener.onBlockFetchSuccess(blockId, buffer);
          else listener.onBlockFetchFailure(blockId, failure);
          open -= 1;
          if (open === 0) resolve();
        });
      }
    });
  }
}
