import type { BytesManagedBuffer } from "../buffer/bytes-managed-buffer.ts";
import type { MessageBody } from "../protocol/message.ts";

/** Takes the answer to a request that we sent. Exactly one of the two is called, once. */
export interface RpcResponseCallback {
  /** Borrowed: `keep()` the buffer to use it after this returns. */
  onSuccess(response: BytesManagedBuffer): void;
  onFailure(error: Error): void;
}

/** Gives the answer to a request that we received. Call exactly one of the two, once, in any turn. */
export interface RpcReplyCallback {
  /** The body is handed over: it must not change any more, and is released once written. */
  onSuccess(response: MessageBody): void;
  /** The peer gets `<javaClass>: <message>`; see the error's `javaClass`. */
  onFailure(error: Error): void;
}

/** Answer to one chunk request. Exactly one of the two is called, once. */
export interface ChunkReceivedCallback {
  /** Borrowed: `keep()` the buffer to use it after this returns. */
  onSuccess(chunkIndex: number, buffer: BytesManagedBuffer): void;
  onFailure(chunkIndex: number, error: Error): void;
}

/** Takes the answer to a merged-block-meta request. Exactly one of the two is called, once. */
export interface MergedBlockMetaCallback {
  /** `bitmaps` holds `numChunks` Roaring bitmaps back to back, borrowed. */
  onSuccess(numChunks: number, bitmaps: BytesManagedBuffer): void;
  onFailure(error: Error): void;
}

/** Gives the answer to a merged-block-meta request. Call exactly one of the two, once. */
export interface MergedBlockMetaReplyCallback {
  /** `bitmaps`: handed over. */
  onSuccess(numChunks: number, bitmaps: MessageBody): void;
  onFailure(error: Error): void;
}

/** Receives the raw bytes of a stream. One call at a time; nothing after onComplete or onFailure. */
export interface StreamCallback {
  /** Borrowed: copy what must outlive this call. A throw ends the stream and its channel. */
  onData(streamId: string, bytes: Uint8Array): void;
  onComplete(streamId: string): void;
  onFailure(streamId: string, error: Error): void;
}

/** Receives an uploaded stream on the serving side. */
export interface StreamCallbackWithId extends Omit<StreamCallback, "onData" | "onComplete"> {
  /** Free text, given back to every call. */
  readonly id: string;
  /**
   * Borrowed: copy what must outlive this call. A promise holds the sender up: nothing more is read
   * from its connection until it settles. A throw or a rejection ends the stream and its channel.
   */
  onData(streamId: string, bytes: Uint8Array): void | Promise<void>;
  /**
   * Called after the last byte; the answer goes out when the promise resolves. A rejection is
   * answered with a failure and leaves the channel open.
   */
  onComplete(streamId: string): void | Promise<void>;
  /** Body of the answer. Default: empty. */
  completionResponse?(): Uint8Array;
}
