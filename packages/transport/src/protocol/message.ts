/**
 * The thirteen messages of the protocol. Content of a frame = type byte, header fields, body.
 *
 *     id  message                  header after the type byte                              body
 *      0  ChunkFetchRequest        streamId i64, chunkIndex i32                            -
 *      1  ChunkFetchSuccess        streamId i64, chunkIndex i32                            in frame
 *      2  ChunkFetchFailure        streamId i64, chunkIndex i32, error str                 -
 *      3  RpcRequest               requestId i64, bodySize i32                             in frame
 *      4  RpcResponse              requestId i64, bodySize i32                             in frame
 *      5  RpcFailure               requestId i64, error str                                -
 *      6  StreamRequest            streamId str                                            -
 *      7  StreamResponse           streamId str, byteCount i64                             raw, after
 *      8  StreamFailure            streamId str, error str                                 -
 *      9  OneWayMessage            bodySize i32                                            in frame
 *     10  UploadStream             requestId i64, meta bytes, bodyByteCount i64            raw, after
 *     11  MergedBlockMetaRequest   requestId i64, appId str, shuffleId, mergeId, reduceId  -
 *     12  MergedBlockMetaSuccess   requestId i64, numChunks i32                            in frame
 *
 * Integers are big-endian and signed; str and bytes are an int32 length and the content.
 */
import type { BodyLease } from "../buffer/body-lease.ts";
import type { ManagedBuffer } from "../buffer/managed-buffer.ts";
import type { Int64 } from "./int64.ts";

/** Type bytes by name. */
export const MessageType = {
  ChunkFetchRequest: 0,
  ChunkFetchSuccess: 1,
  ChunkFetchFailure: 2,
  RpcRequest: 3,
  RpcResponse: 4,
  RpcFailure: 5,
  StreamRequest: 6,
  StreamResponse: 7,
  StreamFailure: 8,
  OneWayMessage: 9,
  UploadStream: 10,
  MergedBlockMetaRequest: 11,
  MergedBlockMetaSuccess: 12,
} as const;

/** A body on its way out (either form) or as it arrived (bytes, see `bodyLease`). */
export type MessageBody = Uint8Array | ManagedBuffer;

/** What every message with a body says of it. */
interface WithBody {
  readonly body: MessageBody;
  /** On arrival: set when the bytes are only lent for the current turn. */
  readonly bodyLease?: BodyLease | null;
}

/** Asks for one chunk of a registered stream. */
export interface ChunkFetchRequest {
  readonly type: typeof MessageType.ChunkFetchRequest;
  readonly streamId: Int64;
  readonly chunkIndex: number;
}

/** Carries one chunk. */
export interface ChunkFetchSuccess extends WithBody {
  readonly type: typeof MessageType.ChunkFetchSuccess;
  readonly streamId: Int64;
  readonly chunkIndex: number;
}

/** Says why a chunk cannot be had. */
export interface ChunkFetchFailure {
  readonly type: typeof MessageType.ChunkFetchFailure;
  readonly streamId: Int64;
  readonly chunkIndex: number;
  readonly error: string;
}

/** A request that is answered by RpcResponse or RpcFailure. */
export interface RpcRequest extends WithBody {
  readonly type: typeof MessageType.RpcRequest;
  readonly requestId: Int64;
}

/** Answers RpcRequest and UploadStream. */
export interface RpcResponse extends WithBody {
  readonly type: typeof MessageType.RpcResponse;
  readonly requestId: Int64;
}

/** Answers RpcRequest, UploadStream and MergedBlockMetaRequest. */
export interface RpcFailure {
  readonly type: typeof MessageType.RpcFailure;
  readonly requestId: Int64;
  readonly error: string;
}

/** Asks for a named stream. Answers come in the order of the requests. */
export interface StreamRequest {
  readonly type: typeof MessageType.StreamRequest;
  readonly streamId: string;
}

/** Announces `byteCount` raw bytes that follow the frame. */
export interface StreamResponse {
  readonly type: typeof MessageType.StreamResponse;
  readonly streamId: string;
  /** At most 0: an empty stream. */
  readonly byteCount: Int64;
  /** On the way out: the raw bytes. */
  readonly body?: MessageBody;
}

/** Says why a named stream cannot be had. */
export interface StreamFailure {
  readonly type: typeof MessageType.StreamFailure;
  readonly streamId: string;
  readonly error: string;
}

/** A message without an answer. */
export interface OneWayMessage extends WithBody {
  readonly type: typeof MessageType.OneWayMessage;
}

/** Announces `bodyByteCount` raw bytes that follow the frame. */
export interface UploadStream {
  readonly type: typeof MessageType.UploadStream;
  readonly requestId: Int64;
  /** Borrowed on arrival. */
  readonly meta: Uint8Array;
  /** At most 0: an empty upload. */
  readonly bodyByteCount: Int64;
  /** On the way out: the raw bytes. */
  readonly body?: MessageBody;
}

/** Asks which maps were merged into a shuffle partition. */
export interface MergedBlockMetaRequest {
  readonly type: typeof MessageType.MergedBlockMetaRequest;
  readonly requestId: Int64;
  readonly appId: string;
  readonly shuffleId: number;
  readonly shuffleMergeId: number;
  readonly reduceId: number;
}

/** Body: `numChunks` Roaring bitmaps back to back. */
export interface MergedBlockMetaSuccess extends WithBody {
  readonly type: typeof MessageType.MergedBlockMetaSuccess;
  readonly requestId: Int64;
  readonly numChunks: number;
}

/** Messages that ask for something. */
export type RequestMessage =
  | ChunkFetchRequest
  | RpcRequest
  | StreamRequest
  | OneWayMessage
  | UploadStream
  | MergedBlockMetaRequest;

/** Messages that answer. */
export type ResponseMessage =
  | ChunkFetchSuccess
  | ChunkFetchFailure
  | RpcResponse
  | RpcFailure
  | StreamResponse
  | StreamFailure
  | MergedBlockMetaSuccess;

/** Any message of the protocol. */
export type Message = RequestMessage | ResponseMessage;

const REQUEST_TYPES: ReadonlySet<number> = new Set([
  MessageType.ChunkFetchRequest,
  MessageType.RpcRequest,
  MessageType.StreamRequest,
  MessageType.OneWayMessage,
  MessageType.UploadStream,
  MessageType.MergedBlockMetaRequest,
]);

/** Tells the two halves of the protocol apart. */
export function isRequest(message: Message): message is RequestMessage {
  return REQUEST_TYPES.has(message.type);
}
