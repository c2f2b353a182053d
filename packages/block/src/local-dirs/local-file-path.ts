/**
 * Which of the local directories holds a file. Writer, other executors and the shuffle service work
 * it out on their own from the published list, so the rule is part of the protocol:
 *
 *     hash   = non-negative Java hash of the file name
 *     dir    = localDirs[hash mod D]
 *     subDir = (hash div D) mod S, in at least two lower-case hexadecimal digits
 *     path   = dir/subDir/name
 */
import { BlockError } from "../block-error.ts";
import { javaStringHash } from "../java/java-string-hash.ts";

const SUB_DIR_DIGITS_MIN = 2;
const INT_MIN = -(2 ** 31);

/** Place of a file below the local directories. */
export interface LocalFilePath {
  /** Index of the chosen directory in the list. */
  readonly dirIndex: number;
  /** The chosen directory, as the list has it. */
  readonly dir: string;
  /** Name of the sub-directory: `00` to `3f` for the usual 64. */
  readonly subDir: string;
  /** Path of the sub-directory, which exists only once something was written to it. */
  readonly subDirPath: string;
  /** Path of the file. */
  readonly path: string;
}

/**
 * Where `fileName` lives. The order of `localDirs` matters. As with `java.io.File`, runs of `/` become
 * one and a `/` at the end is dropped; `.` and `..` are kept. A name that came from a peer must be
 * judged before (a parsed block name that was put together again is safe).
 *
 * @throws BlockError LOCAL_DIRS_INVALID - no directory, or `subDirsPerLocalDir` is not positive.
 */
export function localFilePath(
  localDirs: readonly string[],
  subDirsPerLocalDir: number,
  fileName: string,
): LocalFilePath {
  const hash = nonNegativeHash(fileName);
  const dirIndex = localDirs.length === 0 ? 0 : hash % localDirs.length;
  const dir = localDirs[dirIndex];
  if (dir === undefined) throw new BlockError("LOCAL_DIRS_INVALID", "no local directory");
  if (!Number.isInteger(subDirsPerLocalDir) || subDirsPerLocalDir <= 0) {
    const detail = `sub-directories per local directory: ${subDirsPerLocalDir}`;
    throw new BlockError("LOCAL_DIRS_INVALID", detail);
  }
  const subDirIndex = Math.floor(hash / localDirs.length) % subDirsPerLocalDir;
  const subDir = subDirIndex.toString(16).padStart(SUB_DIR_DIGITS_MIN, "0");
  const subDirPath = normalise(`${dir}/${subDir}`);
  return { dirIndex, dir, subDir, subDirPath, path: normalise(`${dir}/${subDir}/${fileName}`) };
}

/** The smallest hash has no positive counterpart in 32 bits and stands for 0. */
function nonNegativeHash(fileName: string): number {
  const hash = javaStringHash(fileName);
  return hash === INT_MIN ? 0 : Math.abs(hash);
}

function normalise(path: string): string {
  const collapsed = path.replaceAll(/\/+/g, "/");
  return collapsed.length > 1 && collapsed.endsWith("/") ? collapsed.slice(0, -1) : collapsed;
}
