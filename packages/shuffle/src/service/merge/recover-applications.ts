/** What a merge manager knew before its process ended. */
import type { RowChange, RowStore } from "../row-store.ts";
import type { MergeDirectories } from "./merge-directories.ts";
import { finalizedKey, type MergeRow, pathKey, readMergeRow } from "./merge-rows.ts";
import { type MergedApplication, newShuffle } from "./merged-application.ts";

type FinalizedRow = Extract<MergeRow, { kind: "finalized" }>;

/**
 * Fills `applications` from the store: of each the latest attempt, of each shuffle the latest merge.
 * Resolves to the removal of the rows that no longer count.
 */
export async function recoverApplications(
  store: RowStore,
  applications: Map<string, MergedApplication>,
): Promise<RowChange[]> {
  const finalized: FinalizedRow[] = [];
  const obsolete: RowChange[] = [];
  await store.load((key, value) => {
    const row = readMergeRow(key, value);
    if (row?.kind === "path") recoverPath(row.appId, row.directories, applications, obsolete);
    if (row?.kind === "finalized") finalized.push(row);
  });
  for (const row of finalized) {
    const over = recoverFinalized(row, applications.get(row.appId));
    if (over !== null) obsolete.push({ key: finalizedKey(over), value: null });
  }
  return obsolete;
}

function recoverPath(
  appId: string,
  directories: MergeDirectories,
  applications: Map<string, MergedApplication>,
  obsolete: RowChange[],
): void {
  const known = applications.get(appId)?.directories;
  const older = [known, directories].filter((one) => one !== undefined);
  const current = older.reduce((a, b) => (b.attemptId > a.attemptId ? b : a));
  for (const one of older) {
    if (one !== current) obsolete.push({ key: pathKey(appId, one.attemptId), value: null });
  }
  applications.set(appId, { appId, directories: current, shuffles: new Map() });
}

/** The row that does not count any more after this one was read, or null. */
function recoverFinalized(
  row: FinalizedRow,
  application: MergedApplication | undefined,
): Parameters<typeof finalizedKey>[0] | null {
  if (application === undefined || application.directories.attemptId !== row.attemptId) return row;
  const known = application.shuffles.get(row.shuffleId)?.shuffleMergeId ?? null;
  if (known !== null && known >= row.shuffleMergeId) return row;
  application.shuffles.set(row.shuffleId, newShuffle(row.shuffleMergeId, true));
  return known === null ? null : { ...row, shuffleMergeId: known };
}
