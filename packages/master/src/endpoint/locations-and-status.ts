import type { BlockManagerId, BlockStatus } from "@bm/block";
import type { LocationsAndStatus, LocationsAndStatusQuery } from "../protocol/location-messages.ts";
import type { MasterState } from "./master-state.ts";

/**
 * Who has a block, and how one of them keeps it: a holder on the requester's host that has it on
 * disk, else the first holder whose status is known. (Spark looks at the first holder only in the
 * second case, and finds nothing when that one has gone.)
 */
export function locationsAndStatus(
  state: MasterState,
  { blockId, requesterHost }: LocationsAndStatusQuery,
): LocationsAndStatus | null {
  const locations = state.locations.of(blockId);
  const holders = locations.flatMap((id): [BlockManagerId, BlockStatus][] => {
    const status = state.infoOf(id)?.statusOf(blockId) ?? null;
    return status === null ? [] : [[id, status]];
  });
  const isNear = ([id, status]: [BlockManagerId, BlockStatus]): boolean =>
    id.host === requesterHost && status.storageLevel.useDisk;
  const chosen = holders.find(isNear) ?? holders[0];
  if (chosen === undefined) return null;
  const [{ executorId }, status] = chosen;
  const localDirs = isNear(chosen) ? state.localDirs.get(executorId) : null;
  return { locations, status, localDirs };
}
