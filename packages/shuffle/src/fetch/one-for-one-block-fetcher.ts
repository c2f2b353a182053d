/**
 * One attempt at fetching blocks over one connection: a request for a stream, then all its chunks.
 *
 *     OpenBlocks | FetchShuffleBlocks  ->
 *                                      <-  StreamHandle(streamId, n)
 *     ChunkFetchRequest 0 .. n - 1     ->
 *                                      <-  ChunkFetchSuccess | ChunkFetchFailure, in order
 */
import type { BytesManagedBuffer, Int64, TransportClient } from "@bm/transport";
import { decodeBlockTransferMessage } from "../protocol/decode-message.ts";
import { encodeBlockTransferMessage } from "../protocol/encode-message.ts";
import { ShuffleError } from "../shuffle-error.ts";
import type { BlockFetchingListener } from "./block-fetching-listener.ts";
import { type BlocksRequest, type BlocksWanted, createBlocksRequest } from "./blocks-request.ts";

/** What {@link OneForOneBlockFetcher} needs. */
export interface OneForOneBlockFetcherOptions extends BlocksWanted {
  readonly client: TransportClient;
  readonly listener: BlockFetchingListener;
}

/** See the file comment. Tells the listener about each block exactly once. */
export class OneForOneBlockFetcher {
  readonly #client: TransportClient;
  readonly #listener: BlockFetchingListener;
  readonly #request: BlocksRequest;
  readonly #isSettled: boolean[];

  /** @throws ShuffleError BLOCK_IDS_INVALID - none, or blocks that cannot be asked for together. */
  constructor(options: OneForOneBlockFetcherOptions) {
    this.#client = options.client;
    this.#listener = options.listener;
    this.#request = createBlocksRequest(options);
    this.#isSettled = this.#request.blockIds.map(() => false);
  }

  /** The blocks in the order of their chunks. */
  get blockIds(): readonly string[] {
    return this.#request.blockIds;
  }

  /** Sends the request. Call once. Failures go to the listener, never to the caller. */
  start(): void {
    this.#client.sendRpcWith(encodeBlockTransferMessage(this.#request.message), {
      onSuccess: (response) => this.#opened(response.view),
      onFailure: (error) => this.#failFrom(0, error),
    });
  }

  #opened(response: Uint8Array): void {
    let streamId: Int64;
    try {
      streamId = readStreamId(response, this.blockIds.length);
    } catch (error) {
      this.#failFrom(0, error as Error);
      return;
    }
    const callback = {
      onSuccess: (index: number, buffer: BytesManagedBuffer) => this.#succeed(index, buffer),
      onFailure: (index: number, error: Error) => this.#failFrom(index, error),
    };
    for (let index = 0; index < this.blockIds.length; index += 1) {
      this.#client.fetchChunkWith(streamId, index, callback);
    }
  }

  #succeed(index: number, buffer: BytesManagedBuffer): void {
    const blockId = this.#settle(index);
    if (blockId !== null) this.#listener.onBlockFetchSuccess(blockId, buffer.keep());
  }

  /** A peer serves chunks in order: where one failed, those behind it are not to be relied on. */
  #failFrom(start: number, error: Error): void {
    for (let index = start; index < this.blockIds.length; index += 1) {
      const blockId = this.#settle(index);
      if (blockId !== null) this.#listener.onBlockFetchFailure(blockId, error);
    }
  }

  /** The block at `index`, once; null when the listener knows of it already. */
  #settle(index: number): string | null {
    if (this.#isSettled[index] !== false) return null;
    this.#isSettled[index] = true;
    return this.blockIds[index] ?? null;
  }
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
