/**
 * The requests that one end of a connection can make. The end that accepted the connection has the
 * same object as its way back to the peer.
 *
 * The plain methods return promises and hand their result over. The `...With` methods take callbacks
 * that run in the turn in which the answer arrives, and allocate nothing else per request.
 */
import type { BytesManagedBuffer } from "../buffer/bytes-managed-buffer.ts";
import type { ManagedBuffer } from "../buffer/managed-buffer.ts";
import type { Channel } from "../channel/channel.ts";
import type {
  ChunkReceivedCallback,
  MergedBlockMetaCallback,
  RpcResponseCallback,
  StreamCallback,
} from "../handler/callbacks.ts";
import type { MergedBlockMetaQuery } from "../handler/rpc-handler.ts";
import type { Int64 } from "../protocol/int64.ts";
import { type Message, type MessageBody, MessageType } from "../protocol/message.ts";
import { TransportError } from "../transport-error.ts";
import { type RequestOptions, settleRequest } from "./settle-request.ts";
import type { TransportResponseHandler } from "./transport-response-handler.ts";

/** Which maps were merged into each chunk of a shuffle partition. */
export interface MergedBlockMeta {
  readonly numChunks: number;
  /** `numChunks` Roaring bitmaps back to back; owned by the caller. */
  readonly bitmaps: BytesManagedBuffer;
}

/** See the file comment. */
export class TransportClient {
  readonly channel: Channel;
  readonly #responses: TransportResponseHandler;
  #nextRequestId: number;
  #clientId: string | null = null;
  #isTimedOut = false;

  /** `firstRequestId` is any number; ids count up from it. */
  constructor(channel: Channel, responses: TransportResponseHandler, firstRequestId: number) {
    this.channel = channel;
    this.#responses = responses;
    this.#nextRequestId = firstRequestId;
  }

  /** The connection is up and was not marked as timed out. */
  get isActive(): boolean {
    return !this.#isTimedOut && this.channel.isActive;
  }

  /** `/10.0.0.1:7337` for numeric hosts, `name/10.0.0.1:7337` for names. */
  get remoteAddress(): string {
    return this.channel.remoteAddress;
  }

  /** The identity that authentication established, or null. */
  get clientId(): string | null {
    return this.#clientId;
  }

  /** @throws TransportError OPTION_INVALID when it was set before. */
  setClientId(clientId: string): void {
    if (this.#clientId !== null) {
      throw new TransportError("OPTION_INVALID", "Client ID has already been set.");
    }
    this.#clientId = clientId;
  }

  /** Requests that wait for an answer. */
  get outstanding(): number {
    return this.#responses.outstanding;
  }

  /**
   * Sends a request and gives the body of the answer, owned by the caller.
   * @throws TransportError REMOTE_FAILURE, REQUEST_TIMEOUT, REQUEST_ABORTED, CHANNEL_CLOSED,
   *   WRITE_FAILED, BODY_TOO_LARGE (rejects).
   */
  sendRpc(body: MessageBody, options: RequestOptions = {}): Promise<Uint8Array> {
    return settleRequest(this.channel.clock, options, (settle) => {
      const requestId = this.sendRpcWith(body, {
        onSuccess: (response) => settle.resolve(response.keep().view),
        onFailure: settle.reject,
      });
      return () => this.removeRpcRequest(requestId);
    });
  }

  /** Sends a request; gives its id. Failures go to the callback, never to the caller. */
  sendRpcWith(body: MessageBody, callback: RpcResponseCallback): Int64 {
    const requestId = this.#takeRequestId();
    this.#responses.addRpc(requestId, callback);
    const message = { type: MessageType.RpcRequest, requestId, body };
    this.channel.write(message, (error) => {
      if (error !== null) this.#failRequest(message, requestId, callback, error);
    });
    return requestId;
  }

  /** Sends a message that has no answer. A failed write closes the connection and tells nobody. */
  send(body: MessageBody): void {
    this.channel.write({ type: MessageType.OneWayMessage, body });
  }

  /**
   * Asks for one chunk of a stream, owned by the caller.
   * @throws TransportError CHUNK_FETCH_FAILED and those of `sendRpc` (rejects).
   */
  fetchChunk(
    streamId: Int64,
    chunkIndex: number,
    options: RequestOptions = {},
  ): Promise<BytesManagedBuffer> {
    return settleRequest(this.channel.clock, options, (settle) => {
      this.fetchChunkWith(streamId, chunkIndex, {
        onSuccess: (_index, buffer) => settle.resolve(buffer.keep()),
        onFailure: (_index, error) => settle.reject(error),
      });
      return () => this.#responses.removeChunk(streamId, chunkIndex);
    });
  }

  /** Asks for one chunk of a stream. Failures go to the callback, never to the caller. */
  fetchChunkWith(streamId: Int64, chunkIndex: number, callback: ChunkReceivedCallback): void {
    if (!this.#responses.addChunk(streamId, chunkIndex, callback)) {
      const text = `chunk ${chunkIndex} of stream ${streamId} is already being asked for`;
      callback.onFailure(chunkIndex, new TransportError("OPTION_INVALID", text));
      return;
    }
    const message = { type: MessageType.ChunkFetchRequest, streamId, chunkIndex };
    this.channel.write(message, (error) => {
      if (error === null) return;
      const wasWaiting = this.#responses.removeChunk(streamId, chunkIndex) !== null;
      const failure = this.#failed(message, error);
      if (wasWaiting) callback.onFailure(chunkIndex, failure);
    });
  }

  /** Asks for a named stream. Answers come in the order of the requests. */
  stream(streamId: string, callback: StreamCallback): void {
    if (!this.channel.isActive) {
      callback.onFailure(streamId, this.#writeFailure(streamId, null));
      return;
    }
    // The entry stays queued when the write fails: the channel closes then and fails it once.
    this.#responses.addStream(streamId, callback);
    const message = { type: MessageType.StreamRequest, streamId };
    this.channel.write(message, (error) => {
      if (error !== null) this.#failed(message, error);
    });
  }

  /**
   * Sends a body of any size beside a small header; gives the body of the answer.
   * @throws TransportError as `sendRpc`, and BODY_UNAVAILABLE when `data` cannot be read (rejects).
   */
  uploadStream(
    meta: Uint8Array,
    data: ManagedBuffer,
    options: RequestOptions = {},
  ): Promise<Uint8Array> {
    return settleRequest(this.channel.clock, options, (settle) => {
      const requestId = this.uploadStreamWith(meta, data, {
        onSuccess: (response) => settle.resolve(response.keep().view),
        onFailure: settle.reject,
      });
      return () => this.removeRpcRequest(requestId);
    });
  }

  /** As `uploadStream`; `data` is handed over and released once sent. */
  uploadStreamWith(meta: Uint8Array, data: ManagedBuffer, callback: RpcResponseCallback): Int64 {
    const requestId = this.#takeRequestId();
    this.#responses.addRpc(requestId, callback);
    const message = {
      type: MessageType.UploadStream,
      requestId,
      meta,
      bodyByteCount: data.size,
      body: data,
    };
    this.channel.write(message, (error) => {
      if (error !== null) this.#failRequest(message, requestId, callback, error);
    });
    return requestId;
  }

  /**
   * Asks which maps were merged into a shuffle partition.
   * @throws TransportError as `sendRpc` (rejects).
   */
  mergedBlockMeta(
    appId: string,
    shuffleId: number,
    shuffleMergeId: number,
    reduceId: number,
    options: RequestOptions = {},
  ): Promise<MergedBlockMeta> {
    const query = { appId, shuffleId, shuffleMergeId, reduceId };
    return settleRequest(this.channel.clock, options, (settle) => {
      const requestId = this.mergedBlockMetaWith(query, {
        onSuccess: (numChunks, bitmaps) => settle.resolve({ numChunks, bitmaps: bitmaps.keep() }),
        onFailure: settle.reject,
      });
      return () => this.removeRpcRequest(requestId);
    });
  }

  /** As `mergedBlockMeta`; gives the request's id. */
  mergedBlockMetaWith(query: MergedBlockMetaQuery, callback: MergedBlockMetaCallback): Int64 {
    const requestId = this.#takeRequestId();
    this.#responses.addMergedBlockMeta(requestId, callback);
    const message = { type: MessageType.MergedBlockMetaRequest, requestId, ...query };
    this.channel.write(message, (error) => {
      if (error !== null) this.#failRequest(message, requestId, callback, error);
    });
    return requestId;
  }

  /** Stops waiting for an answer; a late one is dropped. True when it was still awaited. */
  removeRpcRequest(requestId: Int64): boolean {
    return this.#responses.removeRpc(requestId);
  }

  /** Restarts the idle rule, so that a pool can hand this client out again. */
  touch(): void {
    this.#responses.touch();
  }

  /** Marks the client as unusable: no pool hands it out any more. */
  timeOut(): void {
    this.#isTimedOut = true;
  }

  /** Sends what is queued, then closes; outstanding requests fail. Safe to call twice. */
  close(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.timeOut();
    return this.channel.close(options);
  }

  /** Closes now; everything outstanding fails with `reason`. Safe to call twice. */
  abort(reason: Error): void {
    this.timeOut();
    this.channel.abort(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #takeRequestId(): number {
    const requestId = this.#nextRequestId;
    this.#nextRequestId += 1;
    return requestId;
  }

  /** A failed write fails its own request and closes the channel. */
  #failRequest(
    message: Message,
    requestId: Int64,
    callback: { onFailure(error: Error): void },
    error: Error,
  ): void {
    const wasWaiting = this.removeRpcRequest(requestId);
    const failure = this.#failed(message, error);
    if (wasWaiting) callback.onFailure(failure);
  }

  /** Closes the channel, for a frame may be half sent, unless the message was refused as a whole. */
  #failed(message: Message, error: Error): TransportError {
    const failure = this.#writeFailure(String(message.type), error);
    if (!isRefusedBeforeWriting(error)) this.channel.abort(failure);
    return failure;
  }

  #writeFailure(what: string, cause: Error | null): TransportError {
    if (cause !== null && isRefusedBeforeWriting(cause)) return cause;
    const detail = cause?.message ?? "the connection is closed";
    const text = `Failed to send ${what} to ${this.remoteAddress}: ${detail}`;
    const isClosed = cause === null || !this.channel.isActive;
    return new TransportError(isClosed ? "CHANNEL_CLOSED" : "WRITE_FAILED", text, {
      cause: cause ?? undefined,
    });
  }
}

/** The message was refused as a whole, so the connection is still in step. */
function isRefusedBeforeWriting(error: Error): error is TransportError {
  return error instanceof TransportError && error.code === "BODY_TOO_LARGE";
}
