/**
 * The requests of one connection for chunks and streams: each is looked up, waits for its turn in the
 * budget of all connections, and is answered, in the order of the requests.
 */
import type { TransportClient } from "../client/transport-client.ts";
import type { RpcHandler } from "../handler/rpc-handler.ts";
import type { ChunkFetchRequest, ResponseMessage, StreamRequest } from "../protocol/message.ts";
import type { AnswerBudget } from "./answer-budget.ts";
import { AnswerQueue, type AnswerSink } from "./answer-queue.ts";
import { type BodyRequest, ChunkBodyRequest, StreamBodyRequest } from "./body-request.ts";
import { OrderedLookups } from "./ordered-lookups.ts";

/** Writes the answers. */
export interface AnswerWriter {
  answer(message: ResponseMessage, listener: AnswerListener): void;
}

/** Hears of one answer. */
export interface AnswerListener {
  /** Called once, when the answer was sent or lost. */
  onSent(): void;
}

/** What {@link BodyRequests} takes. */
export interface BodyRequestsOptions {
  readonly client: TransportClient;
  readonly rpcHandler: RpcHandler;
  readonly budget: AnswerBudget;
  readonly writer: AnswerWriter;
}

/** See the file comment. */
export class BodyRequests implements AnswerSink<BodyRequest> {
  readonly client: TransportClient;
  readonly rpcHandler: RpcHandler;
  readonly #writer: AnswerWriter;
  readonly #lookups: OrderedLookups;
  readonly #answers: AnswerQueue<BodyRequest>;

  constructor({ client, rpcHandler, budget, writer }: BodyRequestsOptions) {
    this.client = client;
    this.rpcHandler = rpcHandler;
    this.#writer = writer;
    this.#lookups = new OrderedLookups(client.channel);
    this.#answers = new AnswerQueue(budget, this);
  }

  fetchChunk({ streamId, chunkIndex }: ChunkFetchRequest): void {
    this.#lookups.run(new ChunkBodyRequest(this, streamId, chunkIndex));
  }

  openStream({ streamId }: StreamRequest): void {
    this.#lookups.run(new StreamBodyRequest(this, streamId));
  }

  /** The connection is gone. */
  close(): void {
    this.#lookups.close();
    this.#answers.close();
  }

  /** For a request whose answer is known. */
  found(request: BodyRequest): void {
    this.#answers.add(request);
  }

  /** For a request whose answer was sent or lost. */
  sent(request: BodyRequest): void {
    this.#answers.sent(request);
  }

  /** For the queue of answers. */
  sendAnswer(request: BodyRequest): void {
    this.#writer.answer(request.answer, request);
  }

  /** For the queue of answers. */
  dropAnswer(request: BodyRequest): void {
    request.drop();
  }

  /** For the queue of answers. */
  addQueuedBytes(bytes: number): void {
    this.client.channel.addQueuedBytes(bytes);
  }
}
