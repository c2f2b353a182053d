/**
 * The answering side of one connection: hands requests to the RpcHandler and its StreamManager and
 * writes what they answer. One message at a time, in order of arrival.
 */
import { ManagedBuffer } from "../buffer/managed-buffer.ts";
import type { Channel } from "../channel/channel.ts";
import { RawStreamInterceptor } from "../client/raw-stream-interceptor.ts";
import type { TransportClient } from "../client/transport-client.ts";
import type { FrameDecoder } from "../codec/frame-decoder.ts";
import type { RpcReplyCallback, StreamCallbackWithId } from "../handler/callbacks.ts";
import type { RpcHandler } from "../handler/rpc-handler.ts";
import type { Logger } from "../logger.ts";
import type { Int64 } from "../protocol/int64.ts";
import {
  type MergedBlockMetaRequest,
  type MessageBody,
  MessageType,
  type OneWayMessage,
  type RequestMessage,
  type ResponseMessage,
  type RpcRequest,
  type UploadStream,
} from "../protocol/message.ts";
import { TransportError } from "../transport-error.ts";
import type { AnswerBudget } from "./answer-budget.ts";
import { type AnswerListener, type AnswerWriter, BodyRequests } from "./body-requests.ts";
import { failureText, responseBodyOf } from "./failure-text.ts";
import { UploadReceiver } from "./upload-receiver.ts";

/** What holds for the requests of all connections of a context. */
export interface RequestRules {
  /** Connections are closed instead of served while this many chunks are being sent. */
  readonly maxChunksBeingTransferred: number;
  readonly answers: AnswerBudget;
  readonly logger: Logger;
}

/** What {@link TransportRequestHandler} takes. */
export interface TransportRequestHandlerOptions {
  readonly client: TransportClient;
  readonly rpcHandler: RpcHandler;
  readonly frameDecoder: FrameDecoder;
  readonly rules: RequestRules;
}

/** See the file comment. */
export class TransportRequestHandler implements AnswerWriter {
  readonly rpcHandler: RpcHandler;
  readonly #rules: RequestRules;
  readonly #client: TransportClient;
  readonly #frameDecoder: FrameDecoder;
  /** Made for the first chunk or stream. */
  #bodies: BodyRequests | null = null;
  #inProgress = 0;
  #onIdle: (() => void) | null = null;

  constructor(options: TransportRequestHandlerOptions) {
    this.#rules = options.rules;
    this.rpcHandler = options.rpcHandler;
    this.#client = options.client;
    this.#frameDecoder = options.frameDecoder;
  }

  get #channel(): Channel {
    return this.#client.channel;
  }

  /** Requests taken in whose answer is not written yet. */
  get inProgress(): number {
    return this.#inProgress;
  }

  /** Calls once as soon as nothing is in progress; at once when that is so now. */
  whenIdle(callback: () => void): void {
    if (this.#inProgress === 0) callback();
    else this.#onIdle = callback;
  }

  handle(message: RequestMessage): void {
    switch (message.type) {
      case MessageType.ChunkFetchRequest:
        return this.#takesBodyRequest()?.fetchChunk(message);
      case MessageType.RpcRequest:
        return this.#receiveRpc(message);
      case MessageType.StreamRequest:
        return this.#takesBodyRequest()?.openStream(message);
      case MessageType.OneWayMessage:
        return this.#receiveOneWay(message);
      case MessageType.UploadStream:
        return this.#receiveUpload(message);
      case MessageType.MergedBlockMetaRequest:
        return this.#receiveMergedBlockMeta(message);
    }
  }

  /** The connection is gone. */
  close(): void {
    this.#bodies?.close();
    try {
      this.rpcHandler.streamManager.connectionTerminated(this.#channel);
    } catch (error) {
      this.#rules.logger.error(`releasing the streams of a connection: ${String(error)}`);
    }
    this.rpcHandler.channelInactive(this.#client);
  }

  #receiveRpc(message: RpcRequest): void {
    const reply = this.#begin(message.requestId);
    try {
      this.rpcHandler.receive(this.#client, message.body as Uint8Array, reply);
    } catch (error) {
      reply.onFailure(error as Error);
    }
  }

  #receiveOneWay(message: OneWayMessage): void {
    try {
      this.rpcHandler.receiveOneWay(this.#client, message.body as Uint8Array);
    } catch (error) {
      const peer = this.#channel.remoteAddress;
      this.#rules.logger.error(`one-way message from ${peer}: ${String(error)}`);
    }
  }

  #receiveUpload(message: UploadStream): void {
    const reply = this.#begin(message.requestId);
    let receiver: StreamCallbackWithId;
    try {
      receiver = this.rpcHandler.receiveStream(this.#client, message.meta);
    } catch (error) {
      // The raw bytes that are on their way cannot be skipped: say why, then end the connection.
      reply.onFailure(error as Error);
      void this.#channel.close();
      return;
    }
    const upload = new UploadReceiver(receiver, reply, this.#channel);
    const byteCount = Number(message.bodyByteCount);
    if (byteCount <= 0) {
      upload.onComplete();
      return;
    }
    this.#frameDecoder.setInterceptor(new RawStreamInterceptor(receiver.id, byteCount, upload));
  }

  #receiveMergedBlockMeta(message: MergedBlockMetaRequest): void {
    const { requestId } = message;
    const reply = this.#begin(requestId);
    const callback = {
      onSuccess: (numChunks: number, body: MessageBody) =>
        reply.answerWith({ type: MessageType.MergedBlockMetaSuccess, requestId, numChunks, body }),
      onFailure: (error: Error) => reply.onFailure(error),
    };
    try {
      this.rpcHandler.receiveMergedBlockMetaRequest(this.#client, message, callback);
    } catch (error) {
      reply.onFailure(error as Error);
    }
  }

  /** Counts a request for a chunk or stream; null when it is refused. */
  #takesBodyRequest(): BodyRequests | null {
    if (this.#refusesForLoad()) return null;
    this.#inProgress += 1;
    this.#bodies ??= new BodyRequests({
      client: this.#client,
      rpcHandler: this.rpcHandler,
      budget: this.#rules.answers,
      writer: this,
    });
    return this.#bodies;
  }

  /** Overload is answered by closing: Spark retries broken connections, never failure messages. */
  #refusesForLoad(): boolean {
    const { maxChunksBeingTransferred, logger } = this.#rules;
    const count = this.rpcHandler.streamManager.chunksBeingTransferred();
    if (count < maxChunksBeingTransferred) return false;
    logger.warn(
      `closing ${this.#channel.remoteAddress}: ${count} chunks are being transferred, ` +
        `the limit is ${maxChunksBeingTransferred}`,
    );
    void this.#channel.close();
    return true;
  }

  #begin(requestId: Int64): Reply {
    this.#inProgress += 1;
    return new Reply(requestId, this);
  }

  /** Writes the answer to a request that was counted. */
  answer(message: ResponseMessage, listener: AnswerListener | null = null): void {
    // A channel that is closing refuses the message and leaves its body with us.
    const isRefused = !this.#channel.isActive;
    this.#channel.write(message, (error) => {
      if (isRefused) releaseBody(message);
      listener?.onSent();
      if (error !== null && this.#tellInstead(message, error)) return;
      this.#ended();
      if (error !== null && !isRefused) this.#channel.abort(error);
    });
  }

  /** An answer that does not fit into a frame becomes a failure message. */
  #tellInstead(message: ResponseMessage, error: Error): boolean {
    const isTooLarge = error instanceof TransportError && error.code === "BODY_TOO_LARGE";
    if (!isTooLarge || !("body" in message)) return false;
    const text = failureText(error);
    if (message.type === MessageType.ChunkFetchSuccess) {
      const { streamId, chunkIndex } = message;
      this.answer({ type: MessageType.ChunkFetchFailure, streamId, chunkIndex, error: text });
    } else if (message.type !== MessageType.StreamResponse) {
      const { requestId } = message;
      this.answer({ type: MessageType.RpcFailure, requestId, error: text });
    }
    return true;
  }

  #ended(): void {
    this.#inProgress -= 1;
    if (this.#inProgress > 0) return;
    const onIdle = this.#onIdle;
    this.#onIdle = null;
    onIdle?.();
  }
}

/** Answers one request once; a second answer is dropped, because the id may be in use again. */
class Reply implements RpcReplyCallback {
  readonly #requestId: Int64;
  readonly #requests: TransportRequestHandler;
  #isAnswered = false;

  constructor(requestId: Int64, requests: TransportRequestHandler) {
    this.#requestId = requestId;
    this.#requests = requests;
  }

  onSuccess(body: MessageBody): void {
    this.answerWith({ type: MessageType.RpcResponse, requestId: this.#requestId, body });
  }

  onFailure(error: Error): void {
    const requestId = this.#requestId;
    const body = responseBodyOf(error);
    this.answerWith(
      body === null
        ? { type: MessageType.RpcFailure, requestId, error: failureText(error) }
        : { type: MessageType.RpcResponse, requestId, body },
    );
  }

  answerWith(message: ResponseMessage): void {
    if (this.#isAnswered) {
      releaseBody(message);
      return;
    }
    this.#isAnswered = true;
    this.#requests.answer(message);
  }
}

function releaseBody(message: ResponseMessage): void {
  if ("body" in message && message.body instanceof ManagedBuffer) message.body.release();
}
