import type { ShuffleError } from "../../shuffle-error.ts";
import { JAVA, serviceFailure } from "../service-failure.ts";
import type { MergeDirectories } from "./merge-directories.ts";
import type { MergedPartition } from "./merged-partition.ts";

/** A shuffle that is or was merged, at its latest merge id. */
export interface MergedShuffle {
  readonly shuffleMergeId: number;
  isFinalized: boolean;
  /** By reduce id; empty once finalised. */
  readonly partitions: Map<number, MergedPartition>;
  /** Partitions that finalisation gave out, whose files removal deletes. */
  reduceIds: readonly number[];
}

/** One attempt of an application with its shuffles. */
export interface MergedApplication {
  readonly appId: string;
  readonly directories: MergeDirectories;
  readonly shuffles: Map<number, MergedShuffle>;
}

/** A shuffle of which nothing is known yet. */
export function newShuffle(shuffleMergeId: number, isFinalized = false): MergedShuffle {
  return { shuffleMergeId, isFinalized, partitions: new Map(), reduceIds: [] };
}

/** Nobody registered this application for merging. */
export function applicationNotRegistered(appId: string): ShuffleError {
  const text = `application ${appId} is not registered or NM was restarted.`;
  return serviceFailure("BLOCK_NOT_FOUND", JAVA.illegalArgument, text);
}

/** A message of another attempt than the one that is running. */
export function attemptMismatch(
  message: "FinalizeShuffleMerge" | "RemoveShuffleMerge",
  attemptId: number,
  { appId, directories }: MergedApplication,
): ShuffleError {
  const text = `The attempt id ${attemptId} in this ${message} message does not match with the current attempt id ${directories.attemptId} stored in shuffle service for application ${appId}`;
  return serviceFailure("BLOCK_IDS_INVALID", JAVA.illegalArgument, text);
}
