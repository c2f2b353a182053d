/**
 * Gives a reader its blocks one by one, local and remote, while more are under way.
 *
 * Remote blocks are asked for in requests of about a fifth of the bytes allowed in flight, so that
 * several servers are busy at once. What arrived and was not taken counts as in flight: a slow reader
 * holds no more than the limit.
 */
import type { BlockManagerId } from "@bm/block";
import type { ManagedBuffer, Random } from "@bm/transport";
import type { BlockDataManager } from "../server/block-data-manager.ts";
import { ShuffleError } from "../shuffle-error.ts";
import type { BlockFetchingListener } from "./block-fetching-listener.ts";
import {
  type BlocksByLocation,
  type BlockToFetch,
  checkBlocksToFetch,
  cutIntoRequests,
  type FetchRequest,
  shuffled,
} from "./fetch-requests.ts";
import { InFlight } from "./in-flight.ts";

/** The part of a transfer service that a reader needs. */
export interface BlockFetchClient {
  /** See `NettyBlockTransferService.fetchBlocks`. */
  fetchBlocks(
    host: string,
    port: number,
    executorId: string,
    blockIds: readonly string[],
    listener: BlockFetchingListener,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<void>;
}

/** Options of {@link BlockFetcherIterator}. */
export interface BlockFetcherIteratorOptions {
  /** This block manager: blocks of its executor are read through `blockManager`. */
  readonly localId: BlockManagerId;
  readonly blockManager: Pick<BlockDataManager, "getLocalBlockData">;
  readonly client: BlockFetchClient;
  /** Without empty blocks, and no block twice. */
  readonly blocks: Iterable<BlocksByLocation>;
  readonly random: Random;
  /** `spark.reducer.maxSizeInFlight`. Default: 48 MiB. */
  readonly maxBytesInFlight?: number | undefined;
  /** `spark.reducer.maxReqsInFlight`. Default: no limit. */
  readonly maxReqsInFlight?: number | undefined;
  /** `spark.reducer.maxBlocksInFlightPerAddress`. Default: no limit. */
  readonly maxBlocksInFlightPerAddress?: number | undefined;
  /** Ends the reading: the iteration throws FETCH_ABORTED. */
  readonly signal?: AbortSignal | undefined;
}

/** A block that arrived. */
export interface FetchedBlock {
  readonly blockId: BlockToFetch["blockId"];
  readonly mapIndex: number;
  readonly location: BlockManagerId;
  /** Handed over: the reader releases it. Never empty. */
  readonly buffer: ManagedBuffer;
}

interface Arrived {
  readonly request: FetchRequest;
  readonly block: BlockToFetch;
  readonly buffer: ManagedBuffer;
  readonly isLastOfRequest: boolean;
}

interface LocalBlock {
  readonly location: BlockManagerId;
  readonly block: BlockToFetch;
}

const BYTES_IN_FLIGHT_DEFAULT = 48 * 1024 * 1024;
/** Requests of a fifth of the limit let up to five servers work at once. */
const REQUESTS_PER_LIMIT = 5;

/**
 * See the file comment. To be iterated once, in the order of arrival. The iteration throws
 * ShuffleError FETCH_FAILED, with the `culprit`, for the first block that cannot be had, and
 * FETCH_ABORTED when the signal fires. However it ends, what the reader did not take is released and
 * what is under way is given up.
 */
export class BlockFetcherIterator implements AsyncIterable<FetchedBlock> {
  readonly #options: BlockFetcherIteratorOptions;
  readonly #inFlight: InFlight;
  readonly #waiting: FetchRequest[];
  readonly #local: LocalBlock[];
  readonly #arrived: Arrived[] = [];
  readonly #ended = new AbortController();
  #expected = 0;
  #failure: ShuffleError | null = null;
  #wake: () => void = () => {};
  #isStarted = false;

  /** @throws ShuffleError OPTION_INVALID - an empty block, a block twice, or a limit below 1. */
  constructor(options: BlockFetcherIteratorOptions) {
    this.#options = options;
    const { localId, random } = options;
    const bytesMax = limit(options.maxBytesInFlight, BYTES_IN_FLIGHT_DEFAULT);
    const requestsMax = limit(options.maxReqsInFlight, Number.POSITIVE_INFINITY);
    const blocksPerAddressMax = limit(
      options.maxBlocksInFlightPerAddress,
      Number.POSITIVE_INFINITY,
    );
    const locations = [...options.blocks];
    checkBlocksToFetch(locations);
    const isLocal = ({ location }: BlocksByLocation): boolean =>
      location.executorId === localId.executorId;
    const targetBytes = Math.max(Math.floor(bytesMax / REQUESTS_PER_LIMIT), 1);
    this.#inFlight = new InFlight({ bytesMax, requestsMax, blocksPerAddressMax });
    this.#local = locations
      .filter(isLocal)
      .flatMap(({ location, blocks }) => blocks.map((block) => ({ location, block })));
    const requests = locations
      .filter((blocks) => !isLocal(blocks))
      .flatMap((blocks) => cutIntoRequests(blocks, targetBytes, blocksPerAddressMax));
    this.#waiting = shuffled(requests, random);
  }

  /** @throws ShuffleError CLOSED when iterated a second time. */
  [Symbol.asyncIterator](): AsyncGenerator<FetchedBlock, void, void> {
    if (this.#isStarted) throw new ShuffleError("CLOSED", "the blocks can be iterated once");
    this.#isStarted = true;
    return this.#iterate();
  }

  async *#iterate(): AsyncGenerator<FetchedBlock, void, void> {
    const { signal } = this.#options;
    const onAbort = (): void => this.#fail(aborted(signal?.reason));
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
    try {
      this.#sendRequests();
      for (;;) {
        const block = await this.#next();
        if (block === null) return;
        yield block;
      }
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.#end();
    }
  }

  /** What has arrived comes first, then what is here anyway; only then we wait. */
  async #next(): Promise<FetchedBlock | null> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure;
      const arrived = this.#arrived.shift();
      if (arrived !== undefined) return this.#take(arrived);
      const local = this.#local.pop();
      if (local !== undefined) return this.#readLocal(local);
      if (this.#expected === 0 && this.#waiting.length === 0) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #take({ request, block, buffer, isLastOfRequest }: Arrived): FetchedBlock {
    this.#inFlight.blockTaken(request, block.size);
    if (isLastOfRequest) this.#inFlight.requestTaken();
    this.#sendRequests();
    const { blockId, mapIndex } = block;
    return { blockId, mapIndex, location: request.location, buffer };
  }

  async #readLocal({ location, block }: LocalBlock): Promise<FetchedBlock> {
    const { blockId, mapIndex } = block;
    let buffer: ManagedBuffer;
    try {
      buffer = await this.#options.blockManager.getLocalBlockData(blockId);
    } catch (error) {
      throw fetchFailed(location, block, error as Error);
    }
    const failure = this.#failure ?? emptyBlock(location, block, buffer);
    if (failure === null) return { blockId, mapIndex, location, buffer };
    buffer.release();
    throw failure;
  }

  #sendRequests(): void {
    if (this.#failure !== null) return;
    for (const request of this.#inFlight.takeSendable(this.#waiting)) this.#send(request);
  }

  #send(request: FetchRequest): void {
    const { blocks, location } = request;
    const missing = new Map(blocks.map((block) => [block.blockId.name, block]));
    this.#expected += missing.size;
    const listener: BlockFetchingListener = {
      onBlockFetchSuccess: (name, buffer) => {
        const block = missing.get(name);
        if (block === undefined || !missing.delete(name)) buffer.release();
        else this.#arrive({ request, block, buffer, isLastOfRequest: missing.size === 0 });
      },
      onBlockFetchFailure: (name, error) => {
        const block = missing.get(name);
        if (block !== undefined) this.#fail(fetchFailed(location, block, error));
      },
    };
    void this.#fetch(request, [...missing.keys()], listener);
  }

  /** Never rejects. A client that refuses as a whole fails the first block, and with it the reading. */
  async #fetch(
    { blocks, location }: FetchRequest,
    names: readonly string[],
    listener: BlockFetchingListener,
  ): Promise<void> {
    const { host, port, executorId } = location;
    const { signal } = this.#ended;
    try {
      await this.#options.client.fetchBlocks(host, port, executorId, names, listener, { signal });
    } catch (error) {
      const [block] = blocks;
      if (block !== undefined) this.#fail(fetchFailed(location, block, error as Error));
    }
  }

  #arrive(arrived: Arrived): void {
    this.#expected -= 1;
    const { block, buffer, request } = arrived;
    const failure = emptyBlock(request.location, block, buffer);
    if (failure !== null) this.#fail(failure);
    if (this.#failure !== null || this.#ended.signal.aborted) buffer.release();
    else this.#arrived.push(arrived);
    this.#wake();
  }

  /** The first failure counts and comes before what has arrived; the reading is lost anyway. */
  #fail(error: ShuffleError): void {
    if (this.#ended.signal.aborted) return;
    this.#failure ??= error;
    this.#wake();
  }

  #end(): void {
    this.#ended.abort();
    this.#waiting.length = 0;
    this.#local.length = 0;
    for (const { buffer } of this.#arrived.splice(0)) buffer.release();
  }
}

function limit(value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (value >= 1) return value;
  throw new ShuffleError("OPTION_INVALID", `a limit of ${value}: must be at least 1`);
}

function aborted(reason: unknown): ShuffleError {
  return new ShuffleError("FETCH_ABORTED", "the fetch was given up", { cause: reason });
}

/** No server has reason to send an empty block: its size was known to be above 0. */
function emptyBlock(
  location: BlockManagerId,
  block: BlockToFetch,
  buffer: ManagedBuffer,
): ShuffleError | null {
  if (buffer.size > 0) return null;
  const text = `received an empty buffer where about ${block.size} bytes were expected`;
  return fetchFailed(location, block, new ShuffleError("BLOCK_NOT_FOUND", text));
}

function fetchFailed(location: BlockManagerId, block: BlockToFetch, cause: Error): ShuffleError {
  const { blockId, mapIndex } = block;
  const { mapId, shuffleId } = blockId;
  const reduceId = blockId.kind === "shuffleBatch" ? blockId.startReduceId : blockId.reduceId;
  const text = `fetching ${blockId.name} from ${location.executorId} at ${location.hostPort}`;
  return new ShuffleError("FETCH_FAILED", `${text}: ${cause.message}`, {
    cause,
    culprit: { location, shuffleId, mapId, mapIndex, reduceId },
  });
}
