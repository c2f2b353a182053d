/**
 * The client of an external shuffle service: ours, or the one that comes with Spark.
 *
 *     register            one connection of its own
 *     fetch               FetchShuffleBlocks, FetchShuffleBlockChunks, with retries
 *     push                UploadStream(PushBlockStream), with retries
 *     finalize, meta      of merged partitions
 *     remove, dirs, diagnose
 */
import {
  type ClientBootstrap,
  type ClientFactory,
  type Logger,
  type ManagedBuffer,
  type MergedBlockMeta,
  NoOpRpcHandler,
  nodePlatform,
  type Platform,
  type RequestOptions,
  silentLogger,
  type TransportClient,
  type TransportConf,
  TransportContext,
} from "@bm/transport";
import type { MergedPartition } from "../fetch/block-fetch-client.ts";
import { BlockFetches, type FetchOptions } from "../fetch/block-fetches.ts";
import type { BlockFetchingListener } from "../fetch/block-fetching-listener.ts";
import type {
  CorruptionCauseName,
  ExecutorShuffleInfo,
  MergeStatuses,
} from "../protocol/block-transfer-message.ts";
import { encodeBlockTransferMessage } from "../protocol/encode-message.ts";
import type { BlockPushingListener } from "../push/block-pushing-listener.ts";
import { pushWithRetries } from "../push/push-with-retries.ts";
import { ShuffleError } from "../shuffle-error.ts";
import { ask } from "./ask.ts";
import { askDiagnosis, askLocalDirs, type CorruptBlock } from "./block-questions.ts";
import { type RegistrationLimits, registerExecutor } from "./register-executor.ts";

/** Options of {@link ExternalShuffleClient}. */
export interface ExternalShuffleClientOptions {
  /** Of the module `shuffle`: time-outs, retries, connections per peer. */
  readonly conf: TransportConf;
  readonly appId: string;
  /** The attempt of the application, where its cluster counts them. Default: -1, it does not. */
  readonly appAttemptId?: number | undefined;
  /** `spark.shuffle.registration.timeout`: for each answer. Default: 5,000 ms. */
  readonly registrationTimeoutMs?: number | undefined;
  /** `spark.shuffle.registration.maxAttempts`. Default: 3. */
  readonly registrationAttemptsMax?: number | undefined;
  /** Pause between two attempts at registering. Default: 5,000 ms. */
  readonly registrationWaitMs?: number | undefined;
  /** Run on each new connection: authentication, encryption. Default: none. */
  readonly clientBootstraps?: readonly ClientBootstrap[] | undefined;
  /** Default: the real machine. */
  readonly platform?: Platform | undefined;
  readonly logger?: Logger | undefined;
}

const ATTEMPT_ID_NONE = -1;
const REGISTRATION_DEFAULTS: RegistrationLimits = {
  timeoutMs: 5000,
  attemptsMax: 3,
  waitMs: 5000,
};

/** See the file comment. Connections are made when they are needed and shared; `close` ends them. */
export class ExternalShuffleClient {
  readonly #appId: string;
  readonly #appAttemptId: number;
  readonly #registration: RegistrationLimits;
  readonly #platform: Platform;
  readonly #logger: Logger;
  readonly #clients: ClientFactory;
  readonly #fetches: BlockFetches;
  readonly #fastFail: boolean;
  #isClosed = false;

  constructor(options: ExternalShuffleClientOptions) {
    const { appId, conf, platform = nodePlatform(), logger = silentLogger } = options;
    this.#appId = appId;
    this.#appAttemptId = options.appAttemptId ?? ATTEMPT_ID_NONE;
    this.#platform = platform;
    this.#logger = logger;
    this.#registration = {
      timeoutMs: options.registrationTimeoutMs ?? REGISTRATION_DEFAULTS.timeoutMs,
      attemptsMax: options.registrationAttemptsMax ?? REGISTRATION_DEFAULTS.attemptsMax,
      waitMs: options.registrationWaitMs ?? REGISTRATION_DEFAULTS.waitMs,
    };
    const rpcHandler = new NoOpRpcHandler(platform.random);
    const context = new TransportContext({
      conf,
      rpcHandler,
      platform,
      logger,
      closeIdleConnections: true,
    });
    this.#clients = context.createClientFactory(options.clientBootstraps);
    this.#fetches = new BlockFetches({ appId, conf, platform, logger });
    this.#fastFail = conf.maxRetries > 0;
  }

  /**
   * Tells the service where an executor writes. Tried again after any failure.
   * @throws ShuffleError REGISTRATION_FAILED, CLOSED (rejects).
   */
  async registerWithShuffleServer(
    host: string,
    port: number,
    execId: string,
    executorInfo: ExecutorShuffleInfo,
    options: Pick<RequestOptions, "signal"> = {},
  ): Promise<void> {
    const clients = this.#use();
    const connect = (): Promise<TransportClient> =>
      clients.createUnmanagedClient(host, port, options);
    const registration = { appId: this.#appId, execId, executorInfo };
    const { clock } = this.#platform;
    const how = { ...options, clock, logger: this.#logger };
    await registerExecutor(connect, registration, this.#registration, how);
  }

  /**
   * Fetches blocks that an executor wrote. As `NettyBlockTransferService.fetchBlocks`; with the
   * executor id `shuffle-push-merger` the ids are those of chunks, `shuffleChunk_...`.
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
    const clients = this.#use();
    const connect = (signal: AbortSignal): Promise<TransportClient> =>
      clients.createClient(host, port, { fastFail: this.#fastFail, signal });
    await this.#fetches.fetch({ connect, execId: executorId, blockIds, listener }, options);
  }

  /**
   * Pushes blocks to be merged, in the order of the map. The buffers are handed over, whatever
   * happens. Resolves once the listener was told of every block.
   * @throws ShuffleError BLOCK_IDS_INVALID for no blocks, CLOSED; the listener hears nothing (rejects).
   */
  async pushBlocks(
    host: string,
    port: number,
    blocks: ReadonlyMap<string, ManagedBuffer>,
    listener: BlockPushingListener,
    options: Pick<RequestOptions, "signal"> = {},
  ): Promise<void> {
    const [appId, appAttemptId] = [this.#appId, this.#appAttemptId];
    const connect = async (signal: AbortSignal): Promise<TransportClient> =>
      this.#use().createClient(host, port, { fastFail: this.#fastFail, signal });
    const push = { connect, appId, appAttemptId, blocks, listener, signal: options.signal };
    await pushWithRetries(this.#fetches, push, () => this.#use());
  }

  /**
   * Ends the merging of a shuffle at one service and gives what was merged there. Not tried again: a
   * second request would be refused.
   * @throws ShuffleError ANSWER_INVALID, CLOSED; TransportError (rejects).
   */
  async finalizeShuffleMerge(
    host: string,
    port: number,
    shuffleId: number,
    shuffleMergeId: number,
    options: RequestOptions = {},
  ): Promise<MergeStatuses> {
    const client = await this.#connect(host, port, options);
    const message = {
      type: "FinalizeShuffleMerge",
      appId: this.#appId,
      appAttemptId: this.#appAttemptId,
      shuffleId,
      shuffleMergeId,
    } as const;
    const statuses = await ask(client, message, "MergeStatuses", options);
    if (statuses.shuffleId === shuffleId) return statuses;
    throw new ShuffleError("ANSWER_INVALID", `statuses of shuffle ${statuses.shuffleId}`);
  }

  /**
   * Which maps were merged into each chunk of a partition; the caller releases `bitmaps`.
   * @throws TransportError; ShuffleError CLOSED (rejects).
   */
  async getMergedBlockMeta(
    host: string,
    port: number,
    { reduceId, shuffleId, shuffleMergeId }: MergedPartition,
    options: RequestOptions = {},
  ): Promise<MergedBlockMeta> {
    const client = await this.#connect(host, port, options);
    return client.mergedBlockMeta(this.#appId, shuffleId, shuffleMergeId, reduceId, options);
  }

  /**
   * Drops what was merged of a shuffle; `shuffleMergeId` -1 drops whatever is current. There is no
   * answer: resolves when the request was handed to a connection.
   * @throws TransportError; ShuffleError CLOSED (rejects).
   */
  async removeShuffleMerge(
    host: string,
    port: number,
    shuffleId: number,
    shuffleMergeId: number,
    options: Pick<RequestOptions, "signal"> = {},
  ): Promise<void> {
    const client = await this.#connect(host, port, options);
    const [appId, appAttemptId] = [this.#appId, this.#appAttemptId];
    const ids = { appId, appAttemptId, shuffleId, shuffleMergeId };
    client.send(encodeBlockTransferMessage({ type: "RemoveShuffleMerge", ...ids }));
  }

  /**
   * Deletes blocks of an executor; gives how many there were.
   * @throws TransportError; ShuffleError ANSWER_INVALID, CLOSED (rejects).
   */
  async removeBlocks(
    host: string,
    port: number,
    execId: string,
    blockIds: readonly string[],
    options: RequestOptions = {},
  ): Promise<number> {
    const client = await this.#connect(host, port, options);
    const message = { type: "RemoveBlocks", appId: this.#appId, execId, blockIds } as const;
    return (await ask(client, message, "BlocksRemoved", options)).numRemovedBlocks;
  }

  /**
   * The local directories of executors, to read their files without the network. The executor id
   * `shuffle-push-merger` asks for those of merged partitions.
   * @throws TransportError; ShuffleError ANSWER_INVALID, CLOSED (rejects).
   */
  async getHostLocalDirs(
    host: string,
    port: number,
    execIds: readonly string[],
    options: RequestOptions = {},
  ): Promise<ReadonlyMap<string, readonly string[]>> {
    const client = await this.#connect(host, port, options);
    return askLocalDirs(client, this.#appId, execIds, options);
  }

  /** Asks why a block arrived corrupt. Never rejects: UNKNOWN_ISSUE when nobody can say. */
  diagnoseCorruption(
    host: string,
    port: number,
    block: CorruptBlock,
    options: RequestOptions = {},
  ): Promise<CorruptionCauseName> {
    const connect = (): Promise<TransportClient> => this.#connect(host, port, options);
    return askDiagnosis(connect, this.#appId, block, this.#logger, options);
  }

  /** Fails transfers in progress and closes every connection. Safe to call twice. */
  async close(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.#isClosed = true;
    this.#fetches.abort(new ShuffleError("CLOSED", "the shuffle client was closed"));
    await Promise.all([this.#clients.close(options), this.#fetches.ended()]);
  }

  /** Closes every connection now. Safe to call twice. */
  abort(reason: Error): void {
    this.#isClosed = true;
    this.#fetches.abort(reason);
    this.#clients.abort(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #connect(host: string, port: number, { signal }: RequestOptions): Promise<TransportClient> {
    return this.#use().createClient(host, port, { signal });
  }

  #use(): ClientFactory {
    if (!this.#isClosed) return this.#clients;
    throw new ShuffleError("CLOSED", "the shuffle client is closed");
  }
}
