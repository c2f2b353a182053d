import type { BlockManagerId } from "@bm/block";
import {
  defineMessage,
  int64FromWire,
  int64ToWire,
  type MessageCodec,
  protobufCodec,
  type RpcMessage,
  sizeFromWire,
  sizeToWire,
} from "@bm/rpc";
import { bm } from "../gen/master.js";
import type { JournalState } from "../journal/master-journal.ts";
import type { BlockTotals } from "../locations/block-totals.ts";
import { idFromWire, idToWire } from "./values.ts";

/** One block manager. */
export interface ManagerSnapshot {
  readonly id: BlockManagerId;
  readonly maxOnHeapMem: number;
  readonly maxOffHeapMem: number;
  /** Negative when it reported more than it has. */
  readonly remainingMem: number;
  readonly diskSize: number;
  readonly blocks: number;
  /** Time since it was heard of, in whole milliseconds. */
  readonly silentMs: number;
  readonly isDecommissioning: boolean;
  /** The driver before this one knew it, and it has not registered again yet. */
  readonly isRestored: boolean;
}

/** The cached partitions of one RDD. */
export interface RddSnapshot {
  readonly rddId: number;
  readonly totals: BlockTotals;
}

/** The map output of one shuffle. */
export interface ShuffleSnapshot {
  readonly shuffleId: number;
  readonly numMaps: number;
  /** Maps whose output is known. */
  readonly availableMaps: number;
  readonly mergedPartitions: number;
}

/** What the map output tracker knows. */
export interface TrackerSnapshot {
  readonly epoch: number;
  readonly shuffles: readonly ShuffleSnapshot[];
}

/** What the driver knows at one moment, in totals. */
export interface MasterSnapshot extends TrackerSnapshot {
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly managers: readonly ManagerSnapshot[];
  readonly rdds: readonly RddSnapshot[];
  /** Blocks that are no cached partitions. */
  readonly otherBlocks: BlockTotals;
  /** Cached partitions that may not be read yet. */
  readonly hiddenPartitions: number;
  /** Null where nothing outlives the driver. */
  readonly journal: JournalState | null;
}

type Wire = bm.master.Snapshot.$Properties;
type WireTotals = bm.master.Snapshot.Totals.$Properties | null | undefined;

const snapshotCodec: MessageCodec<MasterSnapshot> = protobufCodec(bm.master.Snapshot, {
  toWire: (snapshot: MasterSnapshot) => ({
    timeMs: sizeToWire(snapshot.timeMs),
    managers: snapshot.managers.map((manager) => ({
      id: idToWire(manager.id),
      maxOnHeapMem: sizeToWire(manager.maxOnHeapMem),
      maxOffHeapMem: sizeToWire(manager.maxOffHeapMem),
      remainingMem: int64ToWire(BigInt(manager.remainingMem)),
      diskSize: sumToWire(manager.diskSize),
      blocks: sizeToWire(manager.blocks),
      silentMs: sizeToWire(manager.silentMs),
      isDecommissioning: manager.isDecommissioning,
      isRestored: manager.isRestored,
    })),
    rdds: snapshot.rdds.map(({ rddId, totals }) => ({ rddId, totals: totalsToWire(totals) })),
    otherBlocks: totalsToWire(snapshot.otherBlocks),
    hiddenPartitions: sizeToWire(snapshot.hiddenPartitions),
    epoch: sizeToWire(snapshot.epoch),
    shuffles: [...snapshot.shuffles],
    journal: journalToWire(snapshot.journal),
  }),
  fromWire: (wire) => ({
    timeMs: sizeFromWire(wire.timeMs),
    managers: wire.managers.map(managerFromWire),
    rdds: wire.rdds.map(({ rddId, totals }) => ({
      rddId: rddId ?? 0,
      totals: totalsFromWire(totals),
    })),
    otherBlocks: totalsFromWire(wire.otherBlocks),
    hiddenPartitions: sizeFromWire(wire.hiddenPartitions),
    epoch: sizeFromWire(wire.epoch),
    shuffles: wire.shuffles.map((shuffle) => ({
      shuffleId: shuffle.shuffleId ?? 0,
      numMaps: shuffle.numMaps ?? 0,
      availableMaps: shuffle.availableMaps ?? 0,
      mergedPartitions: shuffle.mergedPartitions ?? 0,
    })),
    journal: journalFromWire(wire.journal),
  }),
});

/** Everything at one moment. Takes time for block managers, RDDs and shuffles, not for blocks. */
export const GetSnapshot: RpcMessage<void, MasterSnapshot> = defineMessage({
  type: "GetSnapshot",
  reply: snapshotCodec,
});

function managerFromWire(wire: bm.master.Snapshot.Manager.$Properties): ManagerSnapshot {
  return {
    id: idFromWire(wire.id),
    maxOnHeapMem: sizeFromWire(wire.maxOnHeapMem),
    maxOffHeapMem: sizeFromWire(wire.maxOffHeapMem),
    remainingMem: Number(int64FromWire(wire.remainingMem)),
    diskSize: sizeFromWire(wire.diskSize),
    blocks: sizeFromWire(wire.blocks),
    silentMs: sizeFromWire(wire.silentMs),
    isDecommissioning: wire.isDecommissioning ?? false,
    isRestored: wire.isRestored ?? false,
  };
}

function totalsToWire(totals: BlockTotals): NonNullable<WireTotals> {
  const { blocks, locations, memSize, diskSize } = totals;
  return {
    blocks: sizeToWire(blocks),
    locations: sizeToWire(locations),
    memSize: sumToWire(memSize),
    diskSize: sumToWire(diskSize),
  };
}

/** What block managers claim may add up to more than a number holds exactly. */
function sumToWire(bytes: number): ReturnType<typeof sizeToWire> {
  return sizeToWire(Math.min(Math.max(0, bytes), Number.MAX_SAFE_INTEGER));
}

function totalsFromWire(wire: WireTotals): BlockTotals {
  return {
    blocks: sizeFromWire(wire?.blocks),
    locations: sizeFromWire(wire?.locations),
    memSize: sizeFromWire(wire?.memSize),
    diskSize: sizeFromWire(wire?.diskSize),
  };
}

function journalToWire(state: JournalState | null): NonNullable<Wire["journal"]> | null {
  return (
    state && {
      waitingRows: sizeToWire(state.waitingRows),
      writtenRows: sizeToWire(state.writtenRows),
      failedWrites: sizeToWire(state.failedWrites),
      isGivenUp: state.isGivenUp,
    }
  );
}

function journalFromWire(wire: Wire["journal"]): JournalState | null {
  if (!wire) return null;
  return {
    waitingRows: sizeFromWire(wire.waitingRows),
    writtenRows: sizeFromWire(wire.writtenRows),
    failedWrites: sizeFromWire(wire.failedWrites),
    isGivenUp: wire.isGivenUp ?? false,
  };
}
