/** Why the merge manager refuses, in the texts that Spark's has. */
import type {
  FinalizeShuffleMerge,
  RemoveShuffleMerge,
} from "../../protocol/block-transfer-message.ts";
import { encodeBlockTransferMessage } from "../../protocol/encode-message.ts";
import type { ShuffleError } from "../../shuffle-error.ts";
import { JAVA, serviceFailure } from "../service-failure.ts";

/** It becomes a part of file names. */
export function checkAppId(appId: string): void {
  if (/^[\w.-]{1,200}$/.test(appId)) return;
  const text = `an application id that cannot name files: ${appId}`;
  throw serviceFailure("OPTION_INVALID", JAVA.illegalArgument, text);
}

/** Ids of merged blocks are never negative. */
export function checkNumbers(numbers: readonly number[]): void {
  if (numbers.every((number) => number >= 0)) return;
  const text = `negative ids cannot be merged: ${numbers.join(", ")}`;
  throw serviceFailure("BLOCK_IDS_INVALID", JAVA.illegalArgument, text);
}

/** Answered with its code; the connection is closed, because its bytes are not read. */
export function tooOldAttempt(id: string): Error {
  const failure = serviceFailure(
    "BLOCK_NOT_STORED",
    "org.apache.spark.network.server.BlockPushNonFatalFailure",
    `Block ${id} is from an older app attempt`,
  );
  const returnCode = "TOO_OLD_ATTEMPT_PUSH";
  const responseBody = encodeBlockTransferMessage({
    type: "BlockPushReturnCode",
    returnCode,
    failureBlockId: id,
  });
  return Object.assign(failure, { responseBody });
}

/** A finalisation of a shuffle that is finalised already, or being merged anew. */
export function staleFinalize({ shuffleId, shuffleMergeId }: FinalizeShuffleMerge): ShuffleError {
  const text = `Shuffle merge finalize request for shuffle ${shuffleId} with shuffleMergeId ${shuffleMergeId} is stale shuffle finalize request as shuffle blocks of a higher shuffleMergeId for the shuffle is already being pushed`;
  return serviceFailure("BLOCK_IDS_INVALID", JAVA.runtime, text);
}

/** A removal of an older merge than the current one. */
export function staleRemoval(message: RemoveShuffleMerge, current: number): ShuffleError {
  const { appId, shuffleId, shuffleMergeId } = message;
  const text = `Asked to remove old shuffle merged data for application ${appId} shuffleId ${shuffleId} shuffleMergeId ${shuffleMergeId}, but current shuffleMergeId ${current} `;
  return serviceFailure("BLOCK_IDS_INVALID", JAVA.runtime, text);
}
