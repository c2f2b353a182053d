/**
 * The requesting side of one connection: who waits for which answer.
 *
 * Answers to chunk and RPC requests are matched by id; answers to stream requests by order alone.
 * An answer that nobody waits for is counted and dropped.
 */
import type { BodyLease } from "../buffer/body-lease.ts";
import { BytesManagedBuffer } from "../buffer/bytes-managed-buffer.ts";
import type { Channel } from "../channel/channel.ts";
import type { FrameDecoder } from "../codec/frame-decoder.ts";
import type {
  ChunkReceivedCallback,
  MergedBlockMetaCallback,
  RpcResponseCallback,
  StreamCallback,
} from "../handler/callbacks.ts";
import type { Logger } from "../logger.ts";
import type { Int64 } from "../protocol/int64.ts";
import { type MessageBody, MessageType, type ResponseMessage } from "../protocol/message.ts";
import { TransportError, type TransportErrorCode } from "../transport-error.ts";
import { RawStreamInterceptor } from "./raw-stream-interceptor.ts";

type PendingRpc =
  | { readonly kind: "rpc"; readonly callback: RpcResponseCallback }
  | { readonly kind: "meta"; readonly callback: MergedBlockMetaCallback };

interface PendingStream {
  readonly streamId: string;
  readonly callback: StreamCallback;
}

/** See the file comment. */
export class TransportResponseHandler {
  readonly #channel: Channel;
  readonly #frameDecoder: FrameDecoder;
  readonly #logger: Logger;
  // Made with the first request: an accepted connection rarely makes one, and a map takes 170 bytes.
  #rpcs: Map<Int64, PendingRpc> | null = null;
  #chunks: Map<Int64, Map<number, ChunkReceivedCallback>> | null = null;
  #streams: PendingStream[] = [];
  #chunkCount = 0;
  #isReceivingStream = false;
  #lastRequestMs: number;

  constructor(channel: Channel, frameDecoder: FrameDecoder, logger: Logger) {
    this.#channel = channel;
    this.#frameDecoder = frameDecoder;
    this.#logger = logger;
    this.#lastRequestMs = channel.clock.nowMs();
  }

  /** Requests that wait for an answer, a stream being received included. */
  get outstanding(): number {
    const streams = this.#streams.length + (this.#isReceivingStream ? 1 : 0);
    return (this.#rpcs?.size ?? 0) + this.#chunkCount + streams;
  }

  /** When the last request was made, on the monotonic clock. */
  get lastRequestMs(): number {
    return this.#lastRequestMs;
  }

  /** Restarts the idle rule, as a new request does. */
  touch(): void {
    this.#lastRequestMs = this.#channel.clock.nowMs();
  }

  addRpc(requestId: Int64, callback: RpcResponseCallback): void {
    this.#addPending(requestId, { kind: "rpc", callback });
  }

  addMergedBlockMeta(requestId: Int64, callback: MergedBlockMetaCallback): void {
    this.#addPending(requestId, { kind: "meta", callback });
  }

  #addPending(requestId: Int64, pending: PendingRpc): void {
    this.touch();
    this.#rpcs ??= new Map();
    this.#rpcs.set(requestId, pending);
  }

  /** True when the request was still waiting. A late answer is dropped. */
  removeRpc(requestId: Int64): boolean {
    return this.#rpcs?.delete(requestId) ?? false;
  }

  /** False when the same chunk is already being asked for: the wire cannot tell the two apart. */
  addChunk(streamId: Int64, chunkIndex: number, callback: ChunkReceivedCallback): boolean {
    this.touch();
    this.#chunks ??= new Map();
    const ofStream = this.#chunks.get(streamId);
    if (ofStream?.has(chunkIndex)) return false;
    if (ofStream === undefined) this.#chunks.set(streamId, new Map([[chunkIndex, callback]]));
    else ofStream.set(chunkIndex, callback);
    this.#chunkCount += 1;
    return true;
  }

  /** The callback that was waiting, or null. */
  removeChunk(streamId: Int64, chunkIndex: number): ChunkReceivedCallback | null {
    const ofStream = this.#chunks?.get(streamId);
    const callback = ofStream?.get(chunkIndex);
    if (ofStream === undefined || callback === undefined) return null;
    ofStream.delete(chunkIndex);
    if (ofStream.size === 0) this.#chunks?.delete(streamId);
    this.#chunkCount -= 1;
    return callback;
  }

  addStream(streamId: string, callback: StreamCallback): void {
    this.touch();
    this.#streams.push({ streamId, callback });
  }

  handle(message: ResponseMessage): void {
    switch (message.type) {
      case MessageType.ChunkFetchSuccess: {
        const body = arrived(message);
        const callback = this.removeChunk(message.streamId, message.chunkIndex);
        if (callback === null) this.#dropUnknown("chunk", message.streamId);
        else callback.onSuccess(message.chunkIndex, body);
        return;
      }
      case MessageType.ChunkFetchFailure:
        this.#failChunk(message.streamId, message.chunkIndex, message.error);
        return;
      case MessageType.RpcResponse:
        this.#succeedRpc(message.requestId, arrived(message));
        return;
      case MessageType.MergedBlockMetaSuccess:
        this.#succeedMeta(message.requestId, message.numChunks, arrived(message));
        return;
      case MessageType.RpcFailure:
        this.#failRpc(message.requestId, remoteFailure("REMOTE_FAILURE", message.error));
        return;
      case MessageType.StreamResponse:
        this.#beginStream(message.streamId, Number(message.byteCount));
        return;
      case MessageType.StreamFailure:
        this.#failStream(message.streamId, message.error);
    }
  }

  /** Fails everything that waits. Safe to call with nothing outstanding. */
  failAll(error: Error): void {
    if (this.outstanding > 0) {
      this.#logger.warn(
        `${this.outstanding} requests outstanding when the connection to ` +
          `${this.#channel.remoteAddress} failed: ${error.message}`,
      );
    }
    const chunks = this.#chunks;
    const rpcs = this.#rpcs;
    const streams = this.#streams;
    this.#chunks = null;
    this.#chunkCount = 0;
    this.#rpcs = null;
    this.#streams = [];
    for (const ofStream of chunks?.values() ?? []) {
      for (const [index, callback] of ofStream)
        this.#isolate(() => callback.onFailure(index, error));
    }
    for (const { callback } of rpcs?.values() ?? []) this.#isolate(() => callback.onFailure(error));
    for (const stream of streams) {
      this.#isolate(() => stream.callback.onFailure(stream.streamId, error));
    }
  }

  #succeedRpc(requestId: Int64, body: BytesManagedBuffer): void {
    const pending = this.#rpcs?.get(requestId);
    if (pending === undefined) return this.#dropUnknown("RPC", requestId);
    if (pending.kind === "meta") return this.#failRpc(requestId, wrongKind("RpcResponse"));
    this.#rpcs?.delete(requestId);
    pending.callback.onSuccess(body);
  }

  #succeedMeta(requestId: Int64, numChunks: number, body: BytesManagedBuffer): void {
    const pending = this.#rpcs?.get(requestId);
    if (pending === undefined) return this.#dropUnknown("merged block meta", requestId);
    if (pending.kind === "rpc")
      return this.#failRpc(requestId, wrongKind("MergedBlockMetaSuccess"));
    this.#rpcs?.delete(requestId);
    pending.callback.onSuccess(numChunks, body);
  }

  #failRpc(requestId: Int64, error: TransportError): void {
    const pending = this.#rpcs?.get(requestId);
    if (pending === undefined) return this.#dropUnknown("RPC", requestId);
    this.#rpcs?.delete(requestId);
    pending.callback.onFailure(error);
  }

  #failChunk(streamId: Int64, chunkIndex: number, text: string): void {
    const callback = this.removeChunk(streamId, chunkIndex);
    if (callback === null) return this.#dropUnknown("chunk", streamId);
    const where = `Failure while fetching StreamChunkId[streamId=${streamId},chunkIndex=${chunkIndex}]`;
    callback.onFailure(chunkIndex, remoteFailure("CHUNK_FETCH_FAILED", text, `${where}: `));
  }

  #beginStream(streamId: string, byteCount: number): void {
    const pending = this.#streams.shift();
    if (pending === undefined) {
      // Its raw bytes cannot be told from frames, so nothing after it can be trusted.
      throw new TransportError("MESSAGE_UNEXPECTED", `stream ${streamId} was not asked for`);
    }
    if (byteCount <= 0) {
      pending.callback.onComplete(streamId);
      return;
    }
    this.#isReceivingStream = true;
    this.#frameDecoder.setInterceptor(
      new RawStreamInterceptor(streamId, byteCount, pending.callback, () => {
        this.#isReceivingStream = false;
      }),
    );
  }

  #failStream(streamId: string, text: string): void {
    const pending = this.#streams.shift();
    if (pending === undefined) return this.#dropUnknown("stream", streamId);
    pending.callback.onFailure(streamId, remoteFailure("STREAM_FAILED", text));
  }

  #dropUnknown(what: string, id: Int64 | string): void {
    const peer = this.#channel.remoteAddress;
    this.#logger.warn(`ignoring a ${what} answer from ${peer} that nobody waits for (${id})`);
  }

  /** A callback that throws must not keep the others from being told. */
  #isolate(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#logger.error(`a failure callback threw: ${String(error)}`);
    }
  }
}

function arrived(message: {
  readonly body: MessageBody;
  readonly bodyLease?: BodyLease | null;
}): BytesManagedBuffer {
  return new BytesManagedBuffer(message.body as Uint8Array, message.bodyLease ?? null);
}

/** The peer's text is kept whole; its first word up to the colon is a Java class name if it is a JVM. */
function remoteFailure(code: TransportErrorCode, text: string, prefix = ""): TransportError {
  const javaClass = /^([\w$]+(?:\.[\w$]+)+)(?::|\n|$)/.exec(text)?.[1];
  return new TransportError(code, prefix + text, javaClass === undefined ? {} : { javaClass });
}

function wrongKind(what: string): TransportError {
  return new TransportError("MESSAGE_UNEXPECTED", `${what} answers another kind of request`);
}
