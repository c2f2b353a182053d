/** A server whose answer names its event loop; some requests are orders. */
import { threadId } from "node:worker_threads";
import {
  NoOpRpcHandler,
  nodePlatform,
  type RpcReplyCallback,
  runServerLoop,
  type ServerLoop,
  type TransportClient,
  TransportConf,
  TransportContext,
} from "../../src/index.ts";

class NamingHandler extends NoOpRpcHandler {
  readonly #loop: ServerLoop;

  constructor(loop: ServerLoop) {
    super(nodePlatform().random);
    this.#loop = loop;
  }

  override receive(
    _client?: TransportClient,
    message?: Uint8Array,
    reply?: RpcReplyCallback,
  ): void {
    const order = Buffer.from(message ?? []).toString();
    if (order === "die") process.exit(7);
    if (order.startsWith("ask ")) {
      this.#loop.line.ask(order.slice(4)).then(
        (answer) => reply?.onSuccess(Buffer.from(String(answer))),
        (error: unknown) => reply?.onFailure(error as Error),
      );
    } else if (order === "hang") this.#loop.line.post("hanging");
    else reply?.onSuccess(Buffer.from(`${String(this.#loop.data)} ${threadId}`));
  }
}

runServerLoop((loop) => {
  if (loop.data === "broken") throw new Error("this loop is broken");
  const conf = new TransportConf("loops");
  const context = new TransportContext({ conf, rpcHandler: new NamingHandler(loop) });
  return context.createServer(loop.address);
});
