import { RpcEndpoint } from "../endpoint/rpc-endpoint.ts";
import { bm } from "../gen/rpc.js";
import { protobufCodec } from "../message/protobuf-codec.ts";
import { defineMessage, type RpcMessage } from "../message/rpc-message.ts";

/** Name of the endpoint that every environment has. */
export const ENDPOINT_VERIFIER = "endpoint-verifier";

/** Whether an endpoint of that name takes messages. */
export const CheckExistence: RpcMessage<string, boolean> = defineMessage({
  type: "CheckExistence",
  request: protobufCodec(bm.rpc.EndpointQuery, {
    toWire: (name) => ({ name }),
    fromWire: ({ name }) => name,
  }),
  reply: protobufCodec(bm.rpc.EndpointPresence, {
    toWire: (exists) => ({ exists }),
    fromWire: ({ exists }) => exists,
  }),
});

/** Tells peers which endpoints there are. */
export class EndpointVerifier extends RpcEndpoint {
  constructor(exists: (name: string) => boolean) {
    super();
    this.receiveAndReply(CheckExistence, exists);
  }
}
