/** What a reading has yet to ask for, cut into requests, and what it reads without asking. */
import type { BlockManagerId } from "@bm/block";
import type { Random } from "@bm/transport";
import { metaToAsk } from "../merged/merged-meta.ts";
import type { ChunkToFetch, PushMergedPartition } from "../merged/push-merged-options.ts";
import type { BlockFetcherIteratorOptions } from "./block-fetcher-options.ts";
import {
  type BlocksByLocation,
  type BlocksToRequest,
  cutIntoRequests,
  type FetchRequest,
  isChunk,
  type RequestedBlock,
  shuffled,
} from "./fetch-requests.ts";

/** A block that needs no request. */
export interface LocalBlock {
  readonly location: BlockManagerId;
  readonly block: RequestedBlock;
}

/** How requests are cut. */
export interface RequestLimits {
  readonly targetBytes: number;
  readonly blocksPerAddressMax: number;
}

/** See the file comment. */
export class PendingBlocks {
  /** In the order in which they may go. */
  readonly requests: FetchRequest[] = [];
  readonly #local: LocalBlock[] = [];
  readonly #options: BlockFetcherIteratorOptions;
  readonly #limits: RequestLimits;
  readonly #random: Random;

  constructor(options: BlockFetcherIteratorOptions, limits: RequestLimits) {
    this.#options = options;
    this.#limits = limits;
    this.#random = options.random;
  }

  get isEmpty(): boolean {
    return this.requests.length === 0 && this.#local.length === 0;
  }

  /** Adds blocks of maps, in random order. */
  add(wanted: readonly BlocksByLocation[]): void {
    const { hostLocal, localId } = this.#options;
    const isLocal = ({ location }: BlocksByLocation): boolean =>
      location.executorId === localId.executorId ||
      (hostLocal !== undefined && location.host === localId.host);
    for (const blocks of wanted.filter(isLocal)) this.#addLocal(blocks);
    const requests = wanted.filter((blocks) => !isLocal(blocks)).flatMap((one) => this.#cut(one));
    for (const request of shuffled(requests, this.#random)) this.requests.push(request);
  }

  /** Adds the questions for the chunks of merged partitions. */
  addPartitions(partitions: readonly PushMergedPartition[]): void {
    for (const partition of partitions) {
      const { location } = partition;
      const meta = metaToAsk(partition);
      if (this.#isMergedHere(location)) this.#addLocal({ location, blocks: [meta] });
      else this.requests.push({ location, blocks: [meta], size: meta.size });
    }
  }

  /** Adds chunks of one partition. */
  addChunks(blocks: BlocksToRequest): void {
    if (this.#isMergedHere(blocks.location)) this.#addLocal(blocks);
    else for (const request of this.#cut(blocks)) this.requests.push(request);
  }

  /** To be asked for before everything else. */
  addFirst(location: BlockManagerId, block: RequestedBlock): void {
    this.requests.unshift({ location, blocks: [block], size: block.size });
  }

  /** To be read again before all others. */
  putBack(local: LocalBlock): void {
    this.#local.push(local);
  }

  /** The next block that needs no request. */
  takeLocal(): LocalBlock | undefined {
    return this.#local.pop();
  }

  /** Takes out the chunks of a partition that nobody has asked for yet. */
  takeChunksOf(partition: PushMergedPartition): ChunkToFetch[] {
    const isOfIt = (block: RequestedBlock | undefined): boolean =>
      block !== undefined && isChunk(block) && block.partition === partition;
    const requests = removeWhere(this.requests, ({ blocks: [first] }) => isOfIt(first));
    const local = removeWhere(this.#local, ({ block }) => isOfIt(block));
    return [...requests.flatMap(({ blocks }) => blocks), ...local.map(({ block }) => block)].filter(
      isChunk,
    );
  }

  clear(): void {
    this.requests.length = 0;
    this.#local.length = 0;
  }

  /** Whether what a merger has merged is read from its files. */
  #isMergedHere({ host }: BlockManagerId): boolean {
    const { localId, pushMerged } = this.#options;
    return pushMerged?.hostLocal !== undefined && host === localId.host;
  }

  #addLocal({ blocks, location }: BlocksToRequest): void {
    for (const block of blocks) this.#local.push({ location, block });
  }

  #cut(blocks: BlocksToRequest): FetchRequest[] {
    const { blocksPerAddressMax, targetBytes } = this.#limits;
    return cutIntoRequests(blocks, targetBytes, blocksPerAddressMax);
  }
}

/** Removes in place; gives what was removed. */
function removeWhere<Element>(
  elements: Element[],
  isRemoved: (element: Element) => boolean,
): Element[] {
  const removed = elements.filter(isRemoved);
  const kept = elements.filter((element) => !isRemoved(element));
  elements.length = 0;
  for (const element of kept) elements.push(element);
  return removed;
}
