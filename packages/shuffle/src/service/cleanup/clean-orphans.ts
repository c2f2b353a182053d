/**
 * Cleans up what nobody owns any more under the directories of a machine: what a worker that was
 * killed did not delete, what a driver that was killed left behind.
 *
 * Something is an orphan when it has a shape that Spark makes, holds files, nobody owns it, and nothing
 * in it was touched for the whole age. The newest orphans may be kept up to a size. Nothing is deleted
 * unless the policy says so; owners are asked again then, and each age is looked at again right before.
 */
import type { DirectoryTree } from "../platform/directory-tree.ts";
import { measureTree, type TreeSize } from "./measure-tree.ts";
import { type OrphanKind, orphanCandidates } from "./orphan-shapes.ts";
import { OwnedDirectories } from "./owned-directories.ts";

/** What is to be cleaned. */
export interface OrphanPolicy {
  /** Nothing in an orphan was touched for this long; milliseconds. */
  readonly ageMs: number;
  /** The most recently touched orphans stay, up to this many bytes together. */
  readonly keepBytes: number;
  /** False only reports. */
  readonly isDeleting: boolean;
}

/** Something that nobody owns. */
export interface Orphan {
  readonly kind: OrphanKind;
  readonly path: string;
  readonly bytes: number;
  readonly entries: number;
  /** For how long nothing in it was touched; milliseconds. */
  readonly untouchedMs: number;
  /**
   * `found`: would be deleted; `kept`: within the size that is kept; `spared`: somebody came back to it
   * before it was deleted; `failed`: the disk refused.
   */
  readonly outcome: "found" | "deleted" | "kept" | "spared" | "failed";
  /** Why it failed. */
  readonly error?: Error;
}

/** What {@link cleanOrphans} needs. */
export interface OrphanCleaning {
  readonly tree: DirectoryTree;
  /** Where to look. */
  readonly roots: readonly string[];
  /** Directories that somebody owns; asked for again before anything is deleted. */
  readonly ownedDirectories: () => Iterable<string> | AsyncIterable<string>;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  readonly policy: OrphanPolicy;
  /** Told about each orphan once its fate is known, the longest untouched first. */
  readonly onOrphan: (orphan: Orphan) => void;
  /** Told about directories that could not be looked at; they are left alone. */
  readonly onUnreadable: (path: string, error: unknown) => void;
  /** Ends the cleaning between two orphans. */
  readonly signal?: AbortSignal | undefined;
}

type Found = Omit<Orphan, "outcome" | "error">;

/**
 * See the file comment.
 * @throws what the disk refuses to tell about owners; nothing is deleted then (rejects).
 */
export async function cleanOrphans(cleaning: OrphanCleaning): Promise<void> {
  const { onOrphan, policy, signal } = cleaning;
  const found = await findOrphans(cleaning);
  const kept = keptOf(found, policy.keepBytes);
  const isDeleting = policy.isDeleting && found.length > kept.size;
  // Measuring takes its time: somebody may have registered since.
  const owned = isDeleting ? await ownersOf(cleaning) : null;
  for (const orphan of found) {
    if (signal?.aborted) return;
    if (kept.has(orphan)) onOrphan({ ...orphan, outcome: "kept" });
    else if (owned === null) onOrphan({ ...orphan, outcome: "found" });
    else if (owned.has(orphan.path)) onOrphan({ ...orphan, outcome: "spared" });
    else onOrphan(await remove(orphan, cleaning));
  }
}

async function findOrphans(cleaning: OrphanCleaning): Promise<Found[]> {
  const { onUnreadable, roots, signal, tree } = cleaning;
  const owned = await ownersOf(cleaning);
  const found = new Map<string, Found>();
  for (const root of roots) {
    const real = await tree.realPath(root).catch((error: unknown) => {
      onUnreadable(root, error);
      return null;
    });
    if (real === null) continue;
    for await (const { kind, path } of orphanCandidates(tree, real, onUnreadable)) {
      if (signal?.aborted) return [];
      if (owned.has(path)) continue;
      const size = await sizeOf(path, cleaning);
      // An empty one costs nothing, and may belong to a driver that has nothing on disk yet.
      if (size === null || size.entries === 0) continue;
      found.set(path, { kind, path, ...size });
    }
  }
  return [...found.values()].toSorted((a, b) => b.untouchedMs - a.untouchedMs);
}

async function ownersOf({ ownedDirectories, tree }: OrphanCleaning): Promise<OwnedDirectories> {
  async function* all(): AsyncGenerator<string> {
    yield* ownedDirectories();
    yield* await tree.directoriesOfProcesses();
  }
  return OwnedDirectories.read(all(), tree);
}

async function sizeOf(
  path: string,
  { nowMs, onUnreadable, policy, tree }: OrphanCleaning,
): Promise<Pick<Found, "bytes" | "entries" | "untouchedMs"> | null> {
  const now = nowMs();
  const measured: TreeSize | null = await measureTree(tree, path, now - policy.ageMs).catch(
    (error: unknown) => {
      onUnreadable(path, error);
      return null;
    },
  );
  if (measured === null) return null;
  const { bytes, entries, touchedMs } = measured;
  return { bytes, entries, untouchedMs: now - touchedMs };
}

/** The most recently touched ones that fit into the size. */
function keptOf(found: readonly Found[], keepBytes: number): Set<Found> {
  const kept = new Set<Found>();
  let bytes = 0;
  for (const orphan of found.toReversed()) {
    bytes += orphan.bytes;
    if (bytes > keepBytes) break;
    kept.add(orphan);
  }
  return kept;
}

async function remove(orphan: Found, cleaning: OrphanCleaning): Promise<Orphan> {
  const { path } = orphan;
  const { tree } = cleaning;
  try {
    const size = await sizeOf(path, cleaning);
    // A step of the path that became a link meanwhile would lead elsewhere.
    const isInPlace = (await tree.realPath(path)) === path;
    if (size === null || !isInPlace) return { ...orphan, outcome: "spared" };
    await tree.remove(path);
    return { ...orphan, ...size, outcome: "deleted" };
  } catch (error) {
    return { ...orphan, outcome: "failed", error: error as Error };
  }
}
