/**
 * Rows of the recovery database, as Spark writes them, so that a service takes over the database of
 * another.
 *
 *     StoreVersion                                      {"major":1,"minor":0}
 *     AppExecShuffleInfo;{"appId":"…","execId":"…"}     {"localDirs":["…"],"subDirsPerLocalDir":64,
 *                                                        "shuffleManager":"…"}
 */
import type { ExecutorShuffleInfo } from "../protocol/block-transfer-message.ts";
import type { RegisteredExecutor } from "./executor-store.ts";

/** Key of the row that tells the version. */
export const VERSION_KEY = "StoreVersion";
/** What every row of an executor begins with. */
export const EXECUTOR_KEY_PREFIX = "AppExecShuffleInfo;";

/** Rows of another major version are not ours to read. */
export const VERSION = { major: 1, minor: 0 } as const;

/** Key of an executor's row. */
export function executorKey(appId: string, execId: string): string {
  return EXECUTOR_KEY_PREFIX + JSON.stringify({ appId, execId });
}

/** Value of an executor's row. */
export function executorValue(info: ExecutorShuffleInfo): string {
  const { localDirs, shuffleManager, subDirsPerLocalDir } = info;
  return JSON.stringify({ localDirs, subDirsPerLocalDir, shuffleManager });
}

/** The executor of a row, or null when the row is damaged. */
export function readExecutorRow(key: string, value: string): RegisteredExecutor | null {
  const id = parseObject(key.slice(EXECUTOR_KEY_PREFIX.length));
  const info = parseObject(value);
  if (id === null || info === null) return null;
  const { appId, execId } = id;
  const { localDirs, shuffleManager, subDirsPerLocalDir } = info;
  if (typeof appId !== "string" || typeof execId !== "string") return null;
  if (!Array.isArray(localDirs) || !localDirs.every((dir) => typeof dir === "string")) return null;
  if (typeof subDirsPerLocalDir !== "number" || subDirsPerLocalDir <= 0) return null;
  const manager = typeof shuffleManager === "string" ? shuffleManager : "";
  return { appId, execId, info: { localDirs, subDirsPerLocalDir, shuffleManager: manager } };
}

/** The version in a row, or null when it is damaged. */
export function readVersion(value: string): { major: number; minor: number } | null {
  const version = parseObject(value);
  const { major, minor } = version ?? {};
  return typeof major === "number" && typeof minor === "number" ? { major, minor } : null;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
