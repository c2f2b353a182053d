/**
 * Rows of the merge manager's recovery database, as Spark writes them.
 *
 *     AppAttemptPathInfo;{"appId":"A","attemptId":1}
 *         {"activeLocalDirs":["…"],"subDirsPerLocalDir":64}
 *     AppAttemptShuffleFinalized;{"appId":"A","attemptId":1,"shuffleId":0,"shuffleMergeId":0}
 *         (empty)
 */
import type { MergeDirectories } from "./merge-directories.ts";

const PATH_PREFIX = "AppAttemptPathInfo;";
const FINALIZED_PREFIX = "AppAttemptShuffleFinalized;";

/** A shuffle whose merging has ended. */
export interface FinalizedShuffle {
  readonly appId: string;
  readonly attemptId: number;
  readonly shuffleId: number;
  readonly shuffleMergeId: number;
}

/** One row, read. */
export type MergeRow =
  | { readonly kind: "path"; readonly appId: string; readonly directories: MergeDirectories }
  | ({ readonly kind: "finalized" } & FinalizedShuffle);

/** Key of the directories of an attempt. */
export function pathKey(appId: string, attemptId: number): string {
  return PATH_PREFIX + JSON.stringify({ appId, attemptId });
}

/** Value for {@link pathKey}. */
export function pathValue({ dirs, subDirsPerLocalDir }: MergeDirectories): string {
  return JSON.stringify({ activeLocalDirs: dirs, subDirsPerLocalDir });
}

/** Key of a finalised shuffle; its value is empty. */
export function finalizedKey(shuffle: FinalizedShuffle): string {
  const { appId, attemptId, shuffleId, shuffleMergeId } = shuffle;
  return FINALIZED_PREFIX + JSON.stringify({ appId, attemptId, shuffleId, shuffleMergeId });
}

/** What a row says; null for rows of others and damaged ones. */
export function readMergeRow(key: string, value: string): MergeRow | null {
  if (key.startsWith(PATH_PREFIX))
    return readPath(parse(key.slice(PATH_PREFIX.length)), parse(value));
  if (!key.startsWith(FINALIZED_PREFIX)) return null;
  const { appId, attemptId, shuffleId, shuffleMergeId } = parse(key.slice(FINALIZED_PREFIX.length));
  if (typeof appId !== "string" || typeof attemptId !== "number") return null;
  if (typeof shuffleId !== "number" || typeof shuffleMergeId !== "number") return null;
  return { kind: "finalized", appId, attemptId, shuffleId, shuffleMergeId };
}

type Fields = Readonly<Record<string, unknown>>;

function readPath({ appId, attemptId }: Fields, value: Fields): MergeRow | null {
  const { activeLocalDirs: dirs, subDirsPerLocalDir } = value;
  if (typeof appId !== "string" || typeof attemptId !== "number") return null;
  if (!Array.isArray(dirs) || !dirs.every((dir) => typeof dir === "string")) return null;
  if (typeof subDirsPerLocalDir !== "number" || subDirsPerLocalDir <= 0) return null;
  return { kind: "path", appId, directories: { attemptId, dirs, subDirsPerLocalDir } };
}

function parse(text: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
