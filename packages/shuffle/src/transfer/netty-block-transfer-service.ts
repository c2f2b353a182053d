/**
 * Moves blocks between executors: a server for the blocks that are here, and a client for those that
 * are elsewhere.
 */
import type { StorageLevel } from "@bm/block";
import {
  type ClientBootstrap,
  type ClientFactory,
  isConnectionError,
  type Logger,
  type ManagedBuffer,
  nodePlatform,
  type Platform,
  type RequestOptions,
  type ServerBootstrap,
  silentLogger,
  type TransportClient,
  type TransportConf,
  TransportContext,
  type TransportServer,
} from "@bm/transport";
import { askDiagnosis, askLocalDirs, type CorruptBlock } from "../client/block-questions.ts";
import { BlockFetches, type FetchOptions } from "../fetch/block-fetches.ts";
import type { BlockFetchingListener } from "../fetch/block-fetching-listener.ts";
import type { CorruptionCauseName } from "../protocol/block-transfer-message.ts";
import type { ScalaVersion } from "../protocol/upload-metadata.ts";
import type { BlockDataManager } from "../server/block-data-manager.ts";
import { NettyBlockRpcServer } from "../server/netty-block-rpc-server.ts";
import { ShuffleError } from "../shuffle-error.ts";
import { listenWithRetries } from "./listen-with-retries.ts";
import { uploadBlock } from "./upload-block.ts";

/** Options of {@link NettyBlockTransferService}. */
export interface NettyBlockTransferServiceOptions {
  /** Of the module `shuffle`: time-outs, retries, connections per peer. */
  readonly conf: TransportConf;
  readonly appId: string;
  readonly executorId: string;
  /** Name or address under which others reach this service. Default: `127.0.0.1`. */
  readonly host?: string | undefined;
  /** Address to bind. Default: `host`. */
  readonly bindAddress?: string | undefined;
  /** `spark.blockManager.port`. Default: 0, the system chooses. */
  readonly port?: number | undefined;
  /** `spark.port.maxRetries`: how many ports behind `port` are tried. Default: from `conf`. */
  readonly portMaxRetries?: number | undefined;
  /** Blocks above this many bytes are uploaded as a stream. Default: 200 MiB. */
  readonly messageUploadBytesMax?: number | undefined;
  /** Scala version of JVM peers, which shows in upload metadata. Default: 2.13. */
  readonly scalaVersion?: ScalaVersion | undefined;
  /**
   * Asks the driver about an executor that could not be reached. When the answer is false its blocks
   * fail with EXECUTOR_DEAD at once, without retries. Default: always true.
   */
  readonly isExecutorAlive?: ((executorId: string) => Promise<boolean>) | undefined;
  readonly clientBootstraps?: readonly ClientBootstrap[] | undefined;
  readonly serverBootstraps?: readonly ServerBootstrap[] | undefined;
  /** Default: the real machine. */
  readonly platform?: Platform | undefined;
  readonly logger?: Logger | undefined;
}

const MESSAGE_UPLOAD_BYTES_MAX_DEFAULT = 200 * 1024 * 1024;

interface Peer {
  readonly host: string;
  readonly port: number;
  readonly executorId: string;
}

/** What exists between `init` and `close`. */
interface Running {
  readonly server: TransportServer;
  readonly clients: ClientFactory;
}

/** See the file comment. Call `init` before anything else. */
export class NettyBlockTransferService {
  readonly #options: NettyBlockTransferServiceOptions;
  readonly #platform: Platform;
  readonly #logger: Logger;
  readonly #fetches: BlockFetches;
  #running: Running | null = null;
  #isStarted = false;
  #isClosed = false;

  constructor(options: NettyBlockTransferServiceOptions) {
    this.#options = options;
    this.#platform = options.platform ?? nodePlatform();
    this.#logger = options.logger ?? silentLogger;
    const { appId, conf } = options;
    const [platform, logger] = [this.#platform, this.#logger];
    this.#fetches = new BlockFetches({ appId, conf, platform, logger });
  }

  /** The host that others are to use. */
  get hostName(): string {
    return this.#options.host ?? "127.0.0.1";
  }

  /** The port that is listened on. @throws ShuffleError CLOSED before `init`. */
  get port(): number {
    return this.#use().server.port;
  }

  /**
   * Starts serving the blocks of `blockManager`.
   * @throws ShuffleError OPTION_INVALID, CLOSED; TransportError BIND_FAILED (rejects).
   */
  async init(blockManager: BlockDataManager): Promise<void> {
    const { appId, bindAddress, clientBootstraps, conf, executorId, serverBootstraps } =
      this.#options;
    if (this.#isStarted || this.#isClosed) {
      throw new ShuffleError("CLOSED", "a block transfer service starts once");
    }
    this.#isStarted = true;
    const { random } = this.#platform;
    const context = new TransportContext({
      conf,
      rpcHandler: new NettyBlockRpcServer({ appId, executorId, blockManager, random }),
      platform: this.#platform,
      logger: this.#logger,
    });
    const clients = context.createClientFactory(clientBootstraps);
    const retries = this.#options.portMaxRetries ?? conf.portMaxRetries;
    const server = await listenWithRetries(this.#options.port ?? 0, retries, (port) =>
      context.createServer({
        host: bindAddress ?? this.hostName,
        port,
        bootstraps: serverBootstraps,
      }),
    );
    this.#running = { server, clients };
    // Closed while it was starting: that close found nothing to close yet.
    if (this.#wasClosed()) await this.close();
  }

  /**
   * Fetches blocks of an executor. `listener` is told about each distinct id exactly once, also when
   * the service is closed meanwhile or the fetch is aborted (FETCH_ABORTED). Resolves once it was
   * told of all.
   * @throws ShuffleError BLOCK_IDS_INVALID for no ids, CLOSED; the listener hears nothing (rejects).
   */
  async fetchBlocks(
    host: string,
    port: number,
    executorId: string,
    blockIds: readonly string[],
    listener: BlockFetchingListener,
    options: FetchOptions = {},
  ): Promise<void> {
    const { clients } = this.#use();
    const peer = { host, port, executorId };
    const connect = (signal: AbortSignal): Promise<TransportClient> =>
      this.#connect(clients, peer, signal);
    await this.#fetches.fetch({ connect, execId: executorId, blockIds, listener }, options);
  }

  /**
   * Fetches one block; the caller releases it.
   * @throws ShuffleError FETCH_ABORTED, EXECUTOR_DEAD, CLOSED; TransportError (rejects).
   */
  fetchBlockSync(
    host: string,
    port: number,
    executorId: string,
    blockId: string,
    options: FetchOptions = {},
  ): Promise<ManagedBuffer> {
    return new Promise((resolve, reject) => {
      const listener: BlockFetchingListener = {
        onBlockFetchSuccess: (_blockId, data) => resolve(data),
        onBlockFetchFailure: (_blockId, error) => reject(error),
      };
      this.fetchBlocks(host, port, executorId, [blockId], listener, options).catch(reject);
    });
  }

  /**
   * The local directories of another executor, to read its files without the network.
   * @throws TransportError; ShuffleError ANSWER_INVALID, CLOSED (rejects).
   */
  async getHostLocalDirs(
    host: string,
    port: number,
    execIds: readonly string[],
    options: RequestOptions = {},
  ): Promise<ReadonlyMap<string, readonly string[]>> {
    const { signal } = options;
    const client = await this.#use().clients.createClient(host, port, { signal });
    return askLocalDirs(client, this.#options.appId, execIds, options);
  }

  /** Asks an executor why its block arrived corrupt. Never rejects: UNKNOWN_ISSUE at worst. */
  diagnoseCorruption(
    host: string,
    port: number,
    block: CorruptBlock,
    options: RequestOptions = {},
  ): Promise<CorruptionCauseName> {
    const { signal } = options;
    const connect = async (): Promise<TransportClient> =>
      this.#use().clients.createClient(host, port, { signal });
    return askDiagnosis(connect, this.#options.appId, block, this.#logger, options);
  }

  /**
   * Brings a block to another executor. `data` is handed over, whatever happens. Not retried.
   * Resolves when the block is stored there.
   * @throws BlockError for a name of no block; TransportError REMOTE_FAILURE with the peer's text and
   *   every failure of a connection (rejects).
   */
  async uploadBlock(
    host: string,
    port: number,
    executorId: string,
    blockId: string,
    data: ManagedBuffer,
    level: StorageLevel,
    options: RequestOptions = {},
  ): Promise<void> {
    const { appId, messageUploadBytesMax, scalaVersion } = this.#options;
    const messageBytesMax = messageUploadBytesMax ?? MESSAGE_UPLOAD_BYTES_MAX_DEFAULT;
    const { signal } = options;
    await uploadBlock(
      async () => this.#use().clients.createClient(host, port, { signal }),
      { appId, executorId, blockId, data, level, scalaVersion, messageBytesMax },
      options,
    );
  }

  /**
   * Fails fetches in progress, lets answers in progress finish, and closes every connection. Safe to
   * call twice.
   */
  async close(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#isClosed = true;
    this.#fetches.abort(new ShuffleError("CLOSED", "the block transfer service was closed"));
    await Promise.all([
      this.#running?.clients.close(options),
      this.#running?.server.close(options),
      this.#fetches.ended(),
    ]);
  }

  /** Closes every connection now. Safe to call twice. */
  abort(reason: Error): void {
    this.#isClosed = true;
    this.#fetches.abort(reason);
    this.#running?.clients.abort(reason);
    this.#running?.server.abort(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Only a failure to connect is worth a question to the driver: a live peer answers for itself. */
  async #connect(
    clients: ClientFactory,
    { host, port, executorId }: Peer,
    signal: AbortSignal,
  ): Promise<TransportClient> {
    const fastFail = this.#options.conf.maxRetries > 0;
    try {
      return await clients.createClient(host, port, { fastFail, signal });
    } catch (error) {
      if (isConnectionError(error) && !(await this.#isAlive(executorId))) {
        const text = `executor ${executorId} at ${host}:${port}, which holds the blocks, is gone`;
        throw new ShuffleError("EXECUTOR_DEAD", text, { cause: error });
      }
      throw error;
    }
  }

  /** When the driver cannot be asked the executor gets the benefit of the doubt. */
  async #isAlive(executorId: string): Promise<boolean> {
    const { isExecutorAlive } = this.#options;
    if (isExecutorAlive === undefined) return true;
    try {
      return await isExecutorAlive(executorId);
    } catch (error) {
      this.#logger.warn(`asking whether executor ${executorId} is alive: ${String(error)}`);
      return true;
    }
  }

  #wasClosed(): boolean {
    return this.#isClosed;
  }

  #use(): Running {
    if (this.#running !== null && !this.#isClosed) return this.#running;
    const state = this.#isClosed ? "closed" : "not started";
    throw new ShuffleError("CLOSED", `the block transfer service is ${state}`);
  }
}
