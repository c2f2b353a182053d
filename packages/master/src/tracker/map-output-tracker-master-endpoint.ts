import { RpcEndpoint, type RpcEndpointRef, type RpcEnv } from "@bm/rpc";
import {
  GetMapAndMergeResultStatuses,
  GetMapOutputStatuses,
  GetShuffleMergerLocations,
  RegisterMapOutput,
  RegisterShuffle,
  StopMapOutputTracker,
  UnregisterMapOutput,
} from "../protocol/tracker-messages.ts";
import type { MapOutputTrackerMaster } from "./map-output-tracker-master.ts";

/** Name of the endpoint that {@link MapOutputTrackerMasterEndpoint} is set up under. */
export const MAP_OUTPUT_TRACKER_ENDPOINT_NAME = "MapOutputTracker";

/**
 * Lets executors ask the tracker. Unlike Spark's, it answers at once with SHUFFLE_UNKNOWN where the
 * shuffle is not registered, so that nobody waits for a time-out.
 */
export class MapOutputTrackerMasterEndpoint extends RpcEndpoint {
  #stop: () => Promise<void> = () => Promise.resolve();

  constructor(tracker: MapOutputTrackerMaster) {
    super();
    this.receiveAndReply(GetMapOutputStatuses, (shuffleId) => ({
      epoch: tracker.epoch,
      serialized: tracker.serializedStatuses(shuffleId),
    }));
    this.receive(RegisterShuffle, ({ shuffleId, numMaps }) =>
      tracker.registerShuffle(shuffleId, numMaps),
    );
    this.receive(RegisterMapOutput, ({ shuffleId, mapIndex, status }) => {
      tracker.registerMapOutput(shuffleId, mapIndex, status);
    });
    this.receive(UnregisterMapOutput, ({ shuffleId, mapIndex, location }) =>
      tracker.unregisterMapOutput(shuffleId, mapIndex, location),
    );
    this.receiveAndReply(StopMapOutputTracker, () => {
      void this.#stop();
      return true;
    });
    this.receiveAndReply(GetMapAndMergeResultStatuses, (shuffleId) => ({
      epoch: tracker.epoch,
      serializedMapStatuses: tracker.serializedStatuses(shuffleId),
      serializedMergeStatuses: tracker.serializedMergeStatuses(shuffleId),
    }));
    this.receiveAndReply(GetShuffleMergerLocations, (shuffleId) =>
      tracker.getShufflePushMergerLocations(shuffleId),
    );
  }

  /** Makes the tracker reachable under its well-known name. @throws RpcError ENDPOINT_NAME_INVALID */
  static setup(env: RpcEnv, tracker: MapOutputTrackerMaster): RpcEndpointRef {
    const endpoint = new MapOutputTrackerMasterEndpoint(tracker);
    const ref = env.setupEndpoint(MAP_OUTPUT_TRACKER_ENDPOINT_NAME, endpoint);
    endpoint.#stop = () => env.stop(ref);
    return ref;
  }
}
