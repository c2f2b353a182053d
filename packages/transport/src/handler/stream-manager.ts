import type { ManagedBuffer } from "../buffer/managed-buffer.ts";
import type { Channel } from "../channel/channel.ts";
import type { TransportClient } from "../client/transport-client.ts";
import type { Int64 } from "../protocol/int64.ts";
import { TransportError } from "../transport-error.ts";

/** A body, or null for "not found", now or later. Answers keep the order of the requests either way. */
export type BodyLookup = ManagedBuffer | null | Promise<ManagedBuffer | null>;

/** Serves the chunks of registered streams. A stream belongs to one connection and dies with it. */
export abstract class StreamManager {
  /** Hands over the chunk. Throws or rejects with the failure to be sent to the peer. */
  abstract getChunk(streamId: Int64, chunkIndex: number): BodyLookup;

  /** Hands over a whole named stream. Default: unsupported. */
  openStream(_streamId: string): BodyLookup {
    throw new TransportError("UNSUPPORTED", "named streams are not served here", {
      javaClass: "java.lang.UnsupportedOperationException",
    });
  }

  /** @throws TransportError STREAM_NOT_AUTHORIZED. Called before `getChunk`. */
  checkAuthorization(_client: TransportClient, _streamId: Int64): void {}

  /** As above for named streams. Called before `openStream`. */
  checkStreamAuthorization(_client: TransportClient, _streamId: string): void {}

  connectionTerminated(_channel: Channel): void {}

  /** Chunks handed out and not yet written; compared with `spark.shuffle.maxChunksBeingTransferred`. */
  chunksBeingTransferred(): number {
    return 0;
  }
  chunkBeingSent(_streamId: Int64): void {}
  chunkSent(_streamId: Int64): void {}
  streamBeingSent(_streamId: string): void {}
  streamSent(_streamId: string): void {}
}
