/**
 * One request for a chunk or a stream, from its lookup until its answer was sent. It is all of that
 * itself: what is made for each chunk makes most of the collector's work in a server of small blocks.
 */
import { BytesManagedBuffer } from "../buffer/bytes-managed-buffer.ts";
import type { ManagedBuffer } from "../buffer/managed-buffer.ts";
import type { BodyLookup, StreamManager } from "../handler/stream-manager.ts";
import { invariant } from "../invariant.ts";
import type { Int64 } from "../protocol/int64.ts";
import { MessageType, type ResponseMessage } from "../protocol/message.ts";
import { TransportError } from "../transport-error.ts";
import type { Answer } from "./answer-queue.ts";
import type { AnswerListener, BodyRequests } from "./body-requests.ts";
import { failureText } from "./failure-text.ts";
import type { Lookup } from "./ordered-lookups.ts";

/** What a body that is read while it is sent takes at most: two pieces of a file. */
const PIECES_BYTES_MAX = 1024 * 1024;

/** See the file comment. */
export abstract class BodyRequest implements Lookup, Answer, AnswerListener {
  readonly requests: BodyRequests;
  bytes = 0;
  heldBytes = 0;
  #answer: ResponseMessage | null = null;
  /** While it waits or is sent. */
  #body: ManagedBuffer | null = null;

  constructor(requests: BodyRequests) {
    this.requests = requests;
  }

  get streamManager(): StreamManager {
    return this.requests.rpcHandler.streamManager;
  }

  /** Once it is known. */
  get answer(): ResponseMessage {
    invariant(this.#answer !== null, "what is answered was looked up");
    return this.#answer;
  }

  abstract start(): BodyLookup;
  abstract answerWith(body: ManagedBuffer): ResponseMessage;
  abstract answerWithout(error: Error | null): ResponseMessage;
  /** Counts the body as one that is being sent, or not any more. */
  abstract countSending(isSending: boolean): void;

  done(body: ManagedBuffer | null, error: Error | null): void {
    if (body === null) {
      this.#answer = this.answerWithout(error);
    } else {
      this.#body = body;
      this.#answer = this.answerWith(body);
      const isInMemory = body instanceof BytesManagedBuffer;
      this.bytes = isInMemory ? body.size : Math.min(body.size, PIECES_BYTES_MAX);
      this.heldBytes = isInMemory ? body.size : 0;
      this.countSending(true);
    }
    this.requests.found(this);
  }

  /** The answer was sent or lost. */
  onSent(): void {
    if (this.#body !== null) this.countSending(false);
    this.requests.sent(this);
  }

  /** Gives up an answer that was not begun. */
  drop(): void {
    if (this.#body === null) return;
    this.#body.release();
    this.countSending(false);
  }
}

/** A chunk of a registered stream. */
export class ChunkBodyRequest extends BodyRequest {
  readonly #streamId: Int64;
  readonly #chunkIndex: number;

  constructor(requests: BodyRequests, streamId: Int64, chunkIndex: number) {
    super(requests);
    this.#streamId = streamId;
    this.#chunkIndex = chunkIndex;
  }

  start(): BodyLookup {
    this.streamManager.checkAuthorization(this.requests.client, this.#streamId);
    return this.streamManager.getChunk(this.#streamId, this.#chunkIndex);
  }

  answerWith(body: ManagedBuffer): ResponseMessage {
    return {
      type: MessageType.ChunkFetchSuccess,
      streamId: this.#streamId,
      chunkIndex: this.#chunkIndex,
      body,
    };
  }

  answerWithout(error: Error | null): ResponseMessage {
    return {
      type: MessageType.ChunkFetchFailure,
      streamId: this.#streamId,
      chunkIndex: this.#chunkIndex,
      error: failureText(error ?? new TransportError("STREAM_UNKNOWN", "Chunk was not found")),
    };
  }

  countSending(isSending: boolean): void {
    if (isSending) this.streamManager.chunkBeingSent(this.#streamId);
    else this.streamManager.chunkSent(this.#streamId);
  }
}

/** A whole stream by its name. */
export class StreamBodyRequest extends BodyRequest {
  readonly #streamId: string;

  constructor(requests: BodyRequests, streamId: string) {
    super(requests);
    this.#streamId = streamId;
  }

  start(): BodyLookup {
    this.streamManager.checkStreamAuthorization(this.requests.client, this.#streamId);
    return this.streamManager.openStream(this.#streamId);
  }

  answerWith(body: ManagedBuffer): ResponseMessage {
    return {
      type: MessageType.StreamResponse,
      streamId: this.#streamId,
      byteCount: body.size,
      body,
    };
  }

  answerWithout(error: Error | null): ResponseMessage {
    // Spark's class loader matches this text to the letter, without a final newline.
    const notFound = `Stream '${this.#streamId}' was not found.`;
    return {
      type: MessageType.StreamFailure,
      streamId: this.#streamId,
      error: error === null ? notFound : failureText(error),
    };
  }

  countSending(isSending: boolean): void {
    if (isSending) this.streamManager.streamBeingSent(this.#streamId);
    else this.streamManager.streamSent(this.#streamId);
  }
}
