/**
 * The statuses of a shuffle in the form in which executors fetch them. A tag byte stands first:
 *
 *     0    the statuses follow (message SerializedMapStatuses of proto/master.proto)
 *
 * Places are written once and referred to by index, since many maps share few of them.
 */
import type { BlockManagerId } from "@bm/block";
import { int64FromWire, int64ToWire } from "@bm/rpc";
import { bm } from "../gen/master.js";
import { MasterError } from "../master-error.ts";
import { sizesFromWire, sizesToWire } from "../protocol/block-sizes-fields.ts";
import { idFromWire, idToWire } from "../protocol/values.ts";
import { MapStatus } from "./map-status.ts";
import { MergeStatus } from "./merge-status.ts";
import type { ShuffleOutputs } from "./shuffle-outputs.ts";

const TAG_DIRECT = 0;

/** The bytes that {@link deserializeStatuses} reads. */
export function serializeStatuses({ numMaps, byMapIndex }: ShuffleOutputs): Uint8Array {
  const indexes = new Map<string, number>();
  const locations: BlockManagerId[] = [];
  const slots = [...byMapIndex].map(([mapIndex, status]) => {
    const { location, mapId, sizes, checksum } = status;
    let index = indexes.get(location.key);
    if (index === undefined) {
      index = locations.push(location) - 1;
      indexes.set(location.key, index);
    }
    const ids = { mapId: int64ToWire(mapId), checksum: int64ToWire(checksum) };
    return { mapIndex, location: index, ...sizesToWire(sizes), ...ids };
  });
  const fields = { numMaps, locations: locations.map(idToWire), slots };
  const statuses = bm.master.SerializedMapStatuses.encode(fields).finish();
  return Buffer.concat([Uint8Array.of(TAG_DIRECT), statuses]);
}

/** The bytes that {@link deserializeMergeStatuses} reads. */
export function serializeMergeStatuses(byPartition: ReadonlyMap<number, MergeStatus>): Uint8Array {
  const slots = [...byPartition].map(([partition, of]) => ({ partition, status: of.toBytes() }));
  const statuses = bm.master.SerializedMergeStatuses.encode({ slots }).finish();
  return Buffer.concat([Uint8Array.of(TAG_DIRECT), statuses]);
}

/** What was merged, by reduce partition. @throws MasterError STATUSES_MALFORMED */
export function deserializeMergeStatuses(
  shuffleId: number,
  bytes: Uint8Array,
): Map<number, MergeStatus> {
  checkTag(bytes);
  try {
    const { slots } = bm.master.SerializedMergeStatuses.decode(bytes.subarray(1));
    return new Map(
      slots.map(({ partition, status }) => [
        partition ?? 0,
        MergeStatus.fromBytes(status ?? new Uint8Array(0)),
      ]),
    );
  } catch (cause) {
    throw new MasterError("STATUSES_MALFORMED", `merges of shuffle ${shuffleId}`, { cause });
  }
}

/** The statuses have views on `bytes`. @throws MasterError STATUSES_MALFORMED */
export function deserializeStatuses(shuffleId: number, bytes: Uint8Array): ShuffleOutputs {
  checkTag(bytes);
  try {
    const wire = bm.master.SerializedMapStatuses.decode(bytes.subarray(1));
    const locations = wire.locations.map(idFromWire);
    const statuses = wire.slots.map((slot): [number, MapStatus] => {
      const location = locations[slot.location ?? 0];
      if (location === undefined) throw new RangeError(`no location ${slot.location}`);
      const mapId = int64FromWire(slot.mapId);
      const checksum = int64FromWire(slot.checksum);
      const sizes = sizesFromWire(slot);
      return [slot.mapIndex ?? 0, new MapStatus({ location, mapId, sizes, checksum })];
    });
    return { shuffleId, numMaps: wire.numMaps, byMapIndex: new Map(statuses) };
  } catch (cause) {
    throw new MasterError("STATUSES_MALFORMED", `statuses of shuffle ${shuffleId}`, { cause });
  }
}

function checkTag(bytes: Uint8Array): void {
  if (bytes[0] === TAG_DIRECT) return;
  throw new MasterError("STATUSES_MALFORMED", `unknown tag ${bytes[0] ?? "(none)"}`);
}
