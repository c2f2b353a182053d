import type { BlockManagerId } from "@bm/block";
import type { FetchMemory } from "./fetch-memory.ts";

/** What may be under way at once. */
export interface InFlightLimits {
  readonly bytesMax: number;
  readonly requestsMax: number;
  readonly blocksPerAddressMax: number;
  /** Shared with other readers; null for none. */
  readonly memory: FetchMemory | null;
}

/** What is counted of a request. */
export interface CountedRequest {
  readonly location: BlockManagerId;
  readonly blocks: { readonly length: number };
  /** Bytes of its blocks together; more than 0. */
  readonly size: number;
}

/**
 * Counts what was asked for and not yet taken by the consumer, and says which request may go next. A
 * request too large for the limit of bytes may go when nothing else is under way.
 */
export class InFlight {
  readonly #limits: InFlightLimits;
  readonly #blocksByAddress = new Map<string, number>();
  #bytes = 0;
  #requests = 0;
  #isPutOff = false;

  constructor(limits: InFlightLimits) {
    this.#limits = limits;
  }

  /** Bytes asked for and not yet taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The last question ended because other readers hold the memory. */
  get isPutOff(): boolean {
    return this.#isPutOff;
  }

  /** Takes out of `waiting` the requests that may go now, in order, and counts them. */
  takeSendable<Request extends CountedRequest>(waiting: Request[]): Request[] {
    const sendable: Request[] = [];
    let index = 0;
    this.#isPutOff = false;
    while (index < waiting.length) {
      const request = waiting[index];
      if (request === undefined || !this.#hasRoom(request)) break;
      // Only its own address holds it back: those behind it need not wait.
      if (this.#isAddressFull(request)) index += 1;
      else if (this.#reserve(request)) {
        waiting.splice(index, 1);
        this.#count(request);
        sendable.push(request);
      } else {
        this.#isPutOff = true;
        break;
      }
    }
    return sendable;
  }

  /** One block of `request` was taken. */
  blockTaken(request: CountedRequest, size: number): void {
    const { key } = request.location;
    this.#bytes -= size;
    this.#blocksByAddress.set(key, (this.#blocksByAddress.get(key) ?? 0) - 1);
    this.#limits.memory?.release(size);
  }

  /** The last block of a request was taken. */
  requestTaken(): void {
    this.#requests -= 1;
  }

  /** Nothing is under way any more: the reading has ended. */
  clear(): void {
    const bytes = this.#bytes;
    this.#bytes = 0;
    this.#requests = 0;
    this.#blocksByAddress.clear();
    if (bytes > 0) this.#limits.memory?.release(bytes);
  }

  #hasRoom(request: CountedRequest): boolean {
    if (this.#bytes === 0) return true;
    const { bytesMax, requestsMax } = this.#limits;
    return this.#requests < requestsMax && this.#bytes + request.size <= bytesMax;
  }

  #isAddressFull({ blocks, location }: CountedRequest): boolean {
    const count = this.#blocksByAddress.get(location.key) ?? 0;
    return count + blocks.length > this.#limits.blocksPerAddressMax;
  }

  #reserve({ size }: CountedRequest): boolean {
    return this.#limits.memory?.reserve(size, this.#bytes === 0) ?? true;
  }

  #count({ blocks, location, size }: CountedRequest): void {
    this.#bytes += size;
    this.#requests += 1;
    const count = this.#blocksByAddress.get(location.key) ?? 0;
    this.#blocksByAddress.set(location.key, count + blocks.length);
  }
}
