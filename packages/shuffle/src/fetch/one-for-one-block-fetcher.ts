/**
 * One attempt at fetching blocks over one connection: a request for a stream, then all its chunks.
 *
 *     OpenBlocks | FetchShuffleBlocks  ->
 *                                      <-  StreamHandle(streamId, n)
 *     ChunkFetchRequest 0 .. n - 1     ->
 *                                      <-  ChunkFetchSuccess | ChunkFetchFailure, in order
 *
 * or, into files instead of memory,
 *
 *     StreamRequest "<streamId>_<i>"   ->
 *                                      <-  StreamResponse and the bytes | StreamFailure, in order
 */
import {
  type BytesManagedBuffer,
  type Int64,
  type ManagedBuffer,
  type TransportClient,
  TransportError,
} from "@bm/transport";
import type { DownloadFiles } from "../download/download-files.ts";
import { FileDownload } from "../download/file-download.ts";
import { decodeBlockTransferMessage } from "../protocol/decode-message.ts";
import { encodeBlockTransferMessage } from "../protocol/encode-message.ts";
import { ShuffleError } from "../shuffle-error.ts";
import type { BlockFetchingListener } from "./block-fetching-listener.ts";
import { type BlocksRequest, type BlocksWanted, createBlocksRequest } from "./blocks-request.ts";

/** What {@link OneForOneBlockFetcher} needs. */
export interface OneForOneBlockFetcherOptions extends BlocksWanted {
  readonly client: TransportClient;
  readonly listener: BlockFetchingListener;
  /** Fetch into files made here, for blocks too large for memory. Default: into memory. */
  readonly downloads?: DownloadFiles | undefined;
  /**
   * Gives the attempt up: what was not told yet fails with FETCH_ABORTED. When nobody else uses the
   * connection it is closed, which is the only way to stop a peer that is sending.
   */
  readonly signal?: AbortSignal | undefined;
}

/** See the file comment. Tells the listener about each block exactly once. */
export class OneForOneBlockFetcher {
  readonly #client: TransportClient;
  readonly #listener: BlockFetchingListener;
  readonly #downloads: DownloadFiles | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #request: BlocksRequest;
  readonly #isSettled: boolean[];
  #unsettled: number;
  /** Requests on the connection that are ours. */
  #outstanding = 0;

  /** @throws ShuffleError BLOCK_IDS_INVALID - none, or blocks that cannot be asked for together. */
  constructor(options: OneForOneBlockFetcherOptions) {
    this.#client = options.client;
    this.#listener = options.listener;
    this.#downloads = options.downloads;
    this.#signal = options.signal;
    this.#request = createBlocksRequest(options);
    this.#isSettled = this.#request.blockIds.map(() => false);
    this.#unsettled = this.#isSettled.length;
  }

  /** The blocks in the order of their chunks. */
  get blockIds(): readonly string[] {
    return this.#request.blockIds;
  }

  /** Sends the request. Call once. Failures go to the listener, never to the caller. */
  start(): void {
    if (this.#signal?.aborted) {
      this.#failFrom(0, aborted(this.#signal.reason));
      return;
    }
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#outstanding += 1;
    this.#client.sendRpcWith(encodeBlockTransferMessage(this.#request.message), {
      onSuccess: (response) => {
        this.#outstanding -= 1;
        this.#opened(response.view);
      },
      onFailure: (error) => {
        this.#outstanding -= 1;
        this.#failFrom(0, error);
      },
    });
  }

  #opened(response: Uint8Array): void {
    if (this.#unsettled === 0) return;
    let streamId: Int64;
    try {
      streamId = readStreamId(response, this.blockIds.length);
    } catch (error) {
      this.#failFrom(0, error as Error);
      return;
    }
    if (this.#downloads === undefined) this.#fetchChunks(streamId);
    else this.#fetchStreams(streamId, this.#downloads);
  }

  #fetchChunks(streamId: Int64): void {
    const callback = {
      onSuccess: (index: number, buffer: BytesManagedBuffer) => {
        this.#outstanding -= 1;
        if (this.#isSettled[index] === false) this.#succeed(index, buffer.keep());
      },
      onFailure: (index: number, error: Error) => {
        this.#outstanding -= 1;
        this.#failFrom(index, error);
      },
    };
    for (let index = 0; index < this.blockIds.length; index += 1) {
      this.#outstanding += 1;
      this.#client.fetchChunkWith(streamId, index, callback);
    }
  }

  #fetchStreams(streamId: Int64, downloads: DownloadFiles): void {
    for (let index = 0; index < this.blockIds.length; index += 1) {
      const download = new FileDownload({
        downloads,
        channel: this.#client.channel,
        isWanted: () => this.#isSettled[index] === false,
        onSuccess: (buffer) => this.#succeed(index, buffer),
        onFailure: (error) => this.#failFrom(index, error),
      });
      this.#outstanding += 1;
      this.#client.stream(`${streamId}_${index}`, {
        onData: (id, bytes) => download.onData(id, bytes),
        onComplete: () => {
          this.#outstanding -= 1;
          download.onComplete();
        },
        onFailure: (id, error) => {
          this.#outstanding -= 1;
          download.onFailure(id, error);
        },
      });
    }
  }

  #succeed(index: number, buffer: ManagedBuffer): void {
    const blockId = this.#settle(index);
    if (blockId === null) buffer.release();
    else this.#listener.onBlockFetchSuccess(blockId, buffer);
  }

  /** A peer serves chunks in order: where one failed, those behind it are not to be relied on. */
  #failFrom(start: number, error: Error): void {
    for (let index = start; index < this.blockIds.length; index += 1) {
      const blockId = this.#settle(index);
      if (blockId !== null) this.#listener.onBlockFetchFailure(blockId, error);
    }
  }

  readonly #onAbort = (): void => {
    const error = aborted(this.#signal?.reason);
    this.#failFrom(0, error);
    // Others may be waiting on the same connection: then the answers come and are dropped.
    if (this.#outstanding === 0 || this.#client.outstanding > this.#outstanding) return;
    const text = "given up: nobody waits for what the peer is sending";
    this.#client.abort(new TransportError("CHANNEL_CLOSED", text, { cause: error }));
  };

  /** The block at `index`, once; null when the listener knows of it already. */
  #settle(index: number): string | null {
    if (this.#isSettled[index] !== false) return null;
    this.#isSettled[index] = true;
    this.#unsettled -= 1;
    if (this.#unsettled === 0) this.#signal?.removeEventListener("abort", this.#onAbort);
    return this.blockIds[index] ?? null;
  }
}

function aborted(reason: unknown): ShuffleError {
  if (reason instanceof ShuffleError && reason.code === "FETCH_ABORTED") return reason;
  return new ShuffleError("FETCH_ABORTED", "the fetch was given up", { cause: reason });
}

/** A wrong number of chunks would leave blocks without an answer, or ask for chunks without end. */
function readStreamId(response: Uint8Array, blockCount: number): Int64 {
  const handle = decodeBlockTransferMessage(response);
  if (handle.type !== "StreamHandle") {
    throw new ShuffleError("STREAM_HANDLE_INVALID", `${handle.type} instead of a StreamHandle`);
  }
  if (handle.numChunks !== blockCount) {
    const text = `${handle.numChunks} chunks were opened for ${blockCount} blocks`;
    throw new ShuffleError("STREAM_HANDLE_INVALID", text);
  }
  return handle.streamId;
}
