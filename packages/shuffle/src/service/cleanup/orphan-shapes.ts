/**
 * The shapes under a local directory that Spark leaves behind, and nothing else is ever cleaned.
 *
 *     spark-<uuid>/executor-<uuid>                            of an application, by a worker
 *     [spark-<uuid>/]blockmgr-<uuid>                          blocks of a driver, or of an executor elsewhere
 *     [spark-<uuid>/]merge_manager[_<attempt>]                merged shuffles
 *     usercache/<user>/appcache/<application>/blockmgr-<uuid>, …/merge_manager[_<attempt>]      on YARN
 *
 * A step of a path is a real directory: links are not followed.
 */
import { join } from "node:path";
import type { DirectoryTree } from "../platform/directory-tree.ts";

/** What was left behind. */
export type OrphanKind = "executor" | "blocks" | "merged";

/** A directory of one of the shapes. */
export interface OrphanCandidate {
  readonly kind: OrphanKind;
  /** From the real path of its root on. */
  readonly path: string;
}

const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const SPARK = new RegExp(`^spark-${UUID}$`);
const EXECUTOR = new RegExp(`^executor-${UUID}$`);
const BLOCKS = new RegExp(`^blockmgr-${UUID}$`);
const MERGED = /^merge_manager(?:_[0-9]{1,9})?$/;
const USER_CACHE = /^usercache$/;
const USER = /^[\w.-]{1,255}$/;
const APPLICATION_CACHE = /^appcache$/;
const APPLICATION = /^application_[0-9]{1,19}_[0-9]{1,9}$/;

/** Steps that lead to candidates, each with those that may follow it. */
interface Step {
  readonly name: RegExp;
  /** Null: only a way to others. */
  readonly kind: OrphanKind | null;
  readonly inside: readonly Step[];
}

const LEAVES: readonly Step[] = [step(BLOCKS, "blocks"), step(MERGED, "merged")];
const SHAPES: readonly Step[] = [
  ...LEAVES,
  step(SPARK, null, [step(EXECUTOR, "executor"), ...LEAVES]),
  step(USER_CACHE, null, [
    step(USER, null, [step(APPLICATION_CACHE, null, [step(APPLICATION, null, LEAVES)])]),
  ]),
];

/**
 * Everything under `root` that has one of the shapes. A directory that cannot be read is told to
 * `onUnreadable` and left out.
 */
export async function* orphanCandidates(
  tree: DirectoryTree,
  root: string,
  onUnreadable: (path: string, error: unknown) => void,
): AsyncGenerator<OrphanCandidate> {
  yield* candidatesIn(root, SHAPES);

  async function* candidatesIn(
    directory: string,
    steps: readonly Step[],
  ): AsyncGenerator<OrphanCandidate> {
    const names = await tree.directoriesIn(directory).catch((error: unknown) => {
      onUnreadable(directory, error);
      return [];
    });
    for (const name of names) {
      const found = steps.find((candidate) => candidate.name.test(name));
      if (found === undefined) continue;
      const path = join(directory, name);
      if (found.kind !== null) yield { kind: found.kind, path };
      else yield* candidatesIn(path, found.inside);
    }
  }
}

function step(name: RegExp, kind: OrphanKind | null, inside: readonly Step[] = []): Step {
  return { name, kind, inside };
}
