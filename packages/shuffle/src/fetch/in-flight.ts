import type { FetchRequest } from "./fetch-requests.ts";

/** What may be under way at once. */
export interface InFlightLimits {
  readonly bytesMax: number;
  readonly requestsMax: number;
  readonly blocksPerAddressMax: number;
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

  constructor(limits: InFlightLimits) {
    this.#limits = limits;
  }

  /** Bytes asked for and not yet taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes out of `waiting` the requests that may go now, in order, and counts them. */
  takeSendable(waiting: FetchRequest[]): FetchRequest[] {
    const sendable: FetchRequest[] = [];
    let index = 0;
    while (index < waiting.length) {
      const request = waiting[index];
      if (request === undefined || !this.#hasRoom(request)) break;
      // Only its own address holds it back: those behind it need not wait.
      if (this.#isAddressFull(request)) index += 1;
      else {
        waiting.splice(index, 1);
        this.#count(request);
        sendable.push(request);
      }
    }
    return sendable;
  }

  /** One block of `request` was taken. */
  blockTaken(request: FetchRequest, size: number): void {
    const { key } = request.location;
    this.#bytes -= size;
    this.#blocksByAddress.set(key, (this.#blocksByAddress.get(key) ?? 0) - 1);
  }

  /** The last block of a request was taken. */
  requestTaken(): void {
    this.#requests -= 1;
  }

  #hasRoom(request: FetchRequest): boolean {
    if (this.#bytes === 0) return true;
    const { bytesMax, requestsMax } = this.#limits;
    return this.#requests < requestsMax && this.#bytes + request.size <= bytesMax;
  }

  #isAddressFull({ blocks, location }: FetchRequest): boolean {
    const count = this.#blocksByAddress.get(location.key) ?? 0;
    return count + blocks.length > this.#limits.blocksPerAddressMax;
  }

  #count({ blocks, location, size }: FetchRequest): void {
    this.#bytes += size;
    this.#requests += 1;
    const count = this.#blocksByAddress.get(location.key) ?? 0;
    this.#blocksByAddress.set(location.key, count + blocks.length);
  }
}
