/**
 * Where an application keeps its merged files. An executor says it behind the name of its shuffle
 * manager: `<class>:{"mergeDir":"merge_manager_1","attemptId":"1"}}}`. The two braces too many are a
 * slip of Spark's that its own reader does not see.
 */
import { dirname } from "node:path";
import type { ExecutorShuffleInfo } from "../../protocol/block-transfer-message.ts";
import type { ShuffleError } from "../../shuffle-error.ts";
import { JAVA, serviceFailure } from "../service-failure.ts";

/** Attempt of applications that have none. */
const NO_ATTEMPT = -1;

/** Merge directories of one attempt of an application. */
export interface MergeDirectories {
  readonly attemptId: number;
  /** In this order the directories are part of the hash that places a file. */
  readonly dirs: readonly string[];
  readonly subDirsPerLocalDir: number;
}

/**
 * What an executor says about merging, or null when it says nothing that can be read.
 * @throws ShuffleError OPTION_INVALID when the directory is missing or leads elsewhere.
 */
export function readMergeDirectories(info: ExecutorShuffleInfo): MergeDirectories | null {
  const { localDirs, shuffleManager, subDirsPerLocalDir } = info;
  const colon = shuffleManager.indexOf(":");
  if (colon === -1) return null;
  const meta = parseFirstObject(shuffleManager.slice(colon + 1));
  if (meta === null) return null;
  const { attemptId, mergeDir } = meta;
  if (typeof mergeDir !== "string") {
    throw refused(
      `Failed to get the merge directory information from the shuffleManagerMeta ${shuffleManager} in executor registration message`,
    );
  }
  if (mergeDir === "" || mergeDir === "." || mergeDir === ".." || /[/\\\0]/.test(mergeDir)) {
    throw refused(
      `Invalid merge directory name ${mergeDir} from the shuffleManagerMeta ${shuffleManager} in executor registration message`,
    );
  }
  return {
    attemptId: readAttempt(attemptId),
    dirs: localDirs.map((dir) => `${dirname(dir)}/${mergeDir}`),
    subDirsPerLocalDir,
  };
}

function readAttempt(attemptId: unknown): number {
  if (attemptId === undefined) return NO_ATTEMPT;
  if (typeof attemptId === "string" && /^[0-9]{1,9}$/.test(attemptId)) return Number(attemptId);
  throw serviceFailure(
    "OPTION_INVALID",
    JAVA.numberFormat,
    `For input string: ${JSON.stringify(attemptId)}`,
  );
}

/** The text behind the first object does not count. Values are flat, so its first brace ends it. */
function parseFirstObject(text: string): Readonly<Record<string, unknown>> | null {
  const end = text.indexOf("}");
  try {
    const value: unknown = JSON.parse(text.slice(0, end + 1));
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

function refused(text: string): ShuffleError {
  return serviceFailure("OPTION_INVALID", JAVA.illegalArgument, text);
}
