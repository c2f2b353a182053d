import { RpcError } from "../rpc-error.ts";
import type { MessageCodec } from "./rpc-message.ts";

/** The part of a class of a protobufjs static module that is used here. */
export interface ProtobufType<Properties, Shape> {
  encode(message: Properties): { finish(isShared?: boolean): Uint8Array };
  decode(bytes: Uint8Array): Shape;
}

/** How values of our own type become protobuf fields, and back. */
export interface ProtobufMapping<Value, Properties, Shape> {
  /** 64-bit fields must be `Long` or safe numbers: protobufjs writes a bigint as 0. */
  toWire(value: Value): Properties;
  /** Any error it throws makes the message MESSAGE_MALFORMED. */
  fromWire(wire: Shape): Value;
}

/** A codec on a class of a protobufjs static module. */
export function protobufCodec<Value, Properties, Shape>(
  type: ProtobufType<Properties, Shape>,
  mapping: ProtobufMapping<Value, Properties, Shape>,
): MessageCodec<Value> {
  return {
    // A view on the writer's own memory, which is used once: saves a copy.
    encode: (value) => type.encode(mapping.toWire(value)).finish(true),
    decode: (bytes) => {
      try {
        return mapping.fromWire(type.decode(bytes));
      } catch (cause) {
        throw malformed(cause);
      }
    },
  };
}

function malformed(cause: unknown): RpcError {
  if (cause instanceof RpcError && cause.code === "MESSAGE_MALFORMED") return cause;
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new RpcError("MESSAGE_MALFORMED", detail, { cause });
}
