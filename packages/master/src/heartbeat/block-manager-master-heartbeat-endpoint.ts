import { RpcEndpoint } from "@bm/rpc";
import type { MasterState } from "../endpoint/master-state.ts";
import {
  BlockManagerHeartbeat,
  StopBlockManagerMaster,
} from "../protocol/registration-messages.ts";

/**
 * Takes block managers' signs of life, apart from the master's other messages so that removals do
 * not hold them up.
 */
export class BlockManagerMasterHeartbeatEndpoint extends RpcEndpoint {
  /** `stop` ends this endpoint. */
  constructor(state: MasterState, stop: () => void) {
    super();
    this.receiveAndReply(BlockManagerHeartbeat, (id) => state.heartbeat(id));
    this.receiveAndReply(StopBlockManagerMaster, () => {
      stop();
      return true;
    });
  }
}
