/**
 * Turns messages into frames. The frame length counts itself and an in-frame body, but not the raw
 * bytes that follow StreamResponse and UploadStream. Layouts: protocol/message.ts.
 */
// The global is an accessor, which compiled code calls each time.
import { Buffer } from "node:buffer";
import type { ChannelHandler, HandlerContext, WriteDone } from "../channel/channel-handler.ts";
import { type Int64, writeInt64 } from "../protocol/int64.ts";
import {
  type Message,
  type MessageBody,
  MessageType,
  type RpcResponse,
} from "../protocol/message.ts";
import { utf8Bytes } from "../protocol/utf8.ts";
import { TransportError } from "../transport-error.ts";
import type { OutboundFrame } from "./frame.ts";

/** The length field and the type byte. */
const PREFIX_BYTES = 9;
/** A JVM peer holds the content in one buffer, whose size is an int32. */
const CONTENT_BYTES_MAX = 0x7fff_fffe;

/** Outbound handler: messages in, frames out. */
export class MessageEncoder implements ChannelHandler {
  write(context: HandlerContext, message: unknown, done: WriteDone): void {
    context.write(encodeMessage(message as Message), done);
  }
}

/**
 * The frame of one message.
 * @throws TransportError BODY_TOO_LARGE when the content does not fit into one frame.
 */
export function encodeMessage(message: Message): OutboundFrame {
  switch (message.type) {
    case MessageType.ChunkFetchRequest:
      return frame(chunkHeader(message.type, message, 0), null);
    case MessageType.ChunkFetchSuccess:
      return encodeChunkFetchSuccess(message);
    case MessageType.ChunkFetchFailure:
      return frame(chunkFailureHeader(message, message.error), null);
    case MessageType.RpcRequest:
      return frame(rpcHeader(message.type, message.requestId, message.body), message.body);
    case MessageType.RpcResponse:
      return encodeRpcResponse(message);
    case MessageType.RpcFailure:
      return frame(rpcFailureHeader(message.requestId, message.error), null);
    case MessageType.StreamRequest:
      return frame(streamHeader(message.type, [message.streamId]), null);
    case MessageType.StreamResponse:
      return frame(
        streamHeader(message.type, [message.streamId], message.byteCount),
        message.body ?? null,
        (cause) => streamHeader(MessageType.StreamFailure, [message.streamId, bareText(cause)]),
      );
    case MessageType.StreamFailure:
      return frame(streamHeader(message.type, [message.streamId, message.error]), null);
    case MessageType.OneWayMessage:
      return frame(oneWayHeader(message.body), message.body);
    case MessageType.UploadStream:
      return frame(uploadHeader(message), message.body ?? null);
    case MessageType.MergedBlockMetaRequest:
      return frame(mergedBlockMetaRequestHeader(message), null);
    case MessageType.MergedBlockMetaSuccess:
      return frame(
        mergedBlockMetaSuccessHeader(message, sizeOf(message.body)),
        message.body,
        (cause) => rpcFailureHeader(message.requestId, bareText(cause)),
      );
  }
}

function encodeRpcResponse({ type, requestId, body }: RpcResponse): OutboundFrame {
  const header = rpcHeader(type, requestId, body);
  // Bytes are there already, and nothing needs to stand for them.
  if (body instanceof Uint8Array) return frame(header, body);
  return frame(header, body, (cause) => rpcFailureHeader(requestId, bareText(cause)));
}

/** Bytes of a body in either form. */
export function sizeOf(body: MessageBody): number {
  return body instanceof Uint8Array ? body.length : body.size;
}

function frame(
  header: Buffer,
  body: MessageBody | null,
  substitute: OutboundFrame["substitute"] = null,
): OutboundFrame {
  return { header, body: body !== null && sizeOf(body) === 0 ? null : body, substitute };
}

/** Allocates a header and writes the length field and the type byte. */
function startHeader(type: number, fieldBytes: number, inFrameBodyBytes: number): Buffer {
  const contentBytes = 1 + fieldBytes + inFrameBodyBytes;
  if (contentBytes > CONTENT_BYTES_MAX) {
    throw new TransportError(
      "BODY_TOO_LARGE",
      `a body of ${inFrameBodyBytes} bytes does not fit into one frame; use a stream`,
    );
  }
  const header = Buffer.allocUnsafe(PREFIX_BYTES + fieldBytes);
  writeInt64(header, PREFIX_BYTES - 1 + contentBytes, 0);
  header.writeInt8(type, 8);
  return header;
}

interface ChunkKey {
  readonly streamId: Int64;
  readonly chunkIndex: number;
}

function chunkHeader(type: number, key: ChunkKey, bodyBytes: number, extraBytes = 0): Buffer {
  const header = startHeader(type, 12 + extraBytes, bodyBytes);
  const offset = writeInt64(header, key.streamId, PREFIX_BYTES);
  header.writeInt32BE(key.chunkIndex, offset);
  return header;
}

function encodeChunkFetchSuccess(message: ChunkKey & { body: MessageBody }): OutboundFrame {
  const { body } = message;
  const header = chunkHeader(MessageType.ChunkFetchSuccess, message, sizeOf(body));
  // Bytes are there already, and nothing needs to stand for them.
  if (body instanceof Uint8Array) return frame(header, body);
  return frame(header, body, (cause) => chunkFailureHeader(message, bareText(cause)));
}

function chunkFailureHeader(key: ChunkKey, error: string): Buffer {
  const text = utf8Bytes(error);
  const header = chunkHeader(MessageType.ChunkFetchFailure, key, 0, 4 + text.length);
  writeBytes(header, text, PREFIX_BYTES + 12);
  return header;
}

function rpcHeader(type: number, requestId: Int64, body: MessageBody): Buffer {
  const bodyBytes = sizeOf(body);
  const header = startHeader(type, 12, bodyBytes);
  const offset = writeInt64(header, requestId, PREFIX_BYTES);
  header.writeInt32BE(bodyBytes, offset);
  return header;
}

function rpcFailureHeader(requestId: Int64, error: string): Buffer {
  const text = utf8Bytes(error);
  const header = startHeader(MessageType.RpcFailure, 12 + text.length, 0);
  writeBytes(header, text, writeInt64(header, requestId, PREFIX_BYTES));
  return header;
}

function streamHeader(type: number, strings: readonly string[], byteCount?: Int64): Buffer {
  const texts = strings.map(utf8Bytes);
  const textBytes = texts.reduce((sum, text) => sum + 4 + text.length, 0);
  const header = startHeader(type, textBytes + (byteCount === undefined ? 0 : 8), 0);
  let offset = PREFIX_BYTES;
  for (const text of texts) offset = writeBytes(header, text, offset);
  if (byteCount !== undefined) writeInt64(header, byteCount, offset);
  return header;
}

function oneWayHeader(body: MessageBody): Buffer {
  const bodyBytes = sizeOf(body);
  const header = startHeader(MessageType.OneWayMessage, 4, bodyBytes);
  header.writeInt32BE(bodyBytes, PREFIX_BYTES);
  return header;
}

function uploadHeader(message: {
  readonly requestId: Int64;
  readonly meta: Uint8Array;
  readonly bodyByteCount: Int64;
}): Buffer {
  const header = startHeader(MessageType.UploadStream, 20 + message.meta.length, 0);
  const metaOffset = writeInt64(header, message.requestId, PREFIX_BYTES);
  writeInt64(header, message.bodyByteCount, writeBytes(header, message.meta, metaOffset));
  return header;
}

function mergedBlockMetaRequestHeader(message: {
  readonly requestId: Int64;
  readonly appId: string;
  readonly shuffleId: number;
  readonly shuffleMergeId: number;
  readonly reduceId: number;
}): Buffer {
  const appId = utf8Bytes(message.appId);
  const header = startHeader(MessageType.MergedBlockMetaRequest, 24 + appId.length, 0);
  let offset = writeInt64(header, message.requestId, PREFIX_BYTES);
  offset = writeBytes(header, appId, offset);
  offset = header.writeInt32BE(message.shuffleId, offset);
  offset = header.writeInt32BE(message.shuffleMergeId, offset);
  header.writeInt32BE(message.reduceId, offset);
  return header;
}

function mergedBlockMetaSuccessHeader(
  message: { readonly requestId: Int64; readonly numChunks: number },
  bodyBytes: number,
): Buffer {
  const header = startHeader(MessageType.MergedBlockMetaSuccess, 12, bodyBytes);
  header.writeInt32BE(message.numChunks, writeInt64(header, message.requestId, PREFIX_BYTES));
  return header;
}

/** int32 length and the bytes; gives the offset after them. */
function writeBytes(header: Buffer, bytes: Uint8Array, offset: number): number {
  const start = header.writeInt32BE(bytes.length, offset);
  header.set(bytes, start);
  return start + bytes.length;
}

/** A body that cannot be opened is reported by its bare message, as Spark does. */
function bareText(cause: Error): string {
  return cause.message === "" ? "null" : cause.message;
}
