/** Keeps some requests in flight on each of some connections: an answer is followed by the next one. */
import type { TransportClient } from "@bm/transport";
import { connect } from "./connect.ts";
import type { Counted } from "./counted.ts";

/** How much, and of what. */
export interface RequestLoad {
  readonly port: number;
  readonly connections: number;
  readonly window: number;
  readonly seconds: number;
  readonly countMax: number;
  /** The body of request `index`. */
  readonly request: (index: number) => Uint8Array;
  /** Throws when an answer is not the right one. */
  readonly check: (answer: Uint8Array) => void;
  /** What each of them means in bytes. */
  readonly bytes: number;
}

/** Rejects with the first failure. */
export async function makeRequests(load: RequestLoad): Promise<Counted> {
  const clients = await Promise.all(
    Array.from({ length: load.connections }, () => connect(load.port)),
  );
  try {
    const startedMs = performance.now();
    const endMs = startedMs + load.seconds * 1000;
    const next = new Indexes(load.countMax, endMs);
    const lanes = clients.flatMap((client) =>
      Array.from({ length: load.window }, () => lane(client, load, next)),
    );
    await Promise.all(lanes);
    const seconds = (performance.now() - startedMs) / 1000;
    return { operations: next.taken, bytes: next.taken * load.bytes, seconds };
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

class Indexes {
  readonly #countMax: number;
  readonly #endMs: number;
  taken = 0;

  constructor(countMax: number, endMs: number) {
    this.#countMax = countMax;
    this.#endMs = endMs;
  }

  /** Null when no more requests are to be made. */
  take(): number | null {
    if (this.taken >= this.#countMax || performance.now() >= this.#endMs) return null;
    this.taken += 1;
    return this.taken - 1;
  }
}

/** One place in a window. */
function lane(client: TransportClient, load: RequestLoad, next: Indexes): Promise<void> {
  const { promise, reject, resolve } = Promise.withResolvers<void>();
  const send = (): void => {
    const index = next.take();
    if (index === null) resolve();
    else client.sendRpcWith(load.request(index), callback);
  };
  const callback = {
    onSuccess: ({ view }: { readonly view: Uint8Array }): void => {
      try {
        load.check(view);
        send();
      } catch (error) {
        reject(error);
      }
    },
    onFailure: reject,
  };
  send();
  return promise;
}
