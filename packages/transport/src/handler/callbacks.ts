import type { ManagedBuffer } from "../buffer/managed-buffer.ts";

/** Answer to one request. Exactly one of the two is called, once. */
export interface RpcResponseCallback {
  /** On the requesting side the body is borrowed: `keep()` it to use it after this returns. */
  onSuccess(response: ManagedBuffer): void;
  onFailure(error: Error): void;
}

/** Answer to one chunk request. Exactly one of the two is called, once. */
export interface ChunkReceivedCallback {
  /** Borrowed: `keep()` the buffer to use it after this returns. */
  onSuccess(chunkIndex: number, buffer: ManagedBuffer): void;
  onFailure(chunkIndex: number, error: Error): void;
}

/** Answer to one merged-block-meta request. Exactly one of the two is called, once. */
export interface MergedBlockMetaCallback {
  /** `bitmaps` holds `numChunks` Roaring bitmaps back to back, borrowed. */
  onSuccess(numChunks: number, bitmaps: ManagedBuffer): void;
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
export interface StreamCallbackWithId extends Omit<StreamCallback, "onComplete"> {
  /** Free text, given back to every call. */
  readonly id: string;
  /**
   * Called after the last byte; the answer goes out when the promise resolves. A rejection is
   * answered with a failure and leaves the channel open.
   */
  onComplete(streamId: string): void | Promise<void>;
  /** Body of the answer. Default: empty. */
  completionResponse?(): Uint8Array;
}
