/** The failures with which a reading ends. */
import type { BlockManagerId } from "@bm/block";
import type { ManagedBuffer } from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";
import type { BlockToFetch } from "./fetch-requests.ts";

/** A block could not be had: names where it should have come from, for the map to be run again. */
export function fetchFailed(
  location: BlockManagerId,
  { blockId, mapIndex }: Pick<BlockToFetch, "blockId" | "mapIndex">,
  cause: Error,
): ShuffleError {
  const { mapId, shuffleId } = blockId;
  const reduceId = blockId.kind === "shuffleBatch" ? blockId.startReduceId : blockId.reduceId;
  const text = `fetching ${blockId.name} from ${location.executorId} at ${location.hostPort}`;
  return new ShuffleError("FETCH_FAILED", `${text}: ${cause.message}`, {
    cause,
    culprit: { location, shuffleId, mapId, mapIndex, reduceId },
  });
}

/** No server has reason to send an empty block: its size was known to be above 0. */
export function emptyBlock(
  location: BlockManagerId,
  block: BlockToFetch,
  buffer: ManagedBuffer,
): ShuffleError | null {
  if (buffer.size > 0) return null;
  const text = `received an empty buffer where about ${block.size} bytes were expected`;
  return fetchFailed(location, block, new ShuffleError("BLOCK_NOT_FOUND", text));
}

/** The caller gave the reading up. */
export function readingAborted(reason: unknown): ShuffleError {
  return new ShuffleError("FETCH_ABORTED", "the fetch was given up", { cause: reason });
}
