/**
 * Gives a reader its blocks one by one, local and remote, while more are under way.
 *
 * Remote blocks are asked for in requests of about a fifth of the bytes allowed in flight, so that
 * several servers are busy at once. What arrived and was not taken counts as in flight: a slow reader
 * holds no more than the limit.
 */
import type { BlockManagerId } from "@bm/block";
import type { ManagedBuffer } from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";
import type { BlockFetchClient } from "./block-fetch-client.ts";
import type { BlockFetcherIteratorOptions, FetchedBlock } from "./block-fetcher-options.ts";
import type { BlockFetchingListener } from "./block-fetching-listener.ts";
import { CorruptBlocks } from "./corrupt-blocks.ts";
import { emptyBlock, fetchFailed, readingAborted } from "./fetch-failure.ts";
import {
  type BlocksByLocation,
  type BlockToFetch,
  checkBlocksToFetch,
  cutIntoRequests,
  type FetchRequest,
  mergeRuns,
  shuffled,
} from "./fetch-requests.ts";
import { InFlight } from "./in-flight.ts";

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
const BYTES_IN_MEMORY_DEFAULT = 200 * 1024 * 1024;
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
  readonly #client: BlockFetchClient;
  readonly #inFlight: InFlight;
  readonly #waiting: FetchRequest[];
  readonly #local: LocalBlock[];
  readonly #arrived: Arrived[] = [];
  readonly #corrupt: CorruptBlocks;
  readonly #ended = new AbortController();
  #expected = 0;
  #failure: ShuffleError | null = null;
  #wake: () => void = () => {};
  #isStarted = false;

  /** @throws ShuffleError OPTION_INVALID - an empty block, a block twice, or a limit below 1. */
  constructor(options: BlockFetcherIteratorOptions) {
    this.#options = options;
    const { client, hedging, hostLocal, localId, random } = options;
    this.#client = hedging?.wrap(client) ?? client;
    const bytesMax = limit(options.maxBytesInFlight, BYTES_IN_FLIGHT_DEFAULT);
    const requestsMax = limit(options.maxReqsInFlight, Number.POSITIVE_INFINITY);
    const blocksPerAddressMax = limit(
      options.maxBlocksInFlightPerAddress,
      Number.POSITIVE_INFINITY,
    );
    limit(options.maxBytesInMemory, BYTES_IN_MEMORY_DEFAULT);
    const locations = [...options.blocks];
    checkBlocksToFetch(locations);
    const isLocal = ({ location }: BlocksByLocation): boolean =>
      location.executorId === localId.executorId ||
      (hostLocal !== undefined && location.host === localId.host);
    const targetBytes = Math.max(Math.floor(bytesMax / REQUESTS_PER_LIMIT), 1);
    const memory = options.memory ?? null;
    this.#inFlight = new InFlight({ bytesMax, requestsMax, blocksPerAddressMax, memory });
    this.#corrupt = new CorruptBlocks(client, options.checksumAlgorithm ?? "ADLER32");
    const wanted = options.mergeRuns ? locations.map(mergeRuns) : locations;
    this.#local = wanted
      .filter(isLocal)
      .flatMap(({ location, blocks }) => blocks.map((block) => ({ location, block })));
    const requests = wanted
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
    const onAbort = (): void => this.#fail(readingAborted(signal?.reason));
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

  /**
   * The failure for a block that turned out to be corrupt while it was read, with the cause as far as
   * it can be found: FETCH_FAILED, caused by BLOCK_CORRUPT. Call it before the block is released.
   */
  corruptionOf(block: FetchedBlock, cause: Error): Promise<ShuffleError> {
    return this.#corrupt.failureOf(block, cause, this.#options.signal);
  }

  /** What has arrived comes first, then what is here anyway; only then we wait. */
  async #next(): Promise<FetchedBlock | null> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure;
      const arrived = this.#arrived.shift();
      if (arrived !== undefined) {
        const block = await this.#take(arrived);
        if (block !== null) return block;
        continue;
      }
      const local = this.#local.pop();
      if (local !== undefined) return this.#readLocal(local);
      if (this.#expected === 0 && this.#waiting.length === 0) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async #take({ request, block, buffer, isLastOfRequest }: Arrived): Promise<FetchedBlock | null> {
    this.#inFlight.blockTaken(request, block.size);
    if (isLastOfRequest) this.#inFlight.requestTaken();
    const { blockId, mapIndex } = block;
    const fetched = { blockId, mapIndex, location: request.location, buffer };
    const isGood = await this.#check(fetched);
    if (!isGood) {
      const { location } = request;
      this.#waiting.unshift({ location, blocks: [block], size: block.size });
    }
    this.#sendRequests();
    return isGood ? fetched : null;
  }

  async #readLocal({ location, block }: LocalBlock): Promise<FetchedBlock> {
    const { blockManager, hostLocal, localId } = this.#options;
    const { blockId, mapIndex } = block;
    const isOwn = location.executorId === localId.executorId;
    let buffer: ManagedBuffer;
    try {
      buffer =
        isOwn || hostLocal === undefined
          ? await blockManager.getLocalBlockData(blockId)
          : await hostLocal.read(location, blockId, { signal: this.#ended.signal });
    } catch (error) {
      throw this.#failure ?? fetchFailed(location, block, error as Error);
    }
    const failure = this.#failure ?? emptyBlock(location, block, buffer);
    if (failure !== null) {
      buffer.release();
      throw failure;
    }
    const fetched = { blockId, mapIndex, location, buffer };
    if (await this.#check(fetched)) return fetched;
    return this.#readLocal({ location, block });
  }

  /** False when the block is corrupt, released, and to be fetched once more. */
  async #check(block: FetchedBlock): Promise<boolean> {
    const { verify } = this.#options;
    if (verify === undefined) return true;
    try {
      await verify(block);
      if (this.#failure === null) return true;
    } catch (error) {
      if (this.#failure === null && !this.#corrupt.mayFetchAgain(block)) {
        this.#failure = await this.#corrupt.failureOf(block, error as Error, this.#ended.signal);
      }
    }
    block.buffer.release();
    if (this.#failure !== null) throw this.#failure;
    return false;
  }

  readonly #sendRequests = (): void => {
    if (this.#failure !== null || this.#ended.signal.aborted) return;
    for (const request of this.#inFlight.takeSendable(this.#waiting)) this.#send(request);
    if (this.#inFlight.isPutOff) this.#options.memory?.whenReleased(this.#sendRequests);
  };

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
    { blocks, location, size }: FetchRequest,
    names: readonly string[],
    listener: BlockFetchingListener,
  ): Promise<void> {
    const { host, port, executorId } = location;
    const { downloads, maxBytesInMemory = BYTES_IN_MEMORY_DEFAULT } = this.#options;
    const { signal } = this.#ended;
    const how = size > maxBytesInMemory ? { signal, downloads } : { signal };
    try {
      await this.#client.fetchBlocks(host, port, executorId, names, listener, how);
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
    this.#options.memory?.forget(this.#sendRequests);
    this.#inFlight.clear();
    for (const { buffer } of this.#arrived.splice(0)) buffer.release();
  }
}

function limit(value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (value >= 1) return value;
  throw new ShuffleError("OPTION_INVALID", `a limit of ${value}: must be at least 1`);
}
