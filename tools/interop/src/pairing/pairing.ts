/** One combination of ends, and what a case is given to work with. */
import type { PeerProcess } from "../peer-process.ts";
import type { PeerRequest } from "./contract.ts";
import {
  type BatchReport,
  type EndOptions,
  PairedClient,
  PairedServer,
  type Side,
} from "./peers.ts";
import { Relay, type RelayOptions } from "./relay.ts";

/** The processes of a run. Ours are two, so that client and server never share a loop. */
export interface PeerProcesses {
  readonly client: PeerProcess;
  readonly server: PeerProcess;
}

/** See the file comment. What it opens is closed with `close`. */
export class Pairing implements AsyncDisposable {
  readonly client: Side;
  readonly server: Side;
  readonly #processes: PeerProcesses;
  readonly #ends: (() => unknown)[] = [];

  constructor(client: Side, server: Side, processes: PeerProcesses) {
    this.client = client;
    this.server = server;
    this.#processes = processes;
  }

  async listen(
    options: EndOptions & { readonly isOneForOne?: boolean } = {},
  ): Promise<PairedServer> {
    const server = await PairedServer.listen(this.#processes.server, options);
    this.#ends.push(() => server.close());
    return server;
  }

  async connect(
    server: { readonly port: number },
    options: EndOptions = {},
  ): Promise<PairedClient> {
    const client = await PairedClient.connect(this.#processes.client, server.port, options);
    this.#ends.push(() => client.close());
    return client;
  }

  /** A server and a connection to it. */
  async open(
    options: { readonly client?: EndOptions; readonly server?: EndOptions } = {},
  ): Promise<{ readonly server: PairedServer; readonly client: PairedClient }> {
    const server = await this.listen(options.server);
    return { server, client: await this.connect(server, options.client) };
  }

  /** Makes requests on a connection of their own, and says what became of them. */
  async ask(...requests: readonly PeerRequest[]): Promise<BatchReport> {
    const { client } = await this.open();
    return client.ask(...requests);
  }

  /** A link to the server. */
  async relay(
    server: PairedServer,
    options: Omit<RelayOptions, "port">,
  ): Promise<{ readonly port: number }> {
    const relay = await Relay.listen({ port: server.port, ...options });
    this.#ends.push(() => relay.close());
    return relay;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends.toReversed()) await end();
  }
}

/** Asks until the answer is right, and gives it; the test's own limit ends this. */
export async function until<Value>(
  ask: () => Promise<Value>,
  isRight: (value: Value) => boolean,
): Promise<Value> {
  for (;;) {
    const value = await ask();
    if (isRight(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** One thing that two ends do, and what comes of it when both are Spark's. */
export interface PairingCase {
  readonly name: string;
  readonly run: (pairing: Pairing) => Promise<unknown>;
  readonly expected: unknown;
}
