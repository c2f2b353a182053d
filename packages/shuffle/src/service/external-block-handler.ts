/**
 * What a shuffle service does with each message.
 *
 *     RegisterExecutor           durable, then an empty answer
 *     OpenBlocks, FetchShuffleBlocks, FetchShuffleBlockChunks
 *                                StreamHandle; nothing on disk is touched before a chunk is asked for
 *     RemoveBlocks               BlocksRemoved
 *     GetLocalDirsForExecutors   LocalDirsForExecutors
 *     DiagnoseCorruption         CorruptionCause
 *     PushBlockStream (stream), FinalizeShuffleMerge, RemoveShuffleMerge (one-way)
 *                                what the manager of merged files does
 *     anything else              refused
 */
import { SHUFFLE_MERGER_EXECUTOR_ID } from "@bm/block";
import {
  type Clock,
  type Files,
  type Logger,
  type MergedBlockMetaQuery,
  type MergedBlockMetaReplyCallback,
  OneForOneStreamManager,
  type Random,
  RpcHandler,
  type RpcReplyCallback,
  type StreamCallbackWithId,
  type TransportClient,
} from "@bm/transport";
import type {
  BlockTransferMessage,
  CorruptionCauseName,
  DiagnoseCorruption,
  GetLocalDirsForExecutors,
  RegisterExecutor,
  RemoveBlocks,
} from "../protocol/block-transfer-message.ts";
import { decodeBlockTransferMessage } from "../protocol/decode-message.ts";
import { encodeBlockTransferMessage } from "../protocol/encode-message.ts";
import { ShuffleError } from "../shuffle-error.ts";
import type { BlockTroubleLog } from "./block-trouble-log.ts";
import { CorruptionDiagnoses } from "./corruption-diagnoses.ts";
import type { ExecutorRegistry } from "./executor-registry.ts";
import type { ExternalShuffleBlockResolver } from "./external-shuffle-block-resolver.ts";
import type { LocalDirsGuard } from "./local-dirs-guard.ts";
import { chunkOfMapId } from "./merge/merged-chunk-map-id.ts";
import type { MergedShuffleFileManager } from "./merge/merged-shuffle-file-manager.ts";
import type { ShuffleServiceMetrics } from "./metrics/shuffle-service-metrics.ts";
import { type OpenRequest, OpenStreams } from "./open-streams.ts";
import type { ApplicationQuotas } from "./quota/application-quotas.ts";
import { ReferenceBudget } from "./reference-budget.ts";
import { removeBlocks } from "./remove-blocks.ts";
import { executorNotRegistered, JAVA, serviceFailure } from "./service-failure.ts";

/** What {@link ExternalBlockHandler} needs. */
export interface ExternalBlockHandlerOptions {
  readonly files: Files;
  readonly random: Random;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: ExecutorRegistry;
  readonly guard: LocalDirsGuard;
  readonly resolver: ExternalShuffleBlockResolver;
  readonly mergeManager: MergedShuffleFileManager;
  readonly metrics: ShuffleServiceMetrics;
  readonly quotas: ApplicationQuotas;
  readonly troubles: BlockTroubleLog;
  /** Bytes of blocks that were opened and not asked for yet. */
  readonly openReferenceBytesMax: number;
}

const EMPTY_ANSWER = new Uint8Array(0);

/** See the file comment. */
export class ExternalBlockHandler extends RpcHandler {
  override readonly streamManager: OneForOneStreamManager;
  readonly references: ReferenceBudget;
  readonly #options: ExternalBlockHandlerOptions;
  readonly #metrics: ShuffleServiceMetrics;
  readonly #streams: OpenStreams;
  readonly #diagnoses: CorruptionDiagnoses;

  constructor(options: ExternalBlockHandlerOptions) {
    super();
    this.#options = options;
    this.#metrics = options.metrics;
    this.references = new ReferenceBudget(options.openReferenceBytesMax);
    this.streamManager = new OneForOneStreamManager(options.random);
    const { references, streamManager } = this;
    this.#streams = new OpenStreams({ ...options, references, streamManager });
    this.#diagnoses = new CorruptionDiagnoses(options.resolver, options.clock);
  }

  /** @throws ShuffleError MESSAGE_UNKNOWN, MESSAGE_MALFORMED, MESSAGE_UNEXPECTED, BLOCK_IDS_INVALID. */
  override receive(client: TransportClient, bytes: Uint8Array, callback: RpcReplyCallback): void {
    try {
      const message = decodeBlockTransferMessage(bytes);
      if ("appId" in message) authorise(client, message.appId);
      const answer = this.#answer(client, message);
      if (answer instanceof Uint8Array) callback.onSuccess(answer);
      else this.#answerLater(answer, callback);
    } catch (error) {
      this.#metrics.refusedRequests += 1;
      throw error;
    }
  }

  /** Only a removal of merged files comes without wanting an answer. */
  override receiveOneWay(client: TransportClient, bytes: Uint8Array): void {
    const { logger } = this.#options;
    this.receive(client, bytes, {
      onSuccess: () => {},
      onFailure: (error) => {
        logger.warn(`one-way message from ${client.channel.remoteAddress}: ${error.message}`);
      },
    });
  }

  /** @throws as `receive`, and what the manager of merged files throws. */
  override receiveStream(client: TransportClient, meta: Uint8Array): StreamCallbackWithId {
    const message = decodeBlockTransferMessage(meta);
    if (message.type !== "PushBlockStream") {
      const text = `Unexpected message with #receiveStream: ${message.type}`;
      throw new ShuffleError("MESSAGE_UNEXPECTED", text);
    }
    authorise(client, message.appId);
    return this.#options.mergeManager.receiveBlock(message, client.channel);
  }

  override receiveMergedBlockMetaRequest(
    client: TransportClient,
    query: MergedBlockMetaQuery,
    callback: MergedBlockMetaReplyCallback,
  ): void {
    authorise(client, query.appId);
    const end = this.#metrics.fetchMergedBlocksMetaLatencyMillis.start();
    this.#options.mergeManager
      .mergedBlockMeta(query)
      .then(
        ({ bitmaps, numChunks }) => callback.onSuccess(numChunks, bitmaps),
        (error: unknown) => callback.onFailure(error as Error),
      )
      .finally(end);
  }

  override channelActive(): void {
    this.#metrics.numActiveConnections += 1;
  }

  override channelInactive({ channel }: TransportClient): void {
    this.#options.quotas.connectionEnded(channel);
    this.#metrics.numActiveConnections -= 1;
  }

  override exceptionCaught(): void {
    this.#metrics.numCaughtExceptions += 1;
  }

  #answer(client: TransportClient, message: BlockTransferMessage): Answer {
    switch (message.type) {
      case "OpenBlocks":
      case "FetchShuffleBlocks":
      case "FetchShuffleBlockChunks":
        return this.#openStream(client, message);
      case "RegisterExecutor":
        return this.#register(message);
      case "RemoveBlocks":
        return this.#remove(message);
      case "GetLocalDirsForExecutors":
        return this.#localDirs(message);
      case "DiagnoseCorruption":
        return this.#diagnose(message);
      case "FinalizeShuffleMerge":
        return timed(this.#metrics.finalizeShuffleMergeLatencyMillis, async () =>
          encodeBlockTransferMessage(
            await this.#options.mergeManager.finalizeShuffleMerge(message),
          ),
        );
      case "RemoveShuffleMerge":
        return this.#options.mergeManager.removeShuffleMerge(message).then(() => EMPTY_ANSWER);
      case "BlockPushReturnCode":
      case "BlocksRemoved":
      case "CorruptionCause":
      case "LocalDirsForExecutors":
      case "MergeStatuses":
      case "PushBlockStream":
      case "StreamHandle":
      case "UploadBlock":
      case "UploadBlockStream":
        throw new ShuffleError("MESSAGE_UNEXPECTED", `Unexpected message: ${message.type}`);
    }
  }

  #answerLater(answer: Promise<Uint8Array>, callback: RpcReplyCallback): void {
    answer.then(
      (body) => callback.onSuccess(body),
      (error: unknown) => {
        this.#metrics.refusedRequests += 1;
        callback.onFailure(error as Error);
      },
    );
  }

  #openStream(client: TransportClient, message: OpenRequest): Answer {
    const end = this.#metrics.openBlockRequestLatencyMillis.start();
    try {
      return this.#streams.open(client, message);
    } finally {
      end();
    }
  }

  #register({ appId, execId, executorInfo }: RegisterExecutor): Promise<Uint8Array> {
    const { guard, mergeManager, registry } = this.#options;
    return timed(this.#metrics.registerExecutorRequestLatencyMillis, async () => {
      await guard.checkRegistration(executorInfo.localDirs, executorInfo.subDirsPerLocalDir);
      await registry.register(appId, execId, executorInfo);
      await mergeManager.registerExecutor(appId, executorInfo);
      return EMPTY_ANSWER;
    });
  }

  async #remove({ appId, blockIds, execId }: RemoveBlocks): Promise<Uint8Array> {
    const info = this.#options.registry.get(appId, execId);
    const numRemovedBlocks = await removeBlocks(info, blockIds, this.#options);
    return encodeBlockTransferMessage({ type: "BlocksRemoved", numRemovedBlocks });
  }

  async #localDirs({ appId, execIds }: GetLocalDirsForExecutors): Promise<Uint8Array> {
    const { mergeManager, registry } = this.#options;
    const localDirsByExec = new Map<string, readonly string[]>();
    for (const execId of execIds) {
      if (localDirsByExec.has(execId)) {
        const text = `duplicate element: ${execId}`;
        throw serviceFailure("BLOCK_IDS_INVALID", JAVA.illegalArgument, text);
      }
      const isMerger = execId === SHUFFLE_MERGER_EXECUTOR_ID;
      const dirs = isMerger
        ? await mergeManager.mergedBlockDirs(appId)
        : registry.get(appId, execId).localDirs;
      localDirsByExec.set(execId, dirs);
    }
    return encodeBlockTransferMessage({ type: "LocalDirsForExecutors", localDirsByExec });
  }

  #diagnose(message: DiagnoseCorruption): Answer {
    const isMerged = message.execId === SHUFFLE_MERGER_EXECUTOR_ID;
    const cause = isMerged ? this.#causeOfMerged(message) : this.#causeOf(message);
    if (!(cause instanceof Promise)) return this.#diagnosed(message, cause);
    return cause.then((found) => this.#diagnosed(message, found));
  }

  #diagnosed(message: DiagnoseCorruption, cause: CorruptionCauseName): Uint8Array {
    const { metrics, troubles } = this.#options;
    const { appId, execId, mapId, reduceId, shuffleId } = message;
    metrics.diagnosedCorruption.set(cause, (metrics.diagnosedCorruption.get(cause) ?? 0) + 1);
    // Of a merged chunk its owner knows more, and says it.
    if (execId !== SHUFFLE_MERGER_EXECUTOR_ID) {
      troubles.corrupt(appId, execId, `shuffle_${shuffleId}_${mapId}_${reduceId}`, cause);
    }
    return encodeBlockTransferMessage({ type: "CorruptionCause", cause });
  }

  /** Spark's readers never ask this; the map id of a merged chunk is said in {@link mergedChunkMapId}. */
  #causeOfMerged(message: DiagnoseCorruption): Promise<CorruptionCauseName> {
    const { algorithm, appId, checksum, reduceId, shuffleId } = message;
    const ids = { appId, shuffleId, reduceId, ...chunkOfMapId(message.mapId) };
    const { mergeManager } = this.#options;
    return this.#diagnoses.runLater(appId, () =>
      mergeManager.diagnoseMergedChunk(ids, { checksum, algorithm }),
    );
  }

  #causeOf(message: DiagnoseCorruption): CorruptionCauseName | Promise<CorruptionCauseName> {
    const { appId, execId } = message;
    const info = this.#options.registry.executorsOf(appId).get(execId);
    if (info !== undefined) return this.#diagnoses.causeOf(message, info);
    // The class under which Spark's service fails here; its text tells nothing.
    const { message: text } = executorNotRegistered(appId, execId);
    throw serviceFailure("BLOCK_NOT_FOUND", JAVA.nullPointer, text);
  }
}

type Answer = Uint8Array | Promise<Uint8Array>;

/** Connections without a client id come from networks where nobody authenticates. */
function authorise({ clientId }: TransportClient, appId: string): void {
  if (clientId === null || clientId === appId) return;
  const text = `Client for ${clientId} not authorized for application ${appId}.`;
  throw serviceFailure("MESSAGE_UNEXPECTED", JAVA.security, text);
}

async function timed<T>(timer: { start(): () => void }, work: () => Promise<T>): Promise<T> {
  const end = timer.start();
  try {
    return await work();
  } finally {
    end();
  }
}
