/** Typed endpoints that send each other messages, within a process and between processes. */
export {
  equalRpcAddresses,
  formatRpcAddress,
  parseRpcAddress,
  type RpcAddress,
  type RpcEndpointAddress,
} from "./address/rpc-address.ts";
export { RpcConf, type RpcConfValues } from "./config/rpc-conf.ts";
export type { AskOptions } from "./endpoint/ask-once.ts";
export type { RetryOptions } from "./endpoint/ask-until-answered.ts";
export type { EndpointState } from "./endpoint/inbox.ts";
export { LaterReply, replyLater } from "./endpoint/reply-later.ts";
export {
  type MessageHandler,
  type RpcAnswer,
  type RpcCall,
  RpcEndpoint,
  type RpcPeer,
} from "./endpoint/rpc-endpoint.ts";
export { RpcEndpointRef, type RpcEndpointRefOptions } from "./endpoint/rpc-endpoint-ref.ts";
export { type EndpointOptions, RpcEnv, type RpcEnvOptions } from "./env/rpc-env.ts";
export {
  type EndpointAddressFields,
  endpointAddressFromWire,
  endpointAddressToWire,
} from "./message/endpoint-address-fields.ts";
export {
  type ProtobufMapping,
  type ProtobufType,
  protobufCodec,
} from "./message/protobuf-codec.ts";
export {
  defineMessage,
  emptyCodec,
  type MessageCodec,
  type MessageDefinition,
  type RpcMessage,
} from "./message/rpc-message.ts";
export {
  int64FromWire,
  int64ToWire,
  sizeFromWire,
  sizeToWire,
  type WireInteger,
} from "./message/wire-integers.ts";
export {
  isRetryable,
  RPC_ERROR_CODES,
  RpcError,
  type RpcErrorCode,
  type RpcErrorOptions,
} from "./rpc-error.ts";
