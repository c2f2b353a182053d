/**
 * Keeps readers inside the directories that an operator gave to the service.
 *
 * Checked twice: when an executor registers, each of its directories must lie under a root; and when
 * a file is opened, its real path must lie under a directory of its executor, so that a symbolic link
 * that was planted later leads nowhere. Spark 4.1.2 checks neither, 4.2 the first, 4.3 both.
 */
import { isAbsolute, resolve, sep } from "node:path";
import type { ShuffleError } from "../shuffle-error.ts";
import type { RealPath } from "./platform/real-path.ts";
import { JAVA, serviceFailure } from "./service-failure.ts";

/** Options of {@link LocalDirsGuard}. */
export interface LocalDirsGuardOptions {
  /** Directories under which executors may write. None: any absolute directory is accepted. */
  readonly roots: readonly string[];
  readonly realPath: RealPath;
  /** Spark: `spark.shuffle.service.verifyBlockPathsAtRead`. Default: true. */
  readonly verifyAtRead?: boolean | undefined;
}

/** See the file comment. */
export class LocalDirsGuard {
  readonly #roots: readonly string[];
  readonly #realPath: RealPath;
  readonly #verifyAtRead: boolean;
  /** Lookups that are under way: executors that register together have the same roots. */
  readonly #looking = new Map<string, Promise<string | null>>();

  constructor(options: LocalDirsGuardOptions) {
    this.#roots = options.roots.map((root) => resolve(root));
    this.#realPath = options.realPath;
    this.#verifyAtRead = options.verifyAtRead ?? true;
  }

  /** @throws ShuffleError OPTION_INVALID for a directory that is not to be read from (rejects). */
  async checkRegistration(localDirs: readonly string[], subDirsPerLocalDir: number): Promise<void> {
    if (!Number.isInteger(subDirsPerLocalDir) || subDirsPerLocalDir <= 0) {
      throw refused(`subDirsPerLocalDir must be positive: ${subDirsPerLocalDir}`);
    }
    const roots = await this.#realRoots();
    for (const dir of localDirs) await this.#checkDir(dir, roots);
  }

  /**
   * Gives nothing when `path` may be read for an executor with these directories. A path that leads
   * nowhere passes: opening it fails.
   * @throws ShuffleError BLOCK_NOT_FOUND (rejects).
   */
  async checkRead(path: string, localDirs: readonly string[]): Promise<void> {
    if (!this.#verifyAtRead) return;
    const real = await this.#lookUp(path);
    if (real === null) return;
    if ((await this.#isUnderRoot(real)) && (await this.#isUnderAny(real, localDirs))) return;
    const text = `Block file ${path} is not under a local directory of its executor`;
    throw serviceFailure("BLOCK_NOT_FOUND", JAVA.runtime, text);
  }

  /** A directory that was registered before it existed may have become a link to elsewhere. */
  async #isUnderRoot(real: string): Promise<boolean> {
    return this.#roots.length === 0 || (await this.#isUnderAny(real, this.#roots));
  }

  async #isUnderAny(real: string, dirs: readonly string[]): Promise<boolean> {
    for (const dir of dirs) {
      const realDir = await this.#lookUp(dir);
      if (realDir !== null && isUnder(real, realDir)) return true;
    }
    return false;
  }

  async #checkDir(dir: string, realRoots: readonly string[]): Promise<void> {
    if (dir === "") throw refused("localDirs entries must be non-null and non-empty");
    if (!isAbsolute(dir) || dir.includes("\0")) {
      throw refused(`localDirs entry could not be canonicalized: ${dir}`);
    }
    if (this.#roots.length === 0) return;
    const real = await this.#realPathOfNearest(resolve(dir));
    if (realRoots.some((root) => isUnder(real, root))) return;
    throw refused(`localDirs entry is not under any of the service's local directories: ${dir}`);
  }

  async #realRoots(): Promise<string[]> {
    const found = await Promise.all(this.#roots.map((root) => this.#lookUp(root)));
    return found.map((real, index) => real ?? this.#roots[index] ?? "");
  }

  #lookUp(path: string): Promise<string | null> {
    const known = this.#looking.get(path);
    if (known !== undefined) return known;
    const looking = this.#realPath(path).finally(() => this.#looking.delete(path));
    this.#looking.set(path, looking);
    return looking;
  }

  /** Directories that do not exist yet are judged by the nearest one that does. */
  async #realPathOfNearest(path: string): Promise<string> {
    const real = await this.#lookUp(path);
    if (real !== null) return real;
    const parent = resolve(path, "..");
    if (parent === path) return path;
    const realParent = await this.#realPathOfNearest(parent);
    return resolve(realParent, path.slice(parent === sep ? 1 : parent.length + 1));
  }
}

function isUnder(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

function refused(text: string): ShuffleError {
  return serviceFailure("OPTION_INVALID", JAVA.illegalArgument, text);
}
