import { RpcEndpoint, type RpcEndpointRef, type RpcEnv, replyLater } from "@bm/rpc";
import { heapRows, stateRows } from "../diagnostics/process-report.ts";
import {
  DecommissionBlockManager,
  MarkRDDBlockAsVisible,
  ReplicateBlock,
  SlaveGetBlockStatus,
  SlaveGetMatchingBlockIds,
  SlaveRemoveBlock,
  SlaveRemoveBroadcast,
  SlaveRemoveRdd,
  SlaveRemoveShuffle,
  TriggerHeapHistogram,
  TriggerThreadDump,
} from "../protocol/slave-messages.ts";
import { unimplemented } from "../protocol/unimplemented.ts";
import type { BlockOwner } from "./block-owner.ts";

/** What {@link BlockManagerSlaveEndpoint} takes. */
export interface BlockManagerSlaveEndpointOptions {
  readonly owner: BlockOwner;
  /** Told to forget a shuffle before its files go. */
  readonly mapOutputTracker?: { unregisterShuffle(shuffleId: number): void } | undefined;
  /** Its endpoints are named in dumps. Default: none; `setup` gives its own. */
  readonly env?: RpcEnv | undefined;
}

let endpointsMade = 0;

/**
 * Takes the master's orders for one block manager. Removals run beside each other and answer when
 * they are done, so that none of them waits for another.
 */
export class BlockManagerSlaveEndpoint extends RpcEndpoint {
  constructor(options: BlockManagerSlaveEndpointOptions) {
    super();
    const { owner } = options;
    this.#receiveRemovals(options);
    this.receiveAndReply(SlaveGetBlockStatus, ({ blockId }) => owner.blockStatus(blockId));
    this.receiveAndReply(SlaveGetMatchingBlockIds, ({ filter }) => owner.matchingBlockIds(filter));
    this.receiveAndReply(ReplicateBlock, (order) => {
      if (owner.replicateBlock === undefined) return unimplemented(ReplicateBlock)();
      return replyLater(owner.replicateBlock(order));
    });
    this.receive(DecommissionBlockManager, () => {
      if (owner.decommission === undefined) return unimplemented(DecommissionBlockManager)();
      return owner.decommission();
    });
    this.receive(MarkRDDBlockAsVisible, (id) => owner.markRddBlockAsVisible?.(id));
    this.receiveAndReply(TriggerThreadDump, () => stateRows(options.env?.endpointStates() ?? []));
    this.receiveAndReply(TriggerHeapHistogram, heapRows);
  }

  /** Sets an endpoint up under a name of its own. @throws RpcError ENV_STOPPED */
  static setup(env: RpcEnv, options: BlockManagerSlaveEndpointOptions): RpcEndpointRef {
    endpointsMade += 1;
    const endpoint = new BlockManagerSlaveEndpoint({ env, ...options });
    return env.setupEndpoint(`BlockManagerEndpoint${endpointsMade}`, endpoint);
  }

  #receiveRemovals({ owner, mapOutputTracker }: BlockManagerSlaveEndpointOptions): void {
    this.receiveAndReply(SlaveRemoveBlock, (id) => replyLater(removed(owner, id)));
    this.receiveAndReply(SlaveRemoveRdd, (rddId) => replyLater(owner.removeRdd(rddId)));
    this.receiveAndReply(SlaveRemoveShuffle, (shuffleId) => {
      mapOutputTracker?.unregisterShuffle(shuffleId);
      return replyLater(owner.removeShuffle(shuffleId));
    });
    this.receiveAndReply(SlaveRemoveBroadcast, ({ broadcastId }) =>
      replyLater(owner.removeBroadcast(broadcastId)),
    );
  }
}

async function removed(
  owner: BlockOwner,
  id: Parameters<BlockOwner["removeBlock"]>[0],
): Promise<boolean> {
  await owner.removeBlock(id);
  return true;
}
