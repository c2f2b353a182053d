/**
 * What client and server say to each other; both import the same declarations. An artifact is called by
 * its key, the SHA-256 of its content in hexadecimal, so it never changes.
 */
import {
  defineMessage,
  type MessageCodec,
  type RpcEndpointAddress,
  RpcError,
  type RpcMessage,
} from "@bm/rpc";

/** The keys of all artifacts. */
export const List: RpcMessage<void, readonly string[]> = defineMessage({
  type: "List",
  reply: json(),
});

/** The port beside this one where contents are put and got. */
export const ContentPort: RpcMessage<void, number> = defineMessage({
  type: "ContentPort",
  reply: json(),
});

/** The endpoint that is named inside gets an Announce of each artifact from now on. */
export const Watch: RpcMessage<RpcEndpointAddress, void> = defineMessage({
  type: "Watch",
  request: json(),
});

/** The key of an artifact that has arrived. Server to watchers, and within the server. */
export const Announce: RpcMessage<string, void> = defineMessage({
  type: "Announce",
  request: json(),
});

/** Any codec will do; for protobuf there is `protobufCodec`. */
function json<Value>(): MessageCodec<Value> {
  return {
    encode: (value) => Buffer.from(JSON.stringify(value)),
    decode: (bytes) => {
      try {
        return JSON.parse(Buffer.from(bytes).toString()) as Value;
      } catch (cause) {
        throw new RpcError("MESSAGE_MALFORMED", "no JSON", { cause });
      }
    },
  };
}
