import type { Clock, Logger } from "@bm/transport";

/** Takes events in order, the next one when the promise has settled. What it throws is logged. */
export type BusListener<Event> = (event: Event) => void | Promise<void>;

/** How one listener keeps up. */
export interface ListenerState {
  readonly name: string;
  /** Events that wait for it. */
  readonly waiting: number;
  /** Events it was given. */
  readonly delivered: number;
  /** Events it never got since its queue was full. */
  readonly dropped: number;
}

/** What {@link ListenerQueue} works with. */
export interface ListenerQueueOptions<Event> {
  readonly name: string;
  readonly listener: BusListener<Event>;
  readonly entriesMax: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Events a listener gets before other work of the process has its turn. */
const EVENTS_PER_TURN = 64;

/** The events that wait for one listener of a bus. */
export class ListenerQueue<Event> {
  readonly #options: ListenerQueueOptions<Event>;
  #incoming: Event[] = [];
  /** The oldest last: taking one never moves the others. */
  #outgoing: Event[] = [];
  #isServed = false;
  #isAborted = false;
  #delivered = 0;
  #dropped = 0;
  #wakeDrained: (() => void)[] = [];

  constructor(options: ListenerQueueOptions<Event>) {
    this.#options = options;
  }

  /** What goes on now. */
  get state(): ListenerState {
    const [delivered, dropped] = [this.#delivered, this.#dropped];
    return { name: this.#options.name, waiting: this.#waiting, delivered, dropped };
  }

  get #waiting(): number {
    return this.#incoming.length + this.#outgoing.length;
  }

  /** Takes an event in, or drops and counts it. */
  post(event: Event): void {
    const { entriesMax, name, logger } = this.#options;
    if (this.#waiting >= entriesMax) {
      this.#dropped += 1;
      if (this.#dropped === 1) logger.warn(`listener ${name} is too slow: events are dropped`);
      return;
    }
    this.#incoming.push(event);
    if (!this.#isServed) this.#serveLater();
  }

  /** Drops what waits, and waits no more for the listener itself. */
  abort(): void {
    this.#isAborted = true;
    this.#incoming = [];
    this.#outgoing = [];
    this.#tellDrained();
  }

  /** Resolves when nothing waits and the listener is done, or is not waited for. */
  drained(): Promise<void> {
    if (!this.#isServed || this.#isAborted) return Promise.resolve();
    return new Promise((resolve) => void this.#wakeDrained.push(resolve));
  }

  #serveLater(): void {
    this.#isServed = true;
    this.#options.clock.setImmediate(() => void this.#serve());
  }

  async #serve(): Promise<void> {
    for (let count = 0; count < EVENTS_PER_TURN; count++) {
      if (this.#waiting === 0) {
        this.#isServed = false;
        this.#tellDrained();
        return;
      }
      await this.#deliverOldest();
    }
    this.#serveLater();
  }

  async #deliverOldest(): Promise<void> {
    if (this.#outgoing.length === 0) {
      this.#outgoing = this.#incoming.toReversed();
      this.#incoming = [];
    }
    const [event] = this.#outgoing.splice(-1) as [Event];
    this.#delivered += 1;
    const { name, listener, logger } = this.#options;
    try {
      await listener(event);
    } catch (error) {
      logger.error(`listener ${name}: ${String(error)}`);
    }
  }

  #tellDrained(): void {
    for (const wake of this.#wakeDrained.splice(0)) wake();
  }
}
