/** Chunks whose bytes count against the quota of their application until they are sent. */
import {
  type BodyLookup,
  type BodyReader,
  BytesManagedBuffer,
  type ChunkSource,
  ManagedBuffer,
} from "@bm/transport";
import { ShuffleError } from "../../shuffle-error.ts";
import type { FairQuota, QuotaConnection } from "./fair-quota.ts";

/**
 * The order in which the chunks of a connection were asked for, whatever stream they are of. They are
 * sent in this order, so they have to take their shares in it: one that was found earlier would hold
 * what the one before it waits for.
 */
export class RequestOrder {
  readonly #tails = new WeakMap<QuotaConnection, Promise<void>>();

  /** Calls `next` with what was looked up, after those that came before; at once when there are none. */
  run(
    connection: QuotaConnection,
    lookup: BodyLookup,
    next: (body: ManagedBuffer | null) => BodyLookup,
  ): BodyLookup {
    const before = this.#tails.get(connection);
    if (before === undefined && !(lookup instanceof Promise)) return next(lookup);
    const turn = this.#takeAfter(before, lookup, next);
    const forget = (): void => {
      if (this.#tails.get(connection) === tail) this.#tails.delete(connection);
    };
    const tail: Promise<void> = turn.then(forget, forget);
    this.#tails.set(connection, tail);
    return turn.then(({ taken }) => taken);
  }

  /** The share is wrapped, because a promise of a promise would be waited for. */
  async #takeAfter(
    before: Promise<void> | undefined,
    lookup: BodyLookup,
    next: (body: ManagedBuffer | null) => BodyLookup,
  ): Promise<{ readonly taken: BodyLookup }> {
    const [found] = await Promise.allSettled([lookup, before]);
    if (found.status === "rejected") throw found.reason;
    return { taken: next(found.value) };
  }
}

/** What {@link QuotaChunks} needs. */
export interface QuotaChunksOptions {
  /** Taken over. */
  readonly chunks: ChunkSource;
  readonly quota: FairQuota;
  readonly order: RequestOrder;
  readonly appId: string;
  readonly connection: QuotaConnection;
}

/** See the file comment. A chunk waits for its share when its size is known, before it is read. */
export class QuotaChunks implements ChunkSource {
  readonly count: number;
  readonly #options: QuotaChunksOptions;

  constructor(options: QuotaChunksOptions) {
    this.#options = options;
    this.count = options.chunks.count;
  }

  open(index: number): BodyLookup {
    const { chunks, connection, order } = this.#options;
    return order.run(connection, chunks.open(index), (body) => this.#admit(body));
  }

  release(index: number): void {
    this.#options.chunks.release?.(index);
  }

  #admit(body: ManagedBuffer | null): BodyLookup {
    if (body === null || body.size === 0) return body;
    const { appId, connection, quota } = this.#options;
    const turn = quota.take(appId, connection, body.size);
    if (turn === null) return this.#counted(body);
    return turn.then((isTaken) => {
      if (isTaken) return this.#counted(body);
      body.release();
      throw new ShuffleError("CLOSED", "the connection ended while a chunk waited for its turn");
    });
  }

  #counted(body: ManagedBuffer): ManagedBuffer {
    const { appId, connection, quota } = this.#options;
    const { size } = body;
    const giveBack = (): void => {
      body.release();
      quota.giveBack(appId, connection, size);
    };
    return body instanceof BytesManagedBuffer
      ? new CountedBytes(body.view, giveBack)
      : new CountedBody(body, giveBack);
  }
}

/** Bytes in memory stay such, because they are sent in a shorter way. */
class CountedBytes extends BytesManagedBuffer {
  #giveBack: (() => void) | null;

  constructor(view: Uint8Array, giveBack: () => void) {
    super(view);
    this.#giveBack = giveBack;
  }

  override release(): void {
    const giveBack = this.#giveBack;
    this.#giveBack = null;
    giveBack?.();
  }
}

class CountedBody extends ManagedBuffer {
  readonly #body: ManagedBuffer;
  #giveBack: (() => void) | null;

  constructor(body: ManagedBuffer, giveBack: () => void) {
    super();
    this.#body = body;
    this.#giveBack = giveBack;
  }

  get size(): number {
    return this.#body.size;
  }

  override get segment(): ManagedBuffer["segment"] {
    return this.#body.segment;
  }

  open(): Promise<BodyReader> {
    return this.#body.open();
  }

  override bytes(): Promise<Uint8Array> {
    return this.#body.bytes();
  }

  override pieces(): AsyncGenerator<Uint8Array, void, void> {
    return this.#body.pieces();
  }

  override release(): void {
    const giveBack = this.#giveBack;
    this.#giveBack = null;
    giveBack?.();
  }
}
