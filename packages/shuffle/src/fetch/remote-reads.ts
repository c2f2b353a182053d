/**
 * The part of a reading that goes over the network: sends requests as far as the limits allow, and keeps
 * what arrived until somebody takes it.
 */
import type { BlockManagerId } from "@bm/block";
import type { ManagedBuffer } from "@bm/transport";
import type { MetaToAsk } from "../merged/push-merged-options.ts";
import type { BlockFetchClient } from "./block-fetch-client.ts";
import type { BlockFetcherIteratorOptions } from "./block-fetcher-options.ts";
import type { BlockFetchingListener } from "./block-fetching-listener.ts";
import { emptyBlock } from "./fetch-failure.ts";
import {
  type DataBlock,
  type FetchRequest,
  isMeta,
  type RequestedBlock,
} from "./fetch-requests.ts";
import type { InFlight } from "./in-flight.ts";
import type { ReadingState } from "./reading-state.ts";

/** A block that nobody has taken yet. */
export interface ArrivedBlock {
  readonly request: FetchRequest;
  readonly block: DataBlock;
  readonly buffer: ManagedBuffer;
  readonly isLastOfRequest: boolean;
}

/** What {@link RemoteReads} works with. */
export interface RemoteReadsOptions {
  readonly options: BlockFetcherIteratorOptions;
  readonly client: BlockFetchClient;
  readonly inFlight: InFlight;
  readonly state: ReadingState;
  /** What is to be asked for, in order; taken out when it is. */
  readonly waiting: FetchRequest[];
  /** Learns of the chunks of a partition; never rejects. */
  readonly askMerger: (meta: MetaToAsk) => Promise<void>;
  /** A block cannot be had. */
  readonly onLost: (location: BlockManagerId, block: DataBlock, error: Error) => void;
}

/** `spark.network.maxRemoteBlockSizeFetchToMem` where nobody set it. */
export const BYTES_IN_MEMORY_DEFAULT: number = 200 * 1024 * 1024;

/** See the file comment. */
export class RemoteReads {
  readonly #with: RemoteReadsOptions;
  readonly #arrived: ArrivedBlock[] = [];

  constructor(options: RemoteReadsOptions) {
    this.#with = options;
  }

  /** The block that arrived first, with its buffer; it counts as in flight no more. */
  takeArrived(): ArrivedBlock | undefined {
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) this.#giveBack(arrived);
    return arrived;
  }

  /** Sends what may go now. A bound function: others call it when memory is given back. */
  readonly send = (): void => {
    const { inFlight, options, state, waiting } = this.#with;
    if (state.isOver) return;
    for (const request of inFlight.takeSendable(waiting)) this.#sendOne(request);
    if (inFlight.isPutOff) options.memory?.whenReleased(this.send);
  };

  /** Releases what nobody has taken. */
  end(): void {
    this.#with.options.memory?.forget(this.send);
    this.#with.inFlight.clear();
    for (const { buffer } of this.#arrived.splice(0)) buffer.release();
  }

  #sendOne(request: FetchRequest): void {
    const [first] = request.blocks;
    if (first !== undefined && isMeta(first)) void this.#ask(request, first);
    else this.#fetch(request);
  }

  async #ask(request: FetchRequest, meta: MetaToAsk): Promise<void> {
    const { askMerger, state } = this.#with;
    state.expect(1);
    await askMerger(meta);
    this.#giveBack({ request, block: meta, isLastOfRequest: true });
    this.send();
    state.answered();
  }

  #fetch(request: FetchRequest): void {
    const { state } = this.#with;
    const missing = new Map<string, DataBlock>();
    for (const block of request.blocks) if (!isMeta(block)) missing.set(block.blockId.name, block);
    state.expect(missing.size);
    const take = (name: string): DataBlock | null => {
      const block = missing.get(name);
      if (block === undefined) return null;
      missing.delete(name);
      return block;
    };
    const listener: BlockFetchingListener = {
      onBlockFetchSuccess: (name, buffer) => {
        const block = take(name);
        if (block === null) buffer.release();
        else this.#arrive({ request, block, buffer, isLastOfRequest: missing.size === 0 });
      },
      onBlockFetchFailure: (name, error) => {
        const block = take(name);
        if (block === null) return;
        this.#failed({ request, block, isLastOfRequest: missing.size === 0 }, error);
      },
    };
    void this.#fetchBlocks(request, [...missing.keys()], listener);
  }

  /** Never rejects: what a client refuses as a whole fails block by block. */
  async #fetchBlocks(
    { location, size }: FetchRequest,
    names: readonly string[],
    listener: BlockFetchingListener,
  ): Promise<void> {
    const { client, options, state } = this.#with;
    const { host, port, executorId } = location;
    const { downloads, maxBytesInMemory = BYTES_IN_MEMORY_DEFAULT } = options;
    const { signal } = state;
    const how = size > maxBytesInMemory ? { signal, downloads } : { signal };
    try {
      await client.fetchBlocks(host, port, executorId, names, listener, how);
    } catch (error) {
      for (const name of names) listener.onBlockFetchFailure(name, error as Error);
    }
  }

  #arrive(arrived: ArrivedBlock): void {
    const { block, buffer } = arrived;
    const { state } = this.#with;
    const empty = emptyBlock(block, buffer);
    if (state.isOver || empty !== null) buffer.release();
    if (empty !== null) this.#failed(arrived, empty);
    else {
      if (!state.isOver) this.#arrived.push(arrived);
      state.answered();
    }
  }

  #failed(asked: Omit<ArrivedBlock, "buffer">, error: Error): void {
    const { onLost, state } = this.#with;
    this.#giveBack(asked);
    if (!state.isOver) onLost(asked.request.location, asked.block, error);
    state.answered();
  }

  #giveBack({
    request,
    block,
    isLastOfRequest,
  }: Pick<ArrivedBlock, "request" | "isLastOfRequest"> & { readonly block: RequestedBlock }): void {
    // Nothing is counted any more: all was given back at once.
    if (this.#with.state.signal.aborted) return;
    const { inFlight } = this.#with;
    inFlight.blockTaken(request, block.size);
    if (isLastOfRequest) inFlight.requestTaken();
  }
}
