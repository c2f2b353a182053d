/** Connections of the load clients, as raw as our transport has them. */
import {
  NoOpRpcHandler,
  nodePlatform,
  type TransportClient,
  TransportConf,
  TransportContext,
} from "@bm/transport";

const conf = new TransportConf("shuffle", { "spark.shuffle.io.retryWait": "10ms" });
const rpcHandler = new NoOpRpcHandler(nodePlatform().random);
const factory = new TransportContext({ conf, rpcHandler }).createClientFactory();

/** A connection of its own to the service on this machine. */
export function connect(port: number): Promise<TransportClient> {
  return factory.createUnmanagedClient("127.0.0.1", port);
}
