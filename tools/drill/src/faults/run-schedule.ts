/** One fetch under one schedule of faults, and what must hold whatever happens. */
import { BlockManagerId, type ShuffleBlockId } from "@bm/block";
import { Crc32C } from "@bm/codec/checksum";
import {
  BlockFetcherIterator,
  DownloadFiles,
  type FetchedBlock,
  FetchMemory,
  NettyBlockTransferService,
  ShuffleError,
} from "@bm/shuffle";
import { nodePlatform, TransportConf } from "@bm/transport";
import { createSeededRandom } from "@bm/transport/testing";
import { checksumOf, MadeUpBlocks } from "../server/made-up-blocks.ts";
import type { ServerProcess } from "../server/server-process.ts";
import type { StallWatch } from "../server/stall-watch.ts";
import { BlockLedger } from "./block-ledger.ts";
import { isRightCause } from "./expectation.ts";
import type { FaultyProxy } from "./faulty-proxy.ts";
import { RETRIES, type Schedule } from "./schedule.ts";

const HOST = "127.0.0.1";
/** Far beyond every time-out of a schedule: whoever has not ended by then never will. */
const END_MS = 180_000;
/** Small enough that readings put requests off. */
const MEMORY_BYTES = 1024 * 1024;
/** Between two blocks of a slow reading. */
const SLOW_MS = 3;
const { files } = nodePlatform();

/** Where a schedule runs. Nothing else uses them meanwhile. */
export interface Lane {
  readonly server: ServerProcess;
  readonly proxy: FaultyProxy;
  /** For downloads; empty afterwards. */
  readonly directory: string;
  readonly stalls: StallWatch;
}

/** How a schedule ended. */
export interface Outcome {
  readonly schedule: Schedule;
  readonly intact: number;
  readonly failed: number;
  /** Blocks that came with wrong bytes first, and were noticed. */
  readonly refused: number;
  /** What is wrong with it; empty when all is well. */
  readonly faults: readonly string[];
  /** Times that it was run, because the machine was too busy to judge. */
  readonly attempts: number;
}

/** Runs it; never rejects. */
export async function runSchedule(schedule: Schedule, lane: Lane): Promise<Outcome> {
  const drill = new Drill(schedule, lane);
  try {
    await withinTime(drill.run());
  } catch (error) {
    drill.ledger.faults.push(`the drill itself failed while it ${drill.step}: ${String(error)}`);
  }
  const { failures, faults, intact } = drill.ledger;
  const { refused } = drill;
  const counts = { intact: intact.size, failed: failures.size, refused };
  return { schedule, ...counts, faults, attempts: 1 };
}

class Drill {
  readonly ledger: BlockLedger;
  refused = 0;
  /** What goes on, for a drill that does not end. */
  step = "started";
  readonly #schedule: Schedule;
  readonly #lane: Lane;
  readonly #reader: NettyBlockTransferService;
  readonly #downloads: DownloadFiles;
  readonly #given = new AbortController();

  constructor(schedule: Schedule, lane: Lane) {
    this.#schedule = schedule;
    this.#lane = lane;
    this.#reader = newReader(schedule);
    this.ledger = new BlockLedger(schedule.blocks);
    const random = createSeededRandom(schedule.seed);
    this.#downloads = new DownloadFiles({ files, random, directory: lane.directory });
  }

  async run(): Promise<void> {
    const { abortAfterMs, actAfterMs, faults, way } = this.#schedule;
    const { proxy, server } = this.#lane;
    await this.#reader.init(new MadeUpBlocks());
    if (!server.isRunning) await server.start();
    proxy.faults = [...faults];
    const acted = after(actAfterMs, () => this.#act());
    const given = setTimeout(() => this.#given.abort(new Error("enough")), abortAfterMs ?? END_MS);
    this.step = "fetched";
    if (way === "blocks") await this.#fetchBlocks();
    else await this.#read();
    clearTimeout(given);
    this.step = "waited for the server";
    await acted;
    this.step = "closed the reader";
    await this.#end();
    this.#judge();
  }

  async #act(): Promise<void> {
    const { kind, pauseMs } = this.#schedule;
    const { server } = this.#lane;
    if (kind === "pause") {
      server.pause();
      await after(pauseMs, () => server.resume());
    } else if (kind === "kill" || kind === "restart") {
      await server.kill();
      if (kind === "restart") await server.start();
    }
  }

  async #fetchBlocks(): Promise<void> {
    const { blocks, isIntoFiles } = this.#schedule;
    const names = blocks.map(({ name }) => name);
    const how = { signal: this.#given.signal, ...(isIntoFiles && { downloads: this.#downloads }) };
    await this.#reader.fetchBlocks(HOST, this.#lane.proxy.port, "2", names, this.ledger, how);
  }

  async #read(): Promise<void> {
    const { blocks, isIntoFiles, isSlow, seed } = this.#schedule;
    const memory = new FetchMemory(MEMORY_BYTES);
    const reading = new BlockFetcherIterator({
      localId: BlockManagerId.of("1", "reader", 1),
      blockManager: new MadeUpBlocks(),
      client: this.#reader,
      blocks: [{ location: this.#location(), blocks: blocks.map(toFetch) }],
      random: createSeededRandom(seed),
      maxBytesInFlight: MEMORY_BYTES,
      memory,
      maxBytesInMemory: isIntoFiles ? 1 : undefined,
      downloads: this.#downloads,
      checksumAlgorithm: "CRC32C",
      verify: (block) => this.#verify(block),
      signal: this.#given.signal,
    });
    try {
      for await (const { blockId, buffer } of reading) {
        this.ledger.onBlockFetchSuccess(blockId.name, buffer);
        if (isSlow) await after(SLOW_MS, () => {});
      }
    } catch (error) {
      this.#readingFailed(error);
    }
    if (memory.bytes !== 0) this.ledger.faults.push(`${memory.bytes} bytes are still reserved`);
    if (memory.waiting !== 0) this.ledger.faults.push("somebody waits for memory");
  }

  #location(): BlockManagerId {
    return BlockManagerId.of("2", HOST, this.#lane.proxy.port);
  }

  async #verify({ blockId, buffer }: FetchedBlock): Promise<void> {
    if (blockId.kind !== "shuffle") throw new Error(`${blockId.name} was never asked for`);
    const sum = new Crc32C();
    for await (const piece of buffer.pieces()) sum.update(piece);
    if (sum.value === checksumOf(blockId)) return;
    this.refused += 1;
    throw new Error(`checksum ${sum.value}`);
  }

  /** One failure ends a reading, and names the block: the others were simply not given. */
  #readingFailed(error: unknown): void {
    const isOurs = error instanceof ShuffleError;
    const culprit = isOurs ? error.culprit : null;
    const isGivenUp = isOurs && error.code === "FETCH_ABORTED" && this.#given.signal.aborted;
    const blamed = this.#schedule.blocks.find(
      ({ mapId, reduceId }) => mapId === culprit?.mapId && reduceId === culprit.reduceId,
    );
    if (!isGivenUp && (blamed === undefined || !culprit?.location.equals(this.#location()))) {
      this.ledger.faults.push(`failed without a culprit that was asked for: ${String(error)}`);
    }
    const cause = isGivenUp ? error : (error as Error).cause;
    for (const { name } of this.#schedule.blocks) {
      if (!this.ledger.intact.has(name)) this.ledger.onBlockFetchFailure(name, cause as Error);
    }
  }

  /** Whatever is said after this is said too late. */
  async #end(): Promise<void> {
    await this.#reader.close();
    this.step = "settled";
    this.#lane.proxy.faults = [];
    this.#lane.proxy.cutAll();
    await this.ledger.settle();
    await this.#downloads.close();
    if (this.#downloads.count > 0) {
      this.ledger.faults.push(`${this.#downloads.count} files were not released`);
    }
  }

  #judge(): void {
    for (const [name, error] of this.ledger.failures) {
      if (isRightCause(this.#schedule, error)) continue;
      this.ledger.faults.push(`${name} failed: ${describe(error)}`);
    }
  }
}

function toFetch(blockId: ShuffleBlockId) {
  return { blockId, size: blockId.reduceId, mapIndex: Number(blockId.mapId) };
}

/**
 * A reader of its own for each schedule. Where nothing but the time-out ends a fetch it is short, but no
 * shorter: a busy machine must not look like a dead peer.
 */
function newReader({ kind }: Schedule): NettyBlockTransferService {
  const timeout = kind === "silence" || kind === "flip" ? "1s" : "60s";
  const conf = new TransportConf("shuffle", {
    "spark.shuffle.io.connectionTimeout": timeout,
    "spark.shuffle.io.maxRetries": String(RETRIES),
    "spark.shuffle.io.retryWait": "0s",
  });
  return new NettyBlockTransferService({ conf, appId: "drill", executorId: "1", host: HOST });
}

async function after(ms: number, work: () => unknown): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  await work();
}

async function withinTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${END_MS} ms`)), END_MS);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? ` ${String(error.code)}` : "";
  return `${error.name}${code}: ${error.message.split("\n")[0]}`;
}
