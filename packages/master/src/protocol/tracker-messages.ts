import type { BlockManagerId } from "@bm/block";
import {
  defineMessage,
  int64FromWire,
  int64ToWire,
  type MessageCodec,
  protobufCodec,
  type RpcMessage,
  sizeFromWire,
  sizeToWire,
} from "@bm/rpc";
import { bm } from "../gen/master.js";
import { MapStatus } from "../tracker/map-status.ts";
import { flagCodec, idsCodec } from "./answers.ts";
import { sizesFromWire, sizesToWire } from "./block-sizes-fields.ts";
import { idFromWire, idToWire } from "./values.ts";

/** The statuses of one shuffle and the epoch in which they were right. */
export interface StatusesAtEpoch {
  readonly epoch: number;
  /** See tracker/serialized-statuses.ts. */
  readonly serialized: Uint8Array;
}

/** As above, with the partitions that were merged. */
export interface MergedStatusesAtEpoch {
  readonly epoch: number;
  readonly serializedMapStatuses: Uint8Array;
  readonly serializedMergeStatuses: Uint8Array;
}

/** A shuffle that is to be written. */
export interface ShuffleRegistration {
  readonly shuffleId: number;
  readonly numMaps: number;
}

/** What a map task produced. */
export interface MapOutputRegistration {
  readonly shuffleId: number;
  readonly mapIndex: number;
  readonly status: MapStatus;
}

/** Map output that could not be read. */
export interface MapOutputLoss {
  readonly shuffleId: number;
  readonly mapIndex: number;
  /** Where it was looked for: another place that is known meanwhile stays known. */
  readonly location: BlockManagerId;
}

const registrationCodec: MessageCodec<ShuffleRegistration> = protobufCodec(
  bm.master.RegisterShuffle,
  {
    toWire: ({ shuffleId, numMaps }: ShuffleRegistration) => ({ shuffleId, numMaps }),
    fromWire: (wire) => ({ shuffleId: wire.shuffleId, numMaps: wire.numMaps }),
  },
);

const outputCodec: MessageCodec<MapOutputRegistration> = protobufCodec(
  bm.master.RegisterMapOutput,
  {
    toWire: ({ shuffleId, mapIndex, status }: MapOutputRegistration) => ({
      shuffleId,
      mapIndex,
      status: {
        location: idToWire(status.location),
        mapId: int64ToWire(status.mapId),
        ...sizesToWire(status.sizes),
        checksum: int64ToWire(status.checksum),
      },
    }),
    fromWire: ({ shuffleId, mapIndex, status }) => ({
      shuffleId: shuffleId,
      mapIndex: mapIndex,
      status: new MapStatus({
        location: idFromWire(status?.location),
        mapId: int64FromWire(status?.mapId),
        sizes: sizesFromWire(status ?? {}),
        checksum: int64FromWire(status?.checksum),
      }),
    }),
  },
);

const lossCodec: MessageCodec<MapOutputLoss> = protobufCodec(bm.master.UnregisterMapOutput, {
  toWire: ({ shuffleId, mapIndex, location }: MapOutputLoss) => ({
    shuffleId,
    mapIndex,
    location: idToWire(location),
  }),
  fromWire: (wire) => ({
    shuffleId: wire.shuffleId,
    mapIndex: wire.mapIndex,
    location: idFromWire(wire.location),
  }),
});

/** The places of a shuffle's map output. */
export const GetMapOutputStatuses: RpcMessage<number, StatusesAtEpoch> = defineMessage({
  type: "GetMapOutputStatuses",
  request: shuffleIdCodec(bm.master.GetMapOutputStatuses),
  reply: protobufCodec(bm.master.MapOutputStatuses, {
    toWire: ({ epoch, serialized }: StatusesAtEpoch) => ({ epoch: sizeToWire(epoch), serialized }),
    fromWire: (wire) => ({
      epoch: sizeFromWire(wire.epoch),
      serialized: wire.serialized,
    }),
  }),
});

/** The places of a shuffle's map output and of what was merged of it. */
export const GetMapAndMergeResultStatuses: RpcMessage<number, MergedStatusesAtEpoch> =
  defineMessage({
    type: "GetMapAndMergeResultStatuses",
    request: shuffleIdCodec(bm.master.GetMapAndMergeResultStatuses),
    reply: protobufCodec(bm.master.MapAndMergeResultStatuses, {
      toWire: (statuses: MergedStatusesAtEpoch) => ({
        ...statuses,
        epoch: sizeToWire(statuses.epoch),
      }),
      fromWire: (wire) => ({
        epoch: sizeFromWire(wire.epoch),
        serializedMapStatuses: wire.serializedMapStatuses,
        serializedMergeStatuses: wire.serializedMergeStatuses,
      }),
    }),
  });

/** The shuffle services that merge a shuffle. */
export const GetShuffleMergerLocations: RpcMessage<number, readonly BlockManagerId[]> =
  defineMessage({
    type: "GetShufflePushMergerLocations",
    request: shuffleIdCodec(bm.master.GetShuffleMergerLocations),
    reply: idsCodec,
  });

/** Answers true, then the endpoint stops. */
export const StopMapOutputTracker: RpcMessage<void, boolean> = defineMessage({
  type: "StopMapOutputTracker",
  reply: flagCodec,
});

/** Makes a shuffle known. */
export const RegisterShuffle: RpcMessage<ShuffleRegistration, void> = defineMessage({
  type: "RegisterShuffle",
  request: registrationCodec,
});

/** Makes a map's output known. */
export const RegisterMapOutput: RpcMessage<MapOutputRegistration, void> = defineMessage({
  type: "RegisterMapOutput",
  request: outputCodec,
});

/** Forgets a map's output. */
export const UnregisterMapOutput: RpcMessage<MapOutputLoss, void> = defineMessage({
  type: "UnregisterMapOutput",
  request: lossCodec,
});

interface ShuffleIdType {
  encode(fields: { shuffleId: number }): { finish(): Uint8Array };
  decode(bytes: Uint8Array): { shuffleId?: number | null };
}

/** Of the messages whose only field is a shuffle id. */
function shuffleIdCodec(type: ShuffleIdType): MessageCodec<number> {
  return protobufCodec(type, {
    toWire: (shuffleId: number) => ({ shuffleId }),
    fromWire: (wire) => wire.shuffleId ?? 0,
  });
}
