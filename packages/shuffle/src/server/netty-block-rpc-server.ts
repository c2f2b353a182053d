/**
 * Serves the blocks of one executor to others, and takes in the blocks that they bring.
 *
 *     OpenBlocks, FetchShuffleBlocks   StreamHandle; each block is found when its chunk is asked for
 *     UploadBlock, UploadBlockStream   stored, then an empty answer
 *     GetLocalDirsForExecutors         where this executor writes, for others on its host
 *     DiagnoseCorruption               whom to blame for a block that arrived corrupt
 *     anything else                    refused
 *
 * A message that cannot be read is answered with a failure. (Spark drops it without a word, and its
 * requester waits until the connection counts as idle.)
 */
import { parseBlockId, shuffleBlockId } from "@bm/block";
import {
  BytesManagedBuffer,
  OneForOneStreamManager,
  type Random,
  RpcHandler,
  type RpcReplyCallback,
  type StreamCallbackWithId,
  type TransportClient,
} from "@bm/transport";
import type {
  CorruptionCause,
  DiagnoseCorruption,
  FetchShuffleBlocks,
  GetLocalDirsForExecutors,
  LocalDirsForExecutors,
  OpenBlocks,
  UploadBlock,
} from "../protocol/block-transfer-message.ts";
import { decodeBlockTransferMessage } from "../protocol/decode-message.ts";
import { encodeBlockTransferMessage } from "../protocol/encode-message.ts";
import { decodeUploadMetadata } from "../protocol/upload-metadata.ts";
import { ShuffleError } from "../shuffle-error.ts";
import type { BlockDataManager } from "./block-data-manager.ts";
import { requestedChunks } from "./requested-chunks.ts";

/** What {@link NettyBlockRpcServer} needs. */
export interface NettyBlockRpcServerOptions {
  /** Application that the blocks belong to: where clients authenticate, only it may read them. */
  readonly appId: string;
  /** The only one whose local directories are told. Default: any that is asked for. */
  readonly executorId?: string | undefined;
  readonly blockManager: BlockDataManager;
  readonly random: Random;
}

const EMPTY_ANSWER = new Uint8Array(0);

/** See the file comment. */
export class NettyBlockRpcServer extends RpcHandler {
  override readonly streamManager: OneForOneStreamManager;
  readonly #appId: string;
  readonly #executorId: string | undefined;
  readonly #blockManager: BlockDataManager;

  constructor(options: NettyBlockRpcServerOptions) {
    super();
    this.streamManager = new OneForOneStreamManager(options.random);
    this.#appId = options.appId;
    this.#executorId = options.executorId;
    this.#blockManager = options.blockManager;
  }

  /** @throws ShuffleError MESSAGE_UNKNOWN, MESSAGE_MALFORMED, MESSAGE_UNEXPECTED, BLOCK_IDS_INVALID. */
  override receive(client: TransportClient, bytes: Uint8Array, callback: RpcReplyCallback): void {
    const message = decodeBlockTransferMessage(bytes);
    if (message.type === "OpenBlocks" || message.type === "FetchShuffleBlocks") {
      callback.onSuccess(this.#openStream(client, message));
    } else if (message.type === "UploadBlock") {
      this.#store(message).then(
        () => callback.onSuccess(EMPTY_ANSWER),
        (error: unknown) => callback.onFailure(error as Error),
      );
    } else if (message.type === "GetLocalDirsForExecutors") {
      callback.onSuccess(encodeBlockTransferMessage(this.#localDirs(message)));
    } else if (message.type === "DiagnoseCorruption") {
      this.#diagnose(message).then(
        (cause) => callback.onSuccess(encodeBlockTransferMessage(cause)),
        (error: unknown) => callback.onFailure(error as Error),
      );
    } else {
      throw new ShuffleError("MESSAGE_UNEXPECTED", `Unexpected message: ${message.type}`);
    }
  }

  /** @throws as `receive`, METADATA_UNSUPPORTED, and what the block manager throws. */
  override receiveStream(_client: TransportClient, meta: Uint8Array): StreamCallbackWithId {
    const message = decodeBlockTransferMessage(meta);
    if (message.type !== "UploadBlockStream") {
      const text = `Unexpected message with #receiveStream: ${message.type}`;
      throw new ShuffleError("MESSAGE_UNEXPECTED", text);
    }
    const { level, classTag } = decodeUploadMetadata(message.metadata);
    const blockId = parseBlockId(message.blockId);
    return this.#blockManager.putBlockDataAsStream(blockId, level, copyOf(classTag));
  }

  #openStream(client: TransportClient, request: OpenBlocks | FetchShuffleBlocks): Uint8Array {
    const chunks = requestedChunks(request, (id) => this.#blockManager.getLocalBlockData(id));
    const streamId = this.streamManager.registerStream(this.#appId, chunks, client.channel);
    return encodeBlockTransferMessage({ type: "StreamHandle", streamId, numChunks: chunks.count });
  }

  /** Tells of this executor alone: it knows of no other. */
  #localDirs({ appId, execIds }: GetLocalDirsForExecutors): LocalDirsForExecutors {
    const [execId] = execIds;
    if (appId !== this.#appId || execId === undefined || execIds.length > 1) {
      const ids = `application id: ${appId}, executors: [${execIds.join(", ")}]`;
      const text = `Invalid GetLocalDirsForExecutors request: ${ids}`;
      throw new ShuffleError("MESSAGE_UNEXPECTED", text);
    }
    if (this.#executorId !== undefined && execId !== this.#executorId) {
      const text = `Invalid executor id: ${execId}, expected ${this.#executorId}.`;
      throw new ShuffleError("MESSAGE_UNEXPECTED", text);
    }
    const localDirs = this.#blockManager.getLocalDirs?.();
    if (localDirs === undefined) {
      throw new ShuffleError("MESSAGE_UNEXPECTED", "local directories are not told here");
    }
    return { type: "LocalDirsForExecutors", localDirsByExec: new Map([[execId, localDirs]]) };
  }

  async #diagnose(message: DiagnoseCorruption): Promise<CorruptionCause> {
    const { algorithm, checksum, mapId, reduceId, shuffleId } = message;
    const blockId = shuffleBlockId(shuffleId, mapId, reduceId);
    const cause = await this.#blockManager.diagnoseCorruption?.(blockId, checksum, algorithm);
    return { type: "CorruptionCause", cause: cause ?? "UNKNOWN_ISSUE" };
  }

  /** The message is borrowed: what is kept of it is copied before the first wait. */
  async #store(message: UploadBlock): Promise<void> {
    const { level, classTag } = decodeUploadMetadata(message.metadata);
    const blockId = parseBlockId(message.blockId);
    const data = new BytesManagedBuffer(copyOf(message.blockData));
    const isStored = await this.#blockManager.putBlockData(blockId, data, level, copyOf(classTag));
    if (isStored) return;
    const text = `Upload block for ${blockId.name} failed: there is no room to keep it.`;
    throw new ShuffleError("BLOCK_NOT_STORED", text);
  }
}

/** Not a slice of a pool, which would keep the whole pool alive with it. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
