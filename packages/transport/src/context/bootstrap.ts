import type { Channel } from "../channel/channel.ts";
import type { TransportClient } from "../client/transport-client.ts";
import type { RpcHandler } from "../handler/rpc-handler.ts";

/**
 * Runs on every new outgoing connection, in list order, before anybody can use it. Speaks through
 * ordinary RPCs (authentication does). A rejection closes the connection.
 */
export interface ClientBootstrap {
  doBootstrap(client: TransportClient, channel: Channel): Promise<void>;
}

/**
 * Runs on every accepted connection, in list order, before its pipeline exists. Gives the handler
 * to use, usually a wrapper of the one it got; the last one ends up outermost. Cannot send.
 */
export interface ServerBootstrap {
  doBootstrap(channel: Channel, rpcHandler: RpcHandler): RpcHandler;
}
