import { type BlockId, BlockManagerId, shuffleBlockId } from "@bm/block";
import { BytesManagedBuffer, type ManagedBuffer } from "@bm/transport";
import { createSeededRandom } from "@bm/transport/testing";
import {
  type BlockFetchClient,
  BlockFetcherIterator,
  type BlockFetcherIteratorOptions,
  type BlockFetchingListener,
  type BlockToFetch,
  type CorruptBlock,
  type CorruptionCauseName,
  type DownloadFiles,
  type FetchedBlock,
  type FetchOptions,
  ShuffleError,
} from "../../src/index.ts";

export const LOCAL: BlockManagerId = BlockManagerId.of("1", "host-a", 7001);
export const FAR: BlockManagerId = BlockManagerId.of("2", "host-b", 7002);
export const FARTHER: BlockManagerId = BlockManagerId.of("3", "host-c", 7003);

/** One request as its server sees it. */
export class TestRequest {
  readonly port: number;
  readonly blockIds: readonly string[];
  readonly signal: AbortSignal | undefined;
  readonly downloads: DownloadFiles | undefined;
  readonly #listener: BlockFetchingListener;
  readonly #released: string[];
  readonly pending: Set<string>;

  constructor(
    port: number,
    blockIds: readonly string[],
    listener: BlockFetchingListener,
    { downloads, signal }: FetchOptions,
    released: string[],
  ) {
    this.port = port;
    this.blockIds = blockIds;
    this.#listener = listener;
    this.signal = signal;
    this.downloads = downloads;
    this.#released = released;
    this.pending = new Set(blockIds);
  }

  succeed(blockId: string): this {
    const buffer = new BytesManagedBuffer(Buffer.from(`remote ${blockId}`));
    buffer.release = () => this.#released.push(blockId);
    return this.succeedWith(blockId, buffer);
  }

  succeedWith(blockId: string, buffer: ManagedBuffer): this {
    this.pending.delete(blockId);
    this.#listener.onBlockFetchSuccess(blockId, buffer);
    return this;
  }

  succeedAll(): void {
    for (const blockId of this.blockIds) this.succeed(blockId);
  }

  fail(blockId: string, error: Error): this {
    this.pending.delete(blockId);
    this.#listener.onBlockFetchFailure(blockId, error);
    return this;
  }
}

export class TestClient implements BlockFetchClient {
  readonly requests: TestRequest[] = [];
  /** Names of the buffers that were released, in order. */
  readonly released: string[] = [];
  readonly sizes: Map<string, number> = new Map();
  readonly diagnosed: CorruptBlock[] = [];
  answerAtOnce = false;
  bytesAskedFor = 0;

  async fetchBlocks(
    _host: string,
    port: number,
    _executorId: string,
    blockIds: readonly string[],
    listener: BlockFetchingListener,
    options: FetchOptions = {},
  ): Promise<void> {
    const request = new TestRequest(port, blockIds, listener, options, this.released);
    this.requests.push(request);
    for (const blockId of blockIds) this.bytesAskedFor += this.sizes.get(blockId) ?? 0;
    if (this.answerAtOnce) setImmediate(() => request.succeedAll());
  }

  async diagnoseCorruption(
    _host: string,
    _port: number,
    block: CorruptBlock,
  ): Promise<CorruptionCauseName> {
    this.diagnosed.push(block);
    return "NETWORK_ISSUE";
  }

  request(index: number): TestRequest {
    const request = this.requests[index];
    if (request === undefined) throw new Error(`there were ${this.requests.length} requests`);
    return request;
  }

  succeedAnyOne(chance: number): void {
    const open = this.requests.filter(({ pending }) => pending.size > 0);
    const request = open[chance % Math.max(open.length, 1)];
    const [blockId] = [...(request?.pending ?? [])].slice(-1);
    if (blockId !== undefined) request?.succeed(blockId);
  }
}

export type Read = FetchedBlock & { readonly text: string };

export function reader(options: Partial<BlockFetcherIteratorOptions>): {
  readonly client: TestClient;
  readonly iterator: BlockFetcherIterator;
} {
  const client = new TestClient();
  for (const { blocks } of options.blocks ?? []) {
    for (const { blockId, size } of blocks) client.sizes.set(blockId.name, size);
  }
  const iterator = new BlockFetcherIterator({
    localId: LOCAL,
    blockManager: {
      getLocalBlockData: (blockId: BlockId) =>
        new BytesManagedBuffer(Buffer.from(`local ${blockId.name}`)),
    },
    client,
    blocks: [],
    random: createSeededRandom(1),
    ...options,
  });
  return { client, iterator };
}

export function block(map: number, size: number): BlockToFetch {
  return { blockId: shuffleBlockId(7, BigInt(map), 3), size, mapIndex: 100 + map };
}

export function at(index: number): BlockManagerId {
  return BlockManagerId.of(`far-${index}`, "host", 8000 + index);
}

export async function readAll(iterator: BlockFetcherIterator): Promise<Read[]> {
  const fetched: Read[] = [];
  for await (const one of iterator) {
    fetched.push({ ...one, text: Buffer.from(await one.buffer.bytes()).toString() });
    one.buffer.release();
  }
  return fetched;
}

export async function failureOf(iterator: BlockFetcherIterator): Promise<ShuffleError> {
  try {
    await readAll(iterator);
  } catch (error) {
    if (error instanceof ShuffleError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
