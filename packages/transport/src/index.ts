/** A Netty-style framed transport, wire compatible with Apache Spark 3.3 to 4.x. See README.md. */
export type { BodyLease } from "./buffer/body-lease.ts";
export { BufferPool, type BufferPoolOptions } from "./buffer/buffer-pool.ts";
export { BytesManagedBuffer } from "./buffer/bytes-managed-buffer.ts";
export type { FileSegment } from "./buffer/file-segment.ts";
export {
  FileSegmentManagedBuffer,
  type FileSegmentOptions,
} from "./buffer/file-segment-managed-buffer.ts";
export { type BodyReader, ManagedBuffer } from "./buffer/managed-buffer.ts";
export {
  StreamManagedBuffer,
  type StreamManagedBufferOptions,
} from "./buffer/stream-managed-buffer.ts";
export { Channel, type ChannelOptions, type WriteWaterMarks } from "./channel/channel.ts";
export type { ChannelHandler, HandlerContext, WriteDone } from "./channel/channel-handler.ts";
export { IDLE_EVENT, IdleStateHandler } from "./channel/idle-state-handler.ts";
export { Pipeline, type PipelineEnds } from "./channel/pipeline.ts";
export { ClientFactory, type CreateClientOptions } from "./client/client-factory.ts";
export type { RequestOptions } from "./client/settle-request.ts";
export { type MergedBlockMeta, TransportClient } from "./client/transport-client.ts";
export { TransportResponseHandler } from "./client/transport-response-handler.ts";
export { ChunkedWriter } from "./codec/chunked-writer.ts";
export type { InboundFrame, OutboundFrame } from "./codec/frame.ts";
export {
  FrameDecoder,
  type FrameDecoderOptions,
  type StreamInterceptor,
} from "./codec/frame-decoder.ts";
export { decodeMessage, MessageDecoder } from "./codec/message-decoder.ts";
export { encodeMessage, MessageEncoder } from "./codec/message-encoder.ts";
export type { ConfKey, ConfType } from "./config/conf-key.ts";
export { CONF_KEYS } from "./config/conf-keys.ts";
export { describeConfKeys } from "./config/describe.ts";
export type { ConfValue } from "./config/read-conf-value.ts";
export { type ConfEntry, TransportConf } from "./config/transport-conf.ts";
export {
  type ByteUnit,
  parseByteSize,
  parseBytes,
  parseDurationMs,
  parseTime,
  type TimeUnit,
} from "./config/units.ts";
export type { ClientBootstrap, ServerBootstrap } from "./context/bootstrap.ts";
export { TransportChannelHandler } from "./context/transport-channel-handler.ts";
export {
  type InitializeOptions,
  type ServerOptions,
  TransportContext,
  type TransportContextOptions,
} from "./context/transport-context.ts";
export { TransportMetrics } from "./context/transport-metrics.ts";
export type {
  ChunkReceivedCallback,
  MergedBlockMetaCallback,
  MergedBlockMetaReplyCallback,
  RpcReplyCallback,
  RpcResponseCallback,
  StreamCallback,
  StreamCallbackWithId,
} from "./handler/callbacks.ts";
export { NoOpRpcHandler } from "./handler/no-op-rpc-handler.ts";
export { type MergedBlockMetaQuery, RpcHandler } from "./handler/rpc-handler.ts";
export { type BodyLookup, StreamManager } from "./handler/stream-manager.ts";
export { type Logger, silentLogger } from "./logger.ts";
export { type LoopEars, LoopLine } from "./loops/loop-line.ts";
export { type LoopServer, runServerLoop, type ServerLoop } from "./loops/run-server-loop.ts";
export { ServerLoops, type ServerLoopsOptions } from "./loops/server-loops.ts";
export { sharesPorts } from "./loops/shared-port.ts";
export type { LoopPort } from "./platform/node-loop-thread.ts";
export { nodePlatform } from "./platform/node-platform.ts";
export {
  type Clock,
  type ConnectOptions,
  type FileStat,
  type Files,
  isSameFile,
  type Listener,
  type ListenOptions,
  type Network,
  type OpenFile,
  type OpenMode,
  type Platform,
  type Random,
  type Socket,
  type SocketAddress,
  type SocketEvents,
  type Timer,
} from "./platform/platform.ts";
export { ByteReader } from "./protocol/byte-reader.ts";
export { ByteWriter } from "./protocol/byte-writer.ts";
export { type Int64, int64, readInt64, writeInt64 } from "./protocol/int64.ts";
export {
  type Message,
  type MessageBody,
  MessageType,
  type RequestMessage,
  type ResponseMessage,
} from "./protocol/message.ts";
export { utf8Bytes } from "./protocol/utf8.ts";
export {
  type ChunkSource,
  chunksOf,
  OneForOneStreamManager,
  parseStreamChunkId,
} from "./server/one-for-one-stream-manager.ts";
export { TransportServer } from "./server/transport-server.ts";
export {
  isConnectionError,
  TRANSPORT_ERROR_CODES,
  TransportError,
  type TransportErrorCode,
  type TransportErrorOptions,
} from "./transport-error.ts";
