import { RpcEndpoint } from "@bm/rpc";
import type { MasterState } from "../endpoint/master-state.ts";
import { Heartbeat } from "../protocol/heartbeat-messages.ts";

/** Takes executors' signs of life, and tells them when their block manager has to register again. */
export class HeartbeatReceiver extends RpcEndpoint {
  constructor(state: MasterState) {
    super();
    this.receiveAndReply(Heartbeat, ({ blockManagerId }) => ({
      reregisterBlockManager: !state.heartbeat(blockManagerId),
    }));
  }
}
