/**
 * The requests of one connection for chunks and streams: each is looked up, waits for its turn in the
 * budget of all connections, and is answered, in the order of the requests.
 */
import { BytesManagedBuffer } from "../buffer/bytes-managed-buffer.ts";
import type { ManagedBuffer } from "../buffer/managed-buffer.ts";
import type { TransportClient } from "../client/transport-client.ts";
import type { RpcHandler } from "../handler/rpc-handler.ts";
import {
  type ChunkFetchRequest,
  MessageType,
  type ResponseMessage,
  type StreamRequest,
} from "../protocol/message.ts";
import { TransportError } from "../transport-error.ts";
import type { AnswerBudget } from "./answer-budget.ts";
import { type Answer, AnswerQueue, type AnswerSink } from "./answer-queue.ts";
import { failureText } from "./failure-text.ts";
import { OrderedLookups } from "./ordered-lookups.ts";

/** What a body that is read while it is sent takes at most: two pieces of a file. */
const PIECES_BYTES_MAX = 1024 * 1024;

/** Writes the answers. */
export interface AnswerWriter {
  /** `onSent` is called once, when the answer was sent or lost. */
  answer(message: ResponseMessage, onSent: () => void): void;
}

/** What {@link BodyRequests} takes. */
export interface BodyRequestsOptions {
  readonly client: TransportClient;
  readonly rpcHandler: RpcHandler;
  readonly budget: AnswerBudget;
  readonly writer: AnswerWriter;
}

/** The answer to a request for a chunk or a stream. */
interface BodyAnswer extends Answer {
  readonly message: ResponseMessage;
  /** Null when there is no body. */
  readonly body: ManagedBuffer | null;
  /** Called once, when the body was sent, lost or dropped. */
  readonly onSent: (() => void) | null;
}

/** See the file comment. */
export class BodyRequests implements AnswerSink<BodyAnswer> {
  readonly #client: TransportClient;
  readonly #rpcHandler: RpcHandler;
  readonly #writer: AnswerWriter;
  readonly #lookups: OrderedLookups;
  readonly #answers: AnswerQueue<BodyAnswer>;

  constructor({ client, rpcHandler, budget, writer }: BodyRequestsOptions) {
    this.#client = client;
    this.#rpcHandler = rpcHandler;
    this.#writer = writer;
    this.#lookups = new OrderedLookups(client.channel);
    this.#answers = new AnswerQueue(budget, this);
  }

  fetchChunk({ streamId, chunkIndex }: ChunkFetchRequest): void {
    const { streamManager } = this.#rpcHandler;
    this.#lookups.run(
      () => {
        streamManager.checkAuthorization(this.#client, streamId);
        return streamManager.getChunk(streamId, chunkIndex);
      },
      (body, error) => {
        if (body === null) {
          const text = failureText(error ?? chunkNotFound());
          const message = {
            type: MessageType.ChunkFetchFailure,
            streamId,
            chunkIndex,
            error: text,
          };
          this.#answers.add(answerWithout(message));
          return;
        }
        streamManager.chunkBeingSent(streamId);
        const message = { type: MessageType.ChunkFetchSuccess, streamId, chunkIndex, body };
        this.#answers.add(answerWith(message, body, () => streamManager.chunkSent(streamId)));
      },
    );
  }

  openStream({ streamId }: StreamRequest): void {
    const { streamManager } = this.#rpcHandler;
    this.#lookups.run(
      () => {
        streamManager.checkStreamAuthorization(this.#client, streamId);
        return streamManager.openStream(streamId);
      },
      (body, error) => {
        if (body === null) {
          // Spark's class loader matches this text to the letter, without a final newline.
          const text = error === null ? `Stream '${streamId}' was not found.` : failureText(error);
          const message = { type: MessageType.StreamFailure, streamId, error: text };
          this.#answers.add(answerWithout(message));
          return;
        }
        streamManager.streamBeingSent(streamId);
        const message = { type: MessageType.StreamResponse, streamId, byteCount: body.size, body };
        this.#answers.add(answerWith(message, body, () => streamManager.streamSent(streamId)));
      },
    );
  }

  /** The connection is gone. */
  close(): void {
    this.#lookups.close();
    this.#answers.close();
  }

  /** For the queue of answers. */
  sendAnswer(answer: BodyAnswer): void {
    this.#writer.answer(answer.message, () => {
      answer.onSent?.();
      this.#answers.sent(answer);
    });
  }

  /** For the queue of answers. */
  dropAnswer({ body, onSent }: BodyAnswer): void {
    body?.release();
    onSent?.();
  }

  /** For the queue of answers. */
  addQueuedBytes(bytes: number): void {
    this.#client.channel.addQueuedBytes(bytes);
  }
}

function answerWith(message: ResponseMessage, body: ManagedBuffer, onSent: () => void): BodyAnswer {
  const isInMemory = body instanceof BytesManagedBuffer;
  const bytes = isInMemory ? body.size : Math.min(body.size, PIECES_BYTES_MAX);
  return { message, body, onSent, bytes, heldBytes: isInMemory ? bytes : 0 };
}

function answerWithout(message: ResponseMessage): BodyAnswer {
  return { message, body: null, onSent: null, bytes: 0, heldBytes: 0 };
}

function chunkNotFound(): TransportError {
  return new TransportError("STREAM_UNKNOWN", "Chunk was not found");
}
