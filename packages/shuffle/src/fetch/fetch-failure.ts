/** The failures with which a reading ends. */
import type { BlockManagerId } from "@bm/block";
import type { ManagedBuffer } from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";
import type { RequestedBlock } from "./fetch-requests.ts";

/** Spark's number for the map of what has many. */
const MERGED_MAP_ID = -1n;

/** A block could not be had: names where it should have come from, for the map to be run again. */
export function fetchFailed(
  location: BlockManagerId,
  { blockId, mapIndex }: Pick<RequestedBlock, "blockId" | "mapIndex">,
  cause: Error,
): ShuffleError {
  const { shuffleId } = blockId;
  const mapId = "mapId" in blockId ? blockId.mapId : MERGED_MAP_ID;
  const reduceId = blockId.kind === "shuffleBatch" ? blockId.startReduceId : blockId.reduceId;
  const text = `fetching ${blockId.name} from ${location.executorId} at ${location.hostPort}`;
  return new ShuffleError("FETCH_FAILED", `${text}: ${cause.message}`, {
    cause,
    culprit: { location, shuffleId, mapId, mapIndex, reduceId },
  });
}

/** No server has reason to send an empty block: its size was known to be above 0. */
export function emptyBlock({ size }: RequestedBlock, buffer: ManagedBuffer): ShuffleError | null {
  if (buffer.size > 0) return null;
  const text = `received an empty buffer where about ${size} bytes were expected`;
  return new ShuffleError("BLOCK_NOT_FOUND", text);
}

/** The caller gave the reading up. */
export function readingAborted(reason: unknown): ShuffleError {
  return new ShuffleError("FETCH_ABORTED", "the fetch was given up", { cause: reason });
}
