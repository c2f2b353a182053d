/** Turns the content of frames into messages. Layouts: protocol/message.ts. */
import type { BodyLease } from "../buffer/body-lease.ts";
import type { ChannelHandler, HandlerContext } from "../channel/channel-handler.ts";
import { ByteReader } from "../protocol/byte-reader.ts";
import { readInt64 } from "../protocol/int64.ts";
import { type Message, MessageType } from "../protocol/message.ts";
import { TransportError } from "../transport-error.ts";
import { FrameInRead, type InboundFrame } from "./frame.ts";

/** Inbound handler: frames in, messages out. A malformed one goes on as an exception. */
export class MessageDecoder implements ChannelHandler {
  channelRead(context: HandlerContext, input: unknown): void {
    let message: Message;
    try {
      message = decodeMessage(input as InboundFrame);
    } catch (error) {
      context.fireExceptionCaught(error as Error);
      return;
    }
    context.fireChannelRead(message);
  }
}

/** Type byte, an int64 and an int32: the layout of the five types that carry most of the traffic. */
const FIXED_HEADER_BYTES = 13;

/**
 * The message in a frame. Bytes after a complete header without body are ignored. The inner body
 * size of RPC messages is ignored too: only the frame length defines the body.
 * @throws TransportError MESSAGE_MALFORMED.
 */
export function decodeMessage(input: InboundFrame): Message {
  if (input instanceof FrameInRead)
    return decodeAt(input.read, input.start, input.end, input.lease);
  return decodeAt(input.bytes, 0, input.bytes.length, input.lease);
}

function decodeAt(bytes: Buffer, start: number, end: number, lease: BodyLease | null): Message {
  const type = bytes.readInt8(start);
  switch (type) {
    case MessageType.ChunkFetchSuccess:
    case MessageType.RpcRequest:
    case MessageType.RpcResponse:
    case MessageType.MergedBlockMetaSuccess:
    case MessageType.ChunkFetchRequest:
      return end - start < FIXED_HEADER_BYTES
        ? refuseShort(type, end - start)
        : decodeFixedHeader(type, bytes, start, end, lease);
    default:
      return decodeVariableHeader(type, new ByteReader(bytes.subarray(start, end)), lease);
  }
}

type FixedHeaderType =
  | typeof MessageType.ChunkFetchRequest
  | typeof MessageType.ChunkFetchSuccess
  | typeof MessageType.RpcRequest
  | typeof MessageType.RpcResponse
  | typeof MessageType.MergedBlockMetaSuccess;

function decodeFixedHeader(
  type: FixedHeaderType,
  bytes: Buffer,
  start: number,
  end: number,
  bodyLease: BodyLease | null,
): Message {
  const id = readInt64(bytes, start + 1);
  if (type === MessageType.ChunkFetchRequest) {
    return { type, streamId: id, chunkIndex: bytes.readInt32BE(start + 9) };
  }
  const body = bytes.subarray(start + FIXED_HEADER_BYTES, end);
  switch (type) {
    case MessageType.ChunkFetchSuccess:
      return { type, streamId: id, chunkIndex: bytes.readInt32BE(start + 9), body, bodyLease };
    case MessageType.MergedBlockMetaSuccess:
      return { type, requestId: id, numChunks: bytes.readInt32BE(start + 9), body, bodyLease };
    case MessageType.RpcRequest:
    case MessageType.RpcResponse:
      return { type, requestId: id, body, bodyLease };
  }
}

function decodeVariableHeader(
  type: number,
  reader: ByteReader,
  bodyLease: BodyLease | null,
): Message {
  reader.skip(1);
  switch (type) {
    case MessageType.ChunkFetchFailure:
      return {
        type,
        streamId: reader.readInt64(),
        chunkIndex: reader.readInt32(),
        error: reader.readString(),
      };
    case MessageType.RpcFailure:
      return { type, requestId: reader.readInt64(), error: reader.readString() };
    case MessageType.StreamRequest:
      return { type, streamId: reader.readString() };
    case MessageType.StreamResponse:
      return { type, streamId: reader.readString(), byteCount: reader.readInt64() };
    case MessageType.StreamFailure:
      return { type, streamId: reader.readString(), error: reader.readString() };
    case MessageType.OneWayMessage:
      reader.skip(4);
      return { type, body: reader.rest(), bodyLease };
    case MessageType.UploadStream:
      return {
        type,
        requestId: reader.readInt64(),
        meta: reader.readByteArray(),
        bodyByteCount: reader.readInt64(),
      };
    case MessageType.MergedBlockMetaRequest:
      return {
        type,
        requestId: reader.readInt64(),
        appId: reader.readString(),
        shuffleId: reader.readInt32(),
        shuffleMergeId: reader.readInt32(),
        reduceId: reader.readInt32(),
      };
    default:
      return refuseType(type);
  }
}

function refuseShort(type: number, length: number): never {
  throw new TransportError(
    "MESSAGE_MALFORMED",
    `message of type ${type} ends after ${length} bytes`,
    { javaClass: "java.lang.IndexOutOfBoundsException" },
  );
}

function refuseType(type: number): never {
  const text =
    type === -1 ? "User type messages cannot be decoded." : `Unknown message type: ${type}`;
  throw new TransportError("MESSAGE_MALFORMED", text, {
    javaClass: "java.lang.IllegalArgumentException",
  });
}
