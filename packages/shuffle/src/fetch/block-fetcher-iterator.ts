/**
 * Gives a reader its blocks one by one, local and remote, while more are under way.
 *
 * Remote blocks are asked for in requests of about a fifth of the bytes allowed in flight, so that
 * several servers are busy at once. What arrived and was not taken counts as in flight: a slow reader
 * holds no more than the limit.
 *
 * Of a partition that was push-merged the merger is asked first which chunks it has; then they are
 * fetched like blocks. What cannot be had of it is replaced by the original blocks.
 */
import type { BlockManagerId } from "@bm/block";
import type { ManagedBuffer } from "@bm/transport";
import { MergedReads } from "../merged/merged-reads.ts";
import type { PushMergedFigures, PushMergedOptions } from "../merged/push-merged-options.ts";
import { ShuffleError } from "../shuffle-error.ts";
import type { BlockFetcherIteratorOptions, FetchedBlock } from "./block-fetcher-options.ts";
import { CorruptBlocks } from "./corrupt-blocks.ts";
import { emptyBlock, fetchFailed, readingAborted } from "./fetch-failure.ts";
import {
  checkBlocksToFetch,
  checkPartitions,
  type DataBlock,
  isChunk,
  isMeta,
  mergeRuns,
} from "./fetch-requests.ts";
import { InFlight } from "./in-flight.ts";
import { limit } from "./limit.ts";
import { openLocal } from "./open-local.ts";
import { type LocalBlock, PendingBlocks } from "./pending-blocks.ts";
import { ReadingState } from "./reading-state.ts";
import { type ArrivedBlock, BYTES_IN_MEMORY_DEFAULT, RemoteReads } from "./remote-reads.ts";

const BYTES_IN_FLIGHT_DEFAULT = 48 * 1024 * 1024;
const NOTHING_MERGED: PushMergedOptions = { partitions: [], originalsOf: () => [] };
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
  readonly #state = new ReadingState();
  readonly #pending: PendingBlocks;
  readonly #remote: RemoteReads;
  readonly #merged: MergedReads;
  readonly #corrupt: CorruptBlocks;
  #isStarted = false;

  /**
   * @throws ShuffleError OPTION_INVALID - an empty block, a block twice, or a limit below 1.
   */
  constructor(options: BlockFetcherIteratorOptions) {
    this.#options = options;
    const { client, hedging, pushMerged = NOTHING_MERGED } = options;
    const bytesMax = limit(options.maxBytesInFlight, BYTES_IN_FLIGHT_DEFAULT);
    const requestsMax = limit(options.maxReqsInFlight, Number.POSITIVE_INFINITY);
    const blocksPerAddressMax = limit(
      options.maxBlocksInFlightPerAddress,
      Number.POSITIVE_INFINITY,
    );
    limit(options.maxBytesInMemory, BYTES_IN_MEMORY_DEFAULT);
    const memory = options.memory ?? null;
    const targetBytes = Math.max(Math.floor(bytesMax / REQUESTS_PER_LIMIT), 1);
    const state = this.#state;
    const pending = new PendingBlocks(options, { targetBytes, blocksPerAddressMax });
    this.#pending = pending;
    this.#corrupt = new CorruptBlocks(client, options.checksumAlgorithm ?? "ADLER32");
    this.#remote = new RemoteReads({
      options,
      state,
      client: hedging?.wrap(client) ?? client,
      inFlight: new InFlight({ bytesMax, requestsMax, blocksPerAddressMax, memory }),
      waiting: pending.requests,
      askMerger: (meta) => this.#merged.askMerger(meta),
      onLost: (location, block, error) => this.#lose(location, block, error),
    });
    const onPending = this.#remote.send;
    this.#merged = new MergedReads({ pushMerged, client, pending, state, onPending });
    this.#addWanted();
  }

  /** What of the blocks so far was push-merged. */
  get pushMerged(): PushMergedFigures {
    return this.#merged.figures;
  }

  /** @throws ShuffleError CLOSED when iterated a second time. */
  [Symbol.asyncIterator](): AsyncGenerator<FetchedBlock, void, void> {
    if (this.#isStarted) throw new ShuffleError("CLOSED", "the blocks can be iterated once");
    this.#isStarted = true;
    return this.#iterate();
  }

  async *#iterate(): AsyncGenerator<FetchedBlock, void, void> {
    const { signal } = this.#options;
    const onAbort = (): void => this.#state.fail(readingAborted(signal?.reason));
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
    try {
      this.#remote.send();
      for (;;) {
        const block = await this.#next();
        if (block === null) return;
        yield block;
      }
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.#state.end();
      this.#pending.clear();
      this.#remote.end();
    }
  }

  /**
   * The failure for a block that turned out to be corrupt while it was read, with the cause as far as
   * it can be found: FETCH_FAILED, caused by BLOCK_CORRUPT. Call it before the block is released.
   */
  corruptionOf(block: FetchedBlock, cause: Error): Promise<ShuffleError> {
    return this.#corrupt.failureOf(block, cause, this.#options.signal);
  }

  #addWanted(): void {
    const { blocks, client, mergeRuns: isMergingRuns, pushMerged } = this.#options;
    const locations = [...blocks];
    const partitions = [...(pushMerged?.partitions ?? [])];
    checkBlocksToFetch(locations);
    checkPartitions(partitions, locations);
    if (partitions.length > 0 && client.getMergedBlockMeta === undefined) {
      throw new ShuffleError("OPTION_INVALID", "the client cannot ask which chunks were merged");
    }
    this.#pending.addPartitions(partitions);
    const isInRuns = isMergingRuns === true && partitions.length === 0;
    this.#pending.add(isInRuns ? locations.map(mergeRuns) : locations);
  }

  /** What has arrived comes first, then what is here anyway; only then we wait. */
  async #next(): Promise<FetchedBlock | null> {
    for (;;) {
      if (this.#state.failure !== null) throw this.#state.failure;
      const arrived = this.#remote.takeArrived();
      const local = arrived === undefined ? this.#pending.takeLocal() : undefined;
      let block: FetchedBlock | null = null;
      if (arrived !== undefined) block = await this.#take(arrived);
      else if (local !== undefined) block = await this.#readLocal(local);
      else if (!this.#state.isWaiting && this.#pending.isEmpty) return null;
      else await this.#state.woken();
      if (block !== null) return block;
    }
  }

  async #take({ request, block, buffer }: ArrivedBlock): Promise<FetchedBlock | null> {
    const { location } = request;
    const again = (): void => this.#pending.addFirst(location, block);
    const given = await this.#give(location, block, buffer, again);
    this.#remote.send();
    return given;
  }

  async #readLocal(local: LocalBlock): Promise<FetchedBlock | null> {
    const { block, location } = local;
    if (isMeta(block)) {
      await this.#merged.readMeta(block);
      return null;
    }
    let buffer: ManagedBuffer | null = null;
    try {
      buffer = await openLocal(this.#options, location, block, this.#state.signal);
      const empty = emptyBlock(block, buffer);
      if (empty !== null) throw empty;
    } catch (error) {
      buffer?.release();
      this.#lose(location, block, error as Error);
      return null;
    }
    return this.#give(location, block, buffer, () => this.#pending.putBack(local));
  }

  /** Null when the block is corrupt: it was released, and comes `again` or is replaced. */
  async #give(
    location: BlockManagerId,
    block: DataBlock,
    buffer: ManagedBuffer,
    again: () => void,
  ): Promise<FetchedBlock | null> {
    const { blockId, mapIndex } = block;
    const fetched = { blockId, mapIndex, location, buffer };
    try {
      if (this.#state.failure === null) await this.#options.verify?.(fetched);
      if (this.#state.failure === null) {
        this.#merged.count(block);
        return fetched;
      }
    } catch (error) {
      if (this.#state.failure === null) await this.#refuse(fetched, block, error as Error, again);
    }
    buffer.release();
    return null;
  }

  async #refuse(
    fetched: FetchedBlock,
    block: DataBlock,
    error: Error,
    again: () => void,
  ): Promise<void> {
    if (isChunk(block)) this.#merged.refuse(block);
    else if (this.#corrupt.mayFetchAgain(fetched)) again();
    else {
      this.#state.fail(await this.#corrupt.failureOf(fetched, error, this.#state.signal));
    }
  }

  /** A block of a map fails the reading; what was merged is replaced. */
  #lose(location: BlockManagerId, block: DataBlock, error: Error): void {
    if (isChunk(block)) this.#merged.lose(block);
    else this.#state.fail(fetchFailed(location, block, error));
  }
}
