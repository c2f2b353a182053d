import type { Random } from "../platform/platform.ts";
import { OneForOneStreamManager } from "../server/one-for-one-stream-manager.ts";
import { TransportError } from "../transport-error.ts";
import { RpcHandler } from "./rpc-handler.ts";

/** For contexts that only send requests: refuses every request with a failure. */
export class NoOpRpcHandler extends RpcHandler {
  readonly streamManager: OneForOneStreamManager;

  constructor(random: Random) {
    super();
    this.streamManager = new OneForOneStreamManager(random);
  }

  override receive(): void {
    throw new TransportError("UNSUPPORTED", "Cannot handle messages");
  }
}
