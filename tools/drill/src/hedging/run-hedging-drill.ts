/**
 * Ten servers, each in a process of its own and with a disk that takes some time. Every block is at two
 * of them. Rounds take turns: all servers well, then one of them a hundred times slower. What a fetch
 * takes in both halves of a round is compared, so what disturbs the machine disturbs both.
 */
import { shuffleBlockId } from "@bm/block";
import { type BlockFetchClient, FetchHedging, NettyBlockTransferService } from "@bm/shuffle";
import { nodePlatform, TransportConf } from "@bm/transport";
import { MadeUpBlocks } from "../server/made-up-blocks.ts";
import { ServerProcess } from "../server/server-process.ts";

/** How much, and who is told. */
export interface HedgingDrillOptions {
  /** In each half of a round. */
  readonly fetches: number;
  readonly rounds: number;
  /** Milliseconds between two fetches: they are not held up by those before them. */
  readonly pause: number;
  readonly onRound?: (round: HedgingRound) => void;
}

/** Milliseconds that the slowest thousandth of the fetches took at least. */
export interface HedgingRound {
  readonly healthy: number;
  /** With the slow server and hedging. */
  readonly hedged: number;
  /** Requests that repeated another one, of those that were made for their own sake. */
  readonly extraShare: number;
}

const SERVERS = 10;
const HOST = "127.0.0.1";
const SLOWDOWN = 100;
const BLOCK_BYTES = 1000;
/**
 * Before a server becomes slow, so that it is known what is normal, and so that there is an allowance: a
 * twentieth of them.
 */
const WARM_UP_FETCHES = 1000;
const { clock, random } = nodePlatform();

/** Runs the rounds. */
export async function runHedgingDrill(options: HedgingDrillOptions): Promise<HedgingRound[]> {
  const servers = await Promise.all(
    Array.from({ length: SERVERS }, () => new ServerProcess().start()),
  );
  const rounds: HedgingRound[] = [];
  try {
    for (let index = 0; index < options.rounds; index += 1) {
      const round = await runRound(servers, options);
      rounds.push(round);
      options.onRound?.(round);
    }
  } finally {
    await Promise.all(servers.map((server) => server.kill()));
  }
  return rounds;
}

async function runRound(
  servers: readonly ServerProcess[],
  { fetches, pause }: HedgingDrillOptions,
): Promise<HedgingRound> {
  const [first] = servers;
  const ports = servers.map(({ port }) => port);
  await Promise.all(servers.map((server) => server.slow(1)));
  const reader = await startReader();
  const healthy = await slowestOf(reader, ports, fetches, pause);
  const hedging = new FetchHedging({
    clock,
    alternativeOf: (place) => {
      const next = (ports.indexOf(place.port) + 1) % ports.length;
      return { ...place, port: ports[next] ?? place.port };
    },
  });
  const hedged = hedging.wrap(reader);
  await slowestOf(hedged, ports, WARM_UP_FETCHES, pause);
  await first?.slow(SLOWDOWN);
  const slowest = await slowestOf(hedged, ports, fetches, pause);
  await reader.close();
  return { healthy, hedged: slowest, extraShare: hedging.extraRequests / hedging.requests };
}

/** What the fetch took that one of a thousand is slower than. */
async function slowestOf(
  client: BlockFetchClient,
  ports: readonly number[],
  fetches: number,
  pause: number,
): Promise<number> {
  const durations: number[] = [];
  const running: Promise<void>[] = [];
  for (let index = 0; index < fetches; index += 1) {
    const port = ports[random.below(ports.length)] ?? 0;
    running.push(fetchOne(client, port, index).then((ms) => void durations.push(ms)));
    await clock.sleep(pause);
  }
  await Promise.all(running);
  durations.sort((one, other) => one - other);
  return durations[Math.floor(fetches * 0.999)] ?? 0;
}

function fetchOne(client: BlockFetchClient, port: number, map: number): Promise<number> {
  const startMs = clock.nowMs();
  const { name } = shuffleBlockId(0, BigInt(map), BLOCK_BYTES);
  return new Promise((resolve, reject) => {
    const listener = {
      onBlockFetchSuccess: (_id: string, data: { release(): void }) => {
        data.release();
        resolve(clock.nowMs() - startMs);
      },
      onBlockFetchFailure: (_id: string, error: Error) => reject(error),
    };
    client.fetchBlocks(HOST, port, "2", [name], listener).catch(reject);
  });
}

async function startReader(): Promise<NettyBlockTransferService> {
  const conf = new TransportConf("shuffle");
  const service = new NettyBlockTransferService({
    conf,
    appId: "drill",
    executorId: "1",
    host: HOST,
  });
  await service.init(new MadeUpBlocks());
  return service;
}

/** A round in a line, for people. */
export function rowOf({ extraShare, healthy, hedged }: HedgingRound): string {
  const ratio = (hedged / healthy).toFixed(2);
  const share = (100 * extraShare).toFixed(1);
  return `p99.9 healthy ${healthy.toFixed(0)} ms, one slow server and hedging ${hedged.toFixed(0)} ms: ratio ${ratio}, ${share} % more requests`;
}

/** Of the rounds, how many times as long the slowest fetches took with a slow server. */
export function medianRatio(rounds: readonly HedgingRound[]): number {
  const ratios = rounds.map(({ healthy, hedged }) => hedged / healthy).toSorted((a, b) => a - b);
  return ratios[Math.floor(ratios.length / 2)] ?? Number.NaN;
}
