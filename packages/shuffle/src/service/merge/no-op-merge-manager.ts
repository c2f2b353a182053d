import type { StreamCallbackWithId } from "@bm/transport";
import type { ShuffleError } from "../../shuffle-error.ts";
import { JAVA, serviceFailure } from "../service-failure.ts";
import type { MergedShuffleFileManager } from "./merged-shuffle-file-manager.ts";

/** Refuses pushes and everything about them, as Spark's service does outside YARN. */
export const noOpMergeManager: MergedShuffleFileManager = {
  registerExecutor: () => Promise.resolve(),
  receiveBlock(): StreamCallbackWithId {
    throw cannotMerge();
  },
  finalizeShuffleMerge: () => Promise.reject(cannotMerge()),
  removeShuffleMerge: () => Promise.reject(refusal("Cannot handle merged shuffle remove")),
  mergedBlockMeta: () => Promise.reject(cannotMerge()),
  mergedBlockData: () => Promise.reject(cannotMerge()),
  diagnoseMergedChunk: () => Promise.reject(cannotMerge()),
  mergedBlockDirs(): readonly string[] {
    throw cannotMerge();
  },
  applicationRemoved: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

function cannotMerge(): ShuffleError {
  return refusal("Cannot handle shuffle block merge");
}

function refusal(text: string): ShuffleError {
  return serviceFailure("MESSAGE_UNEXPECTED", JAVA.unsupportedOperation, text);
}
