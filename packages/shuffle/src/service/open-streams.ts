/**
 * Answers requests for blocks with a stream. Nothing on disk is touched before a chunk of it is asked
 * for; until then a stream holds the memory of the numbers that name its blocks.
 */
import type { ChunkSource, Logger, OneForOneStreamManager, TransportClient } from "@bm/transport";
import type {
  FetchShuffleBlockChunks,
  FetchShuffleBlocks,
  OpenBlocks,
} from "../protocol/block-transfer-message.ts";
import { encodeBlockTransferMessage } from "../protocol/encode-message.ts";
import { ShuffleError } from "../shuffle-error.ts";
import { BlockChunks } from "./block-chunks.ts";
import type { BlockTroubleLog } from "./block-trouble-log.ts";
import type { ExternalShuffleBlockResolver } from "./external-shuffle-block-resolver.ts";
import {
  mergedChunks,
  namesMergedChunks,
  type OpenedMergedChunks,
  openedMergedChunks,
} from "./merge/merged-chunks.ts";
import type { MergedShuffleFileManager } from "./merge/merged-shuffle-file-manager.ts";
import type { ShuffleServiceMetrics } from "./metrics/shuffle-service-metrics.ts";
import { fetchedBlocks, namedBlocks, OpenedBlocks } from "./opened-blocks.ts";
import type { ApplicationQuotas } from "./quota/application-quotas.ts";
import { QuotaChunks, RequestOrder } from "./quota/quota-chunks.ts";
import type { ReferenceBudget } from "./reference-budget.ts";

/** What {@link OpenStreams} needs. */
export interface OpenStreamsOptions {
  readonly logger: Logger;
  readonly resolver: ExternalShuffleBlockResolver;
  readonly mergeManager: MergedShuffleFileManager;
  readonly metrics: ShuffleServiceMetrics;
  readonly troubles: BlockTroubleLog;
  readonly quotas: ApplicationQuotas;
  readonly references: ReferenceBudget;
  readonly streamManager: OneForOneStreamManager;
}

/** A request for blocks. */
export type OpenRequest = FetchShuffleBlockChunks | FetchShuffleBlocks | OpenBlocks;

/** What a request costs while it waits for its turn, beside the numbers in it. */
const WAITING_BYTES = 512;

/** See the file comment. */
export class OpenStreams {
  readonly #options: OpenStreamsOptions;
  readonly #order = new RequestOrder();

  constructor(options: OpenStreamsOptions) {
    this.#options = options;
  }

  /**
   * The answer, later when the application has too many streams open.
   * @throws ShuffleError BLOCK_IDS_INVALID; CLOSED when there is no memory for it: then the connection
   *   is closed, so that the peer tries again.
   */
  open(client: TransportClient, message: OpenRequest): Uint8Array | Promise<Uint8Array> {
    const opened = openedOf(message);
    const { quotas } = this.#options;
    if (!quotas.streams.isOn || opened.count === 0) {
      return this.#register(client, message, opened, this.#reserve(client, opened));
    }
    return this.#openWithin(client, message, opened);
  }

  #openWithin(
    client: TransportClient,
    message: OpenRequest,
    opened: OpenedBlocks | OpenedMergedChunks,
  ): Uint8Array | Promise<Uint8Array> {
    const { streams } = this.#options.quotas;
    const { appId } = message;
    const { channel } = client;
    const giveBack = this.#reserve(client, opened, WAITING_BYTES);
    const onDone = (): void => {
      giveBack();
      streams.giveBack(appId, channel, 1);
    };
    const turn = streams.take(appId, channel, 1);
    if (turn === null) return this.#register(client, message, opened, onDone);
    return turn.then((isTaken) => {
      if (isTaken && channel.isActive) return this.#register(client, message, opened, onDone);
      if (isTaken) onDone();
      else giveBack();
      throw new ShuffleError("CLOSED", "the connection ended while a stream waited for its turn");
    });
  }

  #register(
    client: TransportClient,
    message: OpenRequest,
    opened: OpenedBlocks | OpenedMergedChunks,
    onDone: () => void,
  ): Uint8Array {
    const { streamManager } = this.#options;
    const { channel, clientId } = client;
    const chunks = this.#within(client, message.appId, this.#chunksOf(message, opened, onDone));
    const streamId = streamManager.registerStream(clientId, chunks, channel);
    const numChunks = chunks.count;
    return encodeBlockTransferMessage({ type: "StreamHandle", streamId, numChunks });
  }

  #chunksOf(
    { appId, execId }: OpenRequest,
    opened: OpenedBlocks | OpenedMergedChunks,
    onDone: () => void,
  ): ChunkSource {
    const { troubles, mergeManager, metrics, resolver } = this.#options;
    const common = { appId, metrics, troubles, onDone };
    if (opened instanceof OpenedBlocks) {
      return new BlockChunks({ ...common, execId, blocks: opened, resolver });
    }
    return mergedChunks(opened, { ...common, mergeManager });
  }

  #within({ channel }: TransportClient, appId: string, chunks: ChunkSource): ChunkSource {
    const { sending: quota } = this.#options.quotas;
    if (!quota.isOn) return chunks;
    return new QuotaChunks({ chunks, quota, order: this.#order, appId, connection: channel });
  }

  /** Takes the memory of opened blocks; the result gives it back. */
  #reserve(
    client: TransportClient,
    { bytes, count }: OpenedBlocks | OpenedMergedChunks,
    moreBytes = 0,
  ): () => void {
    const { logger, references } = this.#options;
    if (count === 0) return () => {};
    const amount = bytes + moreBytes;
    if (references.tryTake(amount)) return () => references.giveBack(amount);
    const peer = client.channel.remoteAddress;
    logger.warn(`closing ${peer}: ${references.bytes} bytes of opened blocks wait to be fetched`);
    // An answer would fail the blocks for good: a peer asks again after a broken connection only.
    const refusal = new ShuffleError("CLOSED", "too many opened blocks wait to be fetched");
    client.abort(refusal);
    throw refusal;
  }
}

function openedOf(message: OpenRequest): OpenedBlocks | OpenedMergedChunks {
  if (message.type === "FetchShuffleBlocks") return fetchedBlocks(message);
  if (message.type === "FetchShuffleBlockChunks") return openedMergedChunks(message);
  const { blockIds } = message;
  return namesMergedChunks(blockIds) ? openedMergedChunks(message) : namedBlocks(blockIds);
}
