/** One event loop of our server; `ours.ts` starts it. */
import { PeerHandler } from "@bm/interop";
import { runServerLoop, TransportConf, TransportContext } from "@bm/transport";

runServerLoop(({ address, data }) => {
  const conf = new TransportConf("shuffle");
  const context = new TransportContext({ conf, rpcHandler: new PeerHandler(data as string) });
  return context.createServer(address);
});
