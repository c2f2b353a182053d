import type { MasterJournal } from "../journal/master-journal.ts";
import type {
  ManagerSnapshot,
  MasterSnapshot,
  TrackerSnapshot,
} from "../protocol/snapshot-messages.ts";
import type { BlockManagerInfo } from "./block-manager-info.ts";
import type { CacheVisibility } from "./cache-visibility.ts";
import type { MasterState } from "./master-state.ts";

/** Whose state a snapshot shows. */
export interface SnapshotSources {
  readonly state: MasterState;
  readonly visibility: CacheVisibility | null;
  readonly tracker: { snapshot?(): TrackerSnapshot } | null;
  readonly journal: MasterJournal | null;
  readonly nowMs: number;
  readonly wallTimeMs: number;
}

const NO_SHUFFLES: TrackerSnapshot = { epoch: 0, shuffles: [] };

/** Taken in one turn, so that everything in it fits together. */
export function masterSnapshot(sources: SnapshotSources): MasterSnapshot {
  const { state, visibility, tracker, journal, nowMs, wallTimeMs } = sources;
  const managerSnapshot = (info: BlockManagerInfo): ManagerSnapshot => ({
    id: info.id,
    maxOnHeapMem: info.maxOnHeapMem,
    maxOffHeapMem: info.maxOffHeapMem,
    remainingMem: info.remainingMem,
    diskSize: info.usedDisk,
    blocks: info.blockCount,
    silentMs: Math.max(0, Math.round(nowMs - info.lastSeenMs)),
    isDecommissioning: state.isDecommissioning(info.id),
    isRestored: info.isRestored,
  });
  return {
    ...(tracker?.snapshot?.() ?? NO_SHUFFLES),
    timeMs: Math.round(wallTimeMs),
    managers: state.infos().map(managerSnapshot),
    rdds: state.locations.rddTotals().map(({ rddId, ...totals }) => ({ rddId, totals })),
    otherBlocks: state.locations.otherTotals(),
    hiddenPartitions: visibility?.hiddenCount ?? 0,
    journal: journal?.state ?? null,
  };
}
