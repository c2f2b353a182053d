/**
 * The place where endpoints live, and from which messages go out: one per process as a rule, with
 * one listening port, or none for a process that only asks.
 */
import {
  type ClientBootstrap,
  type ClientFactory,
  type Logger,
  nodePlatform,
  type Platform,
  type ServerBootstrap,
  silentLogger,
  TransportConf,
  TransportContext,
  type TransportServer,
} from "@bm/transport";
import {
  checkRpcAddress,
  equalRpcAddresses,
  type RpcAddress,
  type RpcEndpointAddress,
} from "../address/rpc-address.ts";
import { RpcConf, type RpcConfValues } from "../config/rpc-conf.ts";
import type { AskOptions } from "../endpoint/ask-once.ts";
import type { Courier } from "../endpoint/courier.ts";
import type { EndpointState, InboxLimits } from "../endpoint/inbox.ts";
import type { RpcEndpoint } from "../endpoint/rpc-endpoint.ts";
import { RpcEndpointRef } from "../endpoint/rpc-endpoint-ref.ts";
import { encodeHello } from "../message/notice.ts";
import { RpcError } from "../rpc-error.ts";
import { Dispatcher, envStopped } from "./dispatcher.ts";
import { CheckExistence, ENDPOINT_VERIFIER, EndpointVerifier } from "./endpoint-verifier.ts";
import { EnvRpcHandler } from "./env-rpc-handler.ts";
import { fromTransportError } from "./from-transport-error.ts";
import { Outbox } from "./outbox.ts";

/** What {@link RpcEnv.create} takes. */
export interface RpcEnvOptions {
  /** For logs. */
  readonly name: string;
  /** Address to bind. Default: 127.0.0.1. */
  readonly host?: string | undefined;
  /** Default: 0, a port that the system chooses. */
  readonly port?: number | undefined;
  /** Host under which peers reach us, part of every reference. Default: `host`. */
  readonly advertisedHost?: string | undefined;
  /** Listen nowhere: peers cannot reach endpoints of this environment. Default: false. */
  readonly isClientOnly?: boolean | undefined;
  /** Default: the real machine. */
  readonly platform?: Platform | undefined;
  /** Texts by key: `spark.rpc.*`, `spark.network.timeout`. */
  readonly conf?: RpcConfValues | undefined;
  /** Default: says nothing. */
  readonly logger?: Logger | undefined;
  /** Messages to peers that have no outcome yet, at most. Default: 65,536. */
  readonly outstandingMax?: number | undefined;
  /** Their payload bytes, at most; one message always fits. Default: 256 MiB. */
  readonly outstandingBytesMax?: number | undefined;
  /** Run on every connection that is made, as for authentication. */
  readonly clientBootstraps?: readonly ClientBootstrap[] | undefined;
  /** Run on every connection that is accepted. */
  readonly serverBootstraps?: readonly ServerBootstrap[] | undefined;
}

/** What {@link RpcEnv.setupEndpoint} takes. */
export interface EndpointOptions {
  /** Messages that may wait in the endpoint's inbox. Default: 10,000. */
  readonly inboxEntriesMax?: number | undefined;
  /** Bytes of messages from peers that may wait there. Default: 128 MiB. */
  readonly inboxBytesMax?: number | undefined;
  /**
   * What happens to a peer's message beyond them. `refuse`: it fails with INBOX_FULL, and other
   * endpoints go on. `hold`: it is taken, and nothing more is read from its connection until half of
   * the room is free, so that the peer waits; so do its messages to other endpoints here. Messages of
   * the own process are always refused. Default: refuse.
   */
  readonly whenInboxFull?: "refuse" | "hold" | undefined;
}

const HOST_DEFAULT = "127.0.0.1";
const OUTSTANDING_MAX_DEFAULT = 65_536;
const OUTSTANDING_BYTES_MAX_DEFAULT = 256 * 1024 * 1024;
const INBOX_ENTRIES_MAX_DEFAULT = 10_000;
const INBOX_BYTES_MAX_DEFAULT = 128 * 1024 * 1024;
/** Endpoint name, message type and the fields' lengths, on top of the largest payload. */
const ENVELOPE_BYTES_MAX = 64 * 1024;
const FRAME_BYTES_CEILING = 2 ** 31 - 2;

/** See the file comment. */
export class RpcEnv {
  readonly name: string;
  readonly conf: RpcConf;
  readonly platform: Platform;
  readonly logger: Logger;
  readonly #dispatcher: Dispatcher;
  readonly #handler: EnvRpcHandler;
  readonly #context: TransportContext;
  readonly #clients: ClientFactory;
  readonly #outbox: Outbox;
  #server: TransportServer | null = null;
  #address: RpcAddress | null = null;
  #closing: Promise<void> | null = null;

  private constructor(options: RpcEnvOptions) {
    this.name = options.name;
    this.conf = new RpcConf(options.conf);
    this.platform = options.platform ?? nodePlatform();
    this.logger = options.logger ?? silentLogger;
    this.#dispatcher = new Dispatcher();
    const { messageBytesMax } = this.conf;
    this.#handler = new EnvRpcHandler(this.#dispatcher, messageBytesMax, this.platform.random);
    this.#context = this.#createContext(options);
    this.#clients = this.#context.createClientFactory(options.clientBootstraps);
    this.#outbox = this.#createOutbox(options);
    const verifier = new EndpointVerifier((name) => this.#dispatcher.has(name));
    this.setupEndpoint(ENDPOINT_VERIFIER, verifier);
  }

  /** Starts an environment. @throws RpcError BIND_FAILED, OPTION_INVALID (rejects). */
  static async create(options: RpcEnvOptions): Promise<RpcEnv> {
    const env = new RpcEnv(options);
    if (!options.isClientOnly) await env.#listen(options);
    return env;
  }

  /** Where peers reach this environment; null when they cannot. */
  get address(): RpcAddress | null {
    return this.#address;
  }

  /**
   * Adds an endpoint. It starts in a later turn; messages may be sent to it at once.
   * @throws RpcError ENDPOINT_NAME_INVALID, ENV_STOPPED
   */
  setupEndpoint(
    name: string,
    endpoint: RpcEndpoint,
    options: EndpointOptions = {},
  ): RpcEndpointRef {
    const limits: InboxLimits = {
      entriesMax: options.inboxEntriesMax ?? INBOX_ENTRIES_MAX_DEFAULT,
      bytesMax: options.inboxBytesMax ?? INBOX_BYTES_MAX_DEFAULT,
      whenFull: options.whenInboxFull ?? "refuse",
    };
    const self = this.#createRef(this.#address, name, this.#dispatcher.courierTo(name));
    const { clock } = this.platform;
    this.#dispatcher.register({ self, endpoint, limits, clock, logger: this.logger });
    return self;
  }

  /** What each endpoint is doing now, and how much waits for it. */
  endpointStates(): readonly EndpointState[] {
    return this.#dispatcher.states().filter(({ name }) => name !== ENDPOINT_VERIFIER);
  }

  /**
   * A reference to an endpoint that may or may not exist yet. With the environment's own address, or
   * null, its messages never leave the process.
   * @throws RpcError ADDRESS_INVALID
   */
  endpointRef(address: RpcAddress | null, name: string): RpcEndpointRef {
    if (this.#isOwn(address)) {
      return this.#createRef(this.#address, name, this.#dispatcher.courierTo(name));
    }
    return this.#createRef(address, name, this.#outbox.courierTo(checkRpcAddress(address), name));
  }

  /** The reference that a message named. @throws RpcError ADDRESS_INVALID */
  endpointRefAt({ address, name }: RpcEndpointAddress): RpcEndpointRef {
    return this.endpointRef(address, name);
  }

  /**
   * The same of an endpoint of which its environment says that it exists now.
   * @throws RpcError ENDPOINT_NOT_FOUND, and as `RpcEndpointRef.ask` (rejects).
   */
  async setupEndpointRef(
    address: RpcAddress | null,
    name: string,
    options: AskOptions = {},
  ): Promise<RpcEndpointRef> {
    const ref = this.endpointRef(address, name);
    const verifier = this.endpointRef(address, ENDPOINT_VERIFIER);
    if (await verifier.ask(CheckExistence, name, options)) return ref;
    throw new RpcError("ENDPOINT_NOT_FOUND", `there is no endpoint ${ref.toString()}`);
  }

  /**
   * Ends an endpoint of this environment: it takes no more messages, handles those it has, and
   * resolves after `onStop`. An endpoint that is gone already is no error.
   * @throws RpcError ADDRESS_INVALID - the endpoint belongs to another environment (rejects).
   */
  async stop({ address, name }: RpcEndpointAddress): Promise<void> {
    if (!this.#isOwn(address)) {
      throw new RpcError("ADDRESS_INVALID", `${name} belongs to another environment`);
    }
    await this.#dispatcher.stop(name);
  }

  /**
   * Ends every endpoint as `stop` does, then fails what still waits for peers with ENV_STOPPED and
   * closes the connections. With an aborted `signal` it goes on as `abort`. Safe to call twice.
   */
  close(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#closing ??= this.#close(options.signal);
    return this.#closing;
  }

  /** Ends now: what waits fails with ENV_STOPPED, connections are cut. Safe to call twice. */
  abort(reason: Error): void {
    this.#dispatcher.abortAll();
    this.#outbox.stop();
    this.#clients.abort(reason);
    this.#server?.abort(reason);
    this.#closing ??= Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(signal: AbortSignal | undefined): Promise<void> {
    const onAbort = (): void => this.abort(envStopped());
    if (signal?.aborted) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await Promise.race([this.#dispatcher.stopAll(), abortOf(signal)]);
      this.#outbox.stop();
      await Promise.all([this.#clients.close({ signal }), this.#server?.close({ signal })]);
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #createContext(options: RpcEnvOptions): TransportContext {
    const { messageBytesMax } = this.conf;
    return new TransportContext({
      conf: new TransportConf("rpc", options.conf ?? {}),
      rpcHandler: this.#handler,
      platform: this.platform,
      logger: this.logger,
      frameContentBytesMax: Math.min(messageBytesMax + ENVELOPE_BYTES_MAX, FRAME_BYTES_CEILING),
    });
  }

  #createOutbox(options: RpcEnvOptions): Outbox {
    return new Outbox({
      clients: this.#clients,
      limits: {
        outstandingMax: options.outstandingMax ?? OUTSTANDING_MAX_DEFAULT,
        outstandingBytesMax: options.outstandingBytesMax ?? OUTSTANDING_BYTES_MAX_DEFAULT,
        messageBytesMax: this.conf.messageBytesMax,
      },
      hello: () => encodeHello({ name: this.name, address: this.#address }),
      onConnected: (client, peer) => this.#handler.opened(client, peer),
      onConnectFailed: (error, peer) => this.#dispatcher.networkFailed(error, peer),
    });
  }

  async #listen(options: RpcEnvOptions): Promise<void> {
    const { host = HOST_DEFAULT, port = 0, serverBootstraps: bootstraps = [] } = options;
    try {
      this.#server = await this.#context.createServer({ host, port, bootstraps });
    } catch (error) {
      throw fromTransportError(error, `${host}:${port}`);
    }
    this.#address = { host: options.advertisedHost ?? host, port: this.#server.port };
  }

  #isOwn(address: RpcAddress | null): address is null {
    if (address === null) return true;
    return this.#address !== null && equalRpcAddresses(address, this.#address);
  }

  #createRef(address: RpcAddress | null, name: string, courier: Courier): RpcEndpointRef {
    const { conf, logger, platform } = this;
    const { clock, random } = platform;
    return new RpcEndpointRef({ name, address, courier, conf, clock, random, logger });
  }
}

function abortOf(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    signal?.addEventListener("abort", () => resolve(), { once: true });
    if (signal?.aborted) resolve();
  });
}
