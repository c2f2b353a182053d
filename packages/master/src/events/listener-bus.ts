/**
 * Tells many listeners what happens without letting any of them hold up the one who tells, or each
 * other: every listener has a bounded queue of its own, served in later turns of the event loop.
 */
import { type Clock, type Logger, nodePlatform, silentLogger } from "@bm/transport";
import { MasterError } from "../master-error.ts";
import { type BusListener, ListenerQueue, type ListenerState } from "./listener-queue.ts";

/** What {@link ListenerBus} takes. */
export interface ListenerBusOptions {
  /** Default: that of the real machine. */
  readonly clock?: Clock | undefined;
  /** Told what listeners throw, and when a queue begins to drop. Default: says nothing. */
  readonly logger?: Logger | undefined;
}

/** `spark.scheduler.listenerbus.eventqueue.capacity`. */
const ENTRIES_MAX_DEFAULT = 10_000;

/** See the file comment. */
export class ListenerBus<Event> {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #queues = new Map<string, ListenerQueue<Event>>();
  #isClosed = false;

  /** Gives an event to every listener; never throws. Bound, so that it can be passed on as it is. */
  readonly post: (event: Event) => void = (event) => {
    if (this.#isClosed) return;
    for (const queue of this.#queues.values()) queue.post(event);
  };

  constructor(options: ListenerBusOptions = {}) {
    this.#clock = options.clock ?? nodePlatform().clock;
    this.#logger = options.logger ?? silentLogger;
  }

  /**
   * Adds a listener, which gets the events from now on. An event that finds `entriesMax` waiting is
   * dropped for this listener and counted. Default: 10,000.
   * @throws MasterError OPTION_INVALID - the name is taken, the number not positive, the bus closed.
   */
  add(
    name: string,
    listener: BusListener<Event>,
    options: { readonly entriesMax?: number | undefined } = {},
  ): void {
    const { entriesMax = ENTRIES_MAX_DEFAULT } = options;
    const isCount = Number.isInteger(entriesMax) && entriesMax > 0;
    if (this.#isClosed || this.#queues.has(name) || !isCount) {
      throw new MasterError("OPTION_INVALID", `listener ${name}, at most ${entriesMax} events`);
    }
    const [clock, logger] = [this.#clock, this.#logger];
    this.#queues.set(name, new ListenerQueue({ name, listener, entriesMax, clock, logger }));
  }

  /** Takes a listener away with what waits for it; an unknown name is no error. */
  remove(name: string): void {
    this.#queues.get(name)?.abort();
    this.#queues.delete(name);
  }

  /** How each listener keeps up. */
  states(): ListenerState[] {
    return [...this.#queues.values()].map((queue) => queue.state);
  }

  /**
   * Takes no more events; resolves when every listener has had its own. With an aborted `signal` it
   * goes on as `abort`. Safe to call twice.
   */
  async close({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#isClosed = true;
    const onAbort = (): void => this.abort();
    if (signal?.aborted) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    await Promise.all([...this.#queues.values()].map((queue) => queue.drained()));
    signal?.removeEventListener("abort", onAbort);
  }

  /** Takes no more events and drops what waits. Safe to call twice. */
  abort(_reason?: Error): void {
    this.#isClosed = true;
    for (const queue of this.#queues.values()) queue.abort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
