import { RpcEndpoint, type RpcEndpointRef, type RpcEnv, replyLater } from "@bm/rpc";
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
    // The epoch is that of the statuses: a loss while they are compressed makes them old.
    this.receiveAndReply(GetMapOutputStatuses, (shuffleId) => {
      const { epoch } = tracker;
      const statuses = tracker.serializedStatuses(shuffleId);
      return replyLater(statuses.then((serialized) => ({ epoch, serialized })));
    });
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
    this.receiveAndReply(GetMapAndMergeResultStatuses, (shuffleId) => {
      const { epoch } = tracker;
      const maps = tracker.serializedStatuses(shuffleId);
      const merges = tracker.serializedMergeStatuses(shuffleId);
      return replyLater(
        Promise.all([maps, merges]).then(([serializedMapStatuses, serializedMergeStatuses]) => {
          return { epoch, serializedMapStatuses, serializedMergeStatuses };
        }),
      );
    });
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
