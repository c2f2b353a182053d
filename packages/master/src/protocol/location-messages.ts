import type { BlockId, BlockManagerId, BlockStatus } from "@bm/block";
import { defineMessage, type MessageCodec, protobufCodec, type RpcMessage } from "@bm/rpc";
import { bm } from "../gen/master.js";
import { idsCodec } from "./answers.ts";
import {
  blockIdFromWire,
  blockNames,
  idsFromWire,
  idsToWire,
  statusFromWire,
  statusToWire,
} from "./values.ts";

/** A block, and the host from which it is to be read. */
export interface LocationsAndStatusQuery {
  readonly blockId: BlockId;
  readonly requesterHost: string;
}

/** Who has a block, and how one of them keeps it. */
export interface LocationsAndStatus {
  /** At least one. */
  readonly locations: readonly BlockManagerId[];
  readonly status: BlockStatus;
  /** Directories of a holder on the requester's host that has the block on disk; else null. */
  readonly localDirs: readonly string[] | null;
}

const locationsAndStatusCodec: MessageCodec<LocationsAndStatus | null> = protobufCodec(
  bm.master.LocationsAndStatus,
  {
    toWire: (found: LocationsAndStatus | null) =>
      found === null
        ? {}
        : {
            locations: idsToWire(found.locations),
            status: statusToWire(found.status),
            hasLocalDirs: found.localDirs !== null,
            localDirs: [...(found.localDirs ?? [])],
          },
    fromWire: ({ locations, status, hasLocalDirs, localDirs }) => {
      if (!locations) return null;
      return {
        locations: idsFromWire(locations),
        status: statusFromWire(status),
        localDirs: hasLocalDirs ? localDirs : null,
      };
    },
  },
);

/** Who has a block. */
export const GetLocations: RpcMessage<BlockId, readonly BlockManagerId[]> = defineMessage({
  type: "GetLocations",
  request: protobufCodec(bm.master.GetLocations, {
    toWire: (id: BlockId) => ({ blockId: id.name }),
    fromWire: (wire) => blockIdFromWire(wire.blockId),
  }),
  reply: idsCodec,
});

/** Who has each of several blocks, in the order of the request. */
export const GetLocationsMultipleBlockIds: RpcMessage<
  readonly BlockId[],
  readonly (readonly BlockManagerId[])[]
> = defineMessage({
  type: "GetLocationsMultipleBlockIds",
  request: protobufCodec(bm.master.GetLocationsMultipleBlockIds, {
    toWire: (ids: readonly BlockId[]) => ({ blockIds: blockNames(ids) }),
    fromWire: (wire) => wire.blockIds.map(blockIdFromWire),
  }),
  reply: protobufCodec(bm.master.LocationsOfBlocks, {
    toWire: (lists: readonly (readonly BlockManagerId[])[]) => ({
      locations: lists.map(idsToWire),
    }),
    fromWire: (wire) => wire.locations.map(idsFromWire),
  }),
});

/** Who has a block, and how; null when nobody has it. */
export const GetLocationsAndStatus: RpcMessage<LocationsAndStatusQuery, LocationsAndStatus | null> =
  defineMessage({
    type: "GetLocationsAndStatus",
    request: protobufCodec(bm.master.GetLocationsAndStatus, {
      toWire: ({ blockId, requesterHost }: LocationsAndStatusQuery) => ({
        blockId: blockId.name,
        requesterHost,
      }),
      fromWire: (wire) => ({
        blockId: blockIdFromWire(wire.blockId),
        requesterHost: wire.requesterHost,
      }),
    }),
    reply: locationsAndStatusCodec,
  });
