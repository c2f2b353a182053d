import type { BlockId, BlockManagerId, BlockStatus } from "@bm/block";
import { defineMessage, type MessageCodec, protobufCodec, type RpcMessage } from "@bm/rpc";
import { bm } from "../gen/master.js";
import { idsCodec } from "./answers.ts";
import {
  blockIdFromWire,
  blockNames,
  idFromWire,
  idsFromWire,
  idsToWire,
  idToWire,
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
    toWire: holdersToWire,
    fromWire: holdersFromWire,
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

type Lists = readonly (readonly BlockManagerId[])[];

/** Each block manager once: many blocks share few of them. */
function holdersToWire(lists: Lists): {
  managers: ReturnType<typeof idToWire>[];
  counts: number[];
  holders: number[];
} {
  const indexes = new Map<BlockManagerId, number>();
  const holders: number[] = [];
  for (const list of lists) {
    for (const id of list) {
      const index = indexes.get(id) ?? indexes.size;
      indexes.set(id, index);
      holders.push(index);
    }
  }
  return {
    managers: [...indexes.keys()].map(idToWire),
    counts: lists.map((list) => list.length),
    holders,
  };
}

function holdersFromWire({ managers, counts, holders }: bm.master.LocationsOfBlocks): Lists {
  const ids = managers.map(idFromWire);
  let at = 0;
  const lists = counts.map((count) => {
    at += count;
    return holders.slice(at - count, at).map((index) => {
      const id = ids[index];
      if (id === undefined) throw new RangeError(`holder ${index} of ${ids.length}`);
      return id;
    });
  });
  if (at !== holders.length) throw new RangeError(`${holders.length} holders, not ${at}`);
  return lists;
}
