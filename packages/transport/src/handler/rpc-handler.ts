import type { TransportClient } from "../client/transport-client.ts";
import type { MessageBody } from "../protocol/message.ts";
import { TransportError } from "../transport-error.ts";
import type {
  MergedBlockMetaReplyCallback,
  RpcReplyCallback,
  StreamCallbackWithId,
} from "./callbacks.ts";
import type { StreamManager } from "./stream-manager.ts";

/**
 * What a server does with requests. Called for one message at a time per connection, in order of
 * arrival. A throw answers that request with a failure; the connection lives on unless stated.
 */
export abstract class RpcHandler {
  /** Where chunk and stream requests find their data. */
  abstract readonly streamManager: StreamManager;

  /**
   * One request.
   * @param client the way back to the peer; the same object for the life of the connection
   * @param message borrowed: copy what must outlive this call
   * @param callback answers it, now or later, exactly once
   */
  abstract receive(client: TransportClient, message: Uint8Array, callback: RpcReplyCallback): void;

  /** A message without an answer. Default: `receive` with the answer thrown away. */
  receiveOneWay(client: TransportClient, message: Uint8Array): void {
    this.receive(client, message, { onSuccess: releaseBody, onFailure: () => {} });
  }

  /**
   * An upload. A throw answers with a failure **and closes the connection**, because the bytes that
   * are on their way cannot be skipped.
   * @param meta borrowed header of the upload
   */
  receiveStream(_client: TransportClient, _meta: Uint8Array): StreamCallbackWithId {
    throw new TransportError("UNSUPPORTED", "streams are not supported by this handler", {
      javaClass: "java.lang.UnsupportedOperationException",
    });
  }

  /** Default: refuses, so that no requester waits for its idle timeout (Spark stays silent here). */
  receiveMergedBlockMetaRequest(
    _client: TransportClient,
    _request: MergedBlockMetaQuery,
    callback: MergedBlockMetaReplyCallback,
  ): void {
    callback.onFailure(
      new TransportError("UNSUPPORTED", "merged blocks are not served here", {
        javaClass: "java.lang.UnsupportedOperationException",
      }),
    );
  }

  channelActive(_client: TransportClient): void {}
  channelInactive(_client: TransportClient): void {}
  exceptionCaught(_error: Error, _client: TransportClient): void {}
}

/** Which merged shuffle partition is asked for. */
export interface MergedBlockMetaQuery {
  readonly appId: string;
  readonly shuffleId: number;
  readonly shuffleMergeId: number;
  readonly reduceId: number;
}

function releaseBody(body: MessageBody): void {
  if (!(body instanceof Uint8Array)) body.release();
}
