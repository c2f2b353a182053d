/** One fetch under one schedule of faults, and what must hold whatever happens. */
import { type ShuffleBlockId, shuffleBlockId } from "@bm/block";
import {
  isConnectionError,
  type ManagedBuffer,
  type Random,
  TransportConf,
  TransportError,
} from "@bm/transport";
import {
  type BlockFetchingListener,
  type FetchOptions,
  NettyBlockTransferService,
  ShuffleError,
} from "../../src/index.ts";
import { contentOf } from "../transfer/content-of.ts";
import { MemoryBlockManager } from "../transfer/memory-block-manager.ts";

const HOST = "127.0.0.1";
export const RETRIES = 2;

/** A reader whose time-outs are as short as they can be. */
export async function startReader(): Promise<NettyBlockTransferService> {
  const service = new NettyBlockTransferService({
    conf: new TransportConf("shuffle", {
      "spark.shuffle.io.connectionTimeout": "1s",
      "spark.shuffle.io.maxRetries": String(RETRIES),
      "spark.shuffle.io.retryWait": "0s",
    }),
    appId: "app-1",
    executorId: "1",
  });
  await service.init(new MemoryBlockManager());
  return service;
}

/** A few blocks of sizes from one byte to several pieces. */
export function someBlocks(random: Random): readonly ShuffleBlockId[] {
  const sizes = [1, 100, 5000, 65_536, 300_000, 900_000];
  return Array.from({ length: 1 + random.below(8) }, (_, map) =>
    shuffleBlockId(0, BigInt(map), 1 + random.below(sizes[random.below(sizes.length)] ?? 1)),
  );
}

/** Notes what it is told and everything that is wrong with it. */
export class DrillListener implements BlockFetchingListener {
  readonly #blocks: ReadonlyMap<string, ShuffleBlockId>;
  readonly #reading: Promise<void>[] = [];
  readonly intact: Set<string> = new Set();
  /** Blocks whose bytes are not those that were written. */
  readonly corrupt: Set<string> = new Set();
  readonly failures: Map<string, Error> = new Map();
  readonly faults: string[] = [];
  released = 0;
  received = 0;

  constructor(blocks: readonly ShuffleBlockId[]) {
    this.#blocks = new Map(blocks.map((block) => [block.name, block]));
  }

  onBlockFetchSuccess(name: string, data: ManagedBuffer): void {
    this.#told(name);
    this.received += 1;
    this.intact.add(name);
    this.#reading.push(this.#check(name, data));
  }

  onBlockFetchFailure(name: string, error: Error): void {
    this.#told(name);
    this.failures.set(name, error);
    const isTyped = error instanceof TransportError || error instanceof ShuffleError;
    if (!isTyped) this.faults.push(`${name} failed without a code: ${String(error)}`);
  }

  /** What is wrong once everything was read. */
  async verdict(): Promise<readonly string[]> {
    await Promise.all(this.#reading);
    for (const name of this.#blocks.keys()) {
      const isTold = this.intact.has(name) || this.corrupt.has(name) || this.failures.has(name);
      if (!isTold) this.faults.push(`${name} was never told`);
    }
    if (this.released !== this.received) this.faults.push("a buffer was not released");
    return this.faults;
  }

  #told(name: string): void {
    if (!this.#blocks.has(name)) this.faults.push(`${name} was never asked for`);
    if (this.intact.has(name) || this.failures.has(name)) this.faults.push(`${name}: told twice`);
  }

  async #check(name: string, data: ManagedBuffer): Promise<void> {
    try {
      const expected = contentOf(this.#blocks.get(name) ?? { mapId: 0n, reduceId: 0 });
      if (!expected.equals(await data.bytes())) {
        this.intact.delete(name);
        this.corrupt.add(name);
      }
    } catch (error) {
      this.faults.push(`${name} cannot be read: ${String(error)}`);
    } finally {
      data.release();
      this.released += 1;
    }
  }
}

/** What one drill may end in besides whole blocks. */
export interface Expectation {
  readonly mayBeCorrupt: boolean;
  readonly mayFail: (error: Error) => boolean;
}

export const NOTHING_FAILS: Expectation = { mayBeCorrupt: false, mayFail: () => false };
export const CONNECTION_FAILS: Expectation = { mayBeCorrupt: false, mayFail: isConnectionError };
export const ANYTHING_FAILS: Expectation = { mayBeCorrupt: true, mayFail: () => true };

/** Fetches the blocks; gives what is wrong with the outcome. */
export async function drill(
  service: NettyBlockTransferService,
  port: number,
  blocks: readonly ShuffleBlockId[],
  expectation: Expectation,
  options: FetchOptions = {},
): Promise<readonly string[]> {
  const listener = new DrillListener(blocks);
  const names = blocks.map(({ name }) => name);
  await service.fetchBlocks(HOST, port, "2", names, listener, options);
  const faults = [...(await listener.verdict())];
  if (!expectation.mayBeCorrupt) {
    for (const name of listener.corrupt) faults.push(`${name} is corrupt, and nobody said so`);
  }
  for (const [name, error] of listener.failures) {
    const isAbort = options.signal?.aborted && error instanceof ShuffleError;
    if (!isAbort && !expectation.mayFail(error)) faults.push(`${name} failed: ${error.message}`);
  }
  return faults;
}
