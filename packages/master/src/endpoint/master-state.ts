/**
 * What the master knows: which block managers there are, and who has which block. Every change is
 * made in one turn, so that whoever looks sees it whole.
 */
import {
  type BlockId,
  BlockManagerId,
  INVALID_EXECUTOR_ID,
  isBroadcast,
  isRdd,
  isShuffle,
  StorageLevel,
} from "@bm/block";
import type { RpcEndpointRef } from "@bm/rpc";
import type { Clock, Logger } from "@bm/transport";
import type { MasterEvent, MasterListener } from "../events/master-event.ts";
import type { ManagerRow, ManagerRows, ManagerRowsVisitor } from "../journal/manager-rows.ts";
import { BlockLocations } from "../locations/block-locations.ts";
import { MasterError } from "../master-error.ts";
import type { BlockManagerRegistration, BlockUpdate } from "../protocol/registration-messages.ts";
import type { TrackerSnapshot } from "../protocol/snapshot-messages.ts";
import type { TopologyMapper } from "../topology/topology-mapper.ts";
import { BlockManagerInfo, type BlockManagerTerms } from "./block-manager-info.ts";
import type { CacheVisibility } from "./cache-visibility.ts";
import { LocalDirsCache } from "./local-dirs-cache.ts";
import type { PushMergers } from "./push-mergers.ts";

/** The part of the driver's map output tracker that the master works with. */
export interface MovedOutputs {
  /** Follows shuffle files that an executor on its way out has moved. */
  updateMapOutput(shuffleId: number, mapId: bigint, location: BlockManagerId): void;
  /** What it knows, for snapshots of the master. */
  snapshot?(): TrackerSnapshot;
}

/** What {@link MasterState} works with. */
export interface MasterStateOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly topologyMapper: TopologyMapper;
  readonly listener: MasterListener;
  readonly movedOutputs: MovedOutputs | null;
  /** The driver's own block manager is the only one, and has to register like any other. */
  readonly isLocal: boolean;
  readonly localDirsEntriesMax: number;
  /** Null where everything that is cached may be read at once. */
  readonly visibility: CacheVisibility | null;
  /** Null where nothing is pushed. */
  readonly mergers: PushMergers | null;
  /** Told of every change; null where nothing outlives the process. */
  readonly rows: ManagerRows | null;
}

/** A block that lost a holder and has others. */
export interface ReducedBlock {
  readonly blockId: BlockId;
  readonly survivors: readonly BlockManagerId[];
}

/** What came of a registration. */
export interface Registered {
  /** With topology; of executor `invalid` when it is refused. */
  readonly id: BlockManagerId;
  /** What the executor's former block manager had and others still have. */
  readonly reduced: readonly ReducedBlock[];
}

/** See the file comment. */
export class MasterState {
  readonly locations: BlockLocations = new BlockLocations();
  readonly localDirs: LocalDirsCache;
  readonly #options: MasterStateOptions;
  /** By the key of the id. */
  readonly #infos = new Map<string, BlockManagerInfo>();
  readonly #idByExecutor = new Map<string, BlockManagerId>();
  /** Keys of ids. */
  readonly #decommissioning = new Set<string>();

  constructor(options: MasterStateOptions) {
    this.#options = options;
    this.localDirs = new LocalDirsCache(options.localDirsEntriesMax);
  }

  /** The registered block managers, in the order of their registration. */
  infos(): BlockManagerInfo[] {
    return [...this.#infos.values()];
  }

  /** Null when the block manager is not registered under exactly this id. */
  infoOf(id: BlockManagerId): BlockManagerInfo | null {
    return this.#infos.get(id.key) ?? null;
  }

  /** Null when no block manager of the executor is registered. */
  infoOfExecutor(executorId: string): BlockManagerInfo | null {
    const id = this.#idByExecutor.get(executorId);
    return id === undefined ? null : this.infoOf(id);
  }

  /**
   * Makes a block manager known, in place of another one of its executor. A refusal changes nothing.
   * @param isAlive whether the executor is alive for the scheduler
   * @throws MasterError REGISTRATION_CONFLICT
   */
  register(
    registration: BlockManagerRegistration,
    slave: RpcEndpointRef,
    isAlive: boolean,
  ): Registered {
    const { executorId, host, port } = registration.blockManagerId;
    const id = BlockManagerId.of(executorId, host, port, this.#topologyOf(host));
    const known = this.infoOf(id);
    if (registration.isReRegister && !isAlive) return this.#refuse(id, known);
    this.localDirs.set(executorId, registration.localDirs);
    const { maxOnHeapMemSize: maxOnHeapMem, maxOffHeapMemSize: maxOffHeapMem } = registration;
    const terms = { maxOnHeapMem, maxOffHeapMem, slave };
    if (known === null) return { id, reduced: this.#add(id, terms) };
    if (!known.isRestored) return { id, reduced: [] };
    // One that registers for the first time has begun anew, with nothing of what it had.
    if (!registration.isReRegister) return { id, reduced: this.#add(id, terms) };
    known.reattach(terms);
    known.lastSeenMs = this.#options.clock.nowMs();
    this.#keep(known);
    return { id, reduced: [] };
  }

  /** A block manager that registered again has reported every block: what it did not name is gone. */
  endReport(id: BlockManagerId): void {
    for (const blockId of this.infoOf(id)?.endReport() ?? []) {
      this.update({
        blockManagerId: id,
        blockId,
        storageLevel: StorageLevel.NONE,
        memSize: 0,
        diskSize: 0,
      });
    }
  }

  /**
   * Takes in what the driver before this one knew, but its own block manager, which has ended with it.
   * @param slaveAt makes a reference of an address
   */
  restorer(slaveAt: (row: ManagerRow) => RpcEndpointRef): ManagerRowsVisitor {
    const { rows, visibility } = this.#options;
    return {
      manager: (row) => {
        if (row.id.isDriver) {
          rows?.deleteManager(row.id.executorId);
          return;
        }
        this.localDirs.set(row.id.executorId, row.localDirs);
        const { maxOnHeapMem, maxOffHeapMem, isDecommissioning } = row;
        this.#put(row.id, { maxOnHeapMem, maxOffHeapMem, slave: slaveAt(row) }, true);
        if (isDecommissioning) this.#decommissioning.add(row.id.key);
      },
      block: (executorId, blockId, status) => {
        const info = this.infoOfExecutor(executorId);
        if (info === null) {
          rows?.deleteBlock(executorId, blockId);
          return;
        }
        info.update({ blockId, ...status });
      },
      hidden: (blockId) => {
        if (this.locations.has(blockId)) visibility?.hide(blockId);
        else rows?.deleteHidden(blockId);
      },
      task: (taskId, blockId) => visibility?.setTask(blockId, taskId),
    };
  }

  /** Takes note of a report; false when the block manager has to register. */
  update(update: BlockUpdate): boolean {
    const isAccepted = isShuffle(update.blockId)
      ? this.#updateShuffleBlock(update)
      : this.#updateBlock(update);
    if (isAccepted) this.#post({ type: "BlockUpdated", update });
    return isAccepted;
  }

  /** Takes note of a sign of life; false when the block manager has to register. */
  heartbeat(id: BlockManagerId): boolean {
    const info = this.infoOf(id);
    if (info === null) return this.#isDriverOutside(id);
    info.lastSeenMs = this.#options.clock.nowMs();
    return !info.isRestored;
  }

  /** Whom a block manager may replicate to; nobody when it is not registered. */
  peersOf(id: BlockManagerId): BlockManagerId[] {
    if (!this.#infos.has(id.key)) return [];
    return this.infos()
      .map((info) => info.id)
      .filter((peer) => !peer.isDriver && !peer.equals(id) && !this.#decommissioning.has(peer.key));
  }

  /** Takes executors out of the peer lists; unknown ones are passed over. */
  decommission(executorIds: readonly string[]): void {
    for (const executorId of executorIds) {
      const info = this.infoOfExecutor(executorId);
      if (info === null) continue;
      this.#decommissioning.add(info.id.key);
      this.#keep(info);
    }
  }

  /** Whether a block manager is about to go. */
  isDecommissioning(id: BlockManagerId): boolean {
    return this.#decommissioning.has(id.key);
  }

  /** Whether an executor holds any block that is not part of a broadcast. */
  hasCachedBlocks(executorId: string): boolean {
    const blocks = this.infoOfExecutor(executorId)?.blocks() ?? [];
    return blocks.some(({ blockId }) => !isBroadcast(blockId));
  }

  /** Forgets the blocks of an RDD. */
  removeRdd(rddId: number): void {
    for (const id of this.locations.blocksOfRdd(rddId)) {
      for (const holder of this.locations.of(id)) {
        this.infoOf(holder)?.remove(id);
        this.#options.rows?.deleteBlock(holder.executorId, id);
      }
      this.#options.visibility?.forget(id);
    }
  }

  /**
   * Forgets the block manager of an executor with its blocks; an unknown one is no error.
   * @returns the blocks that others still have.
   */
  removeExecutor(executorId: string): ReducedBlock[] {
    const info = this.infoOfExecutor(executorId);
    if (info === null) return [];
    const { id } = info;
    this.#idByExecutor.delete(executorId);
    this.#decommissioning.delete(id.key);
    this.#infos.delete(id.key);
    this.#options.rows?.deleteManager(executorId);
    const reduced: ReducedBlock[] = [];
    const lostBlocks: BlockId[] = [];
    for (const { blockId } of info.blocks()) {
      const left = this.#loseHolder(blockId, info);
      if (left === null) lostBlocks.push(blockId);
      else reduced.push(left);
    }
    info.forget();
    this.#reportRemoved(id, lostBlocks);
    return reduced;
  }

  #reportRemoved(blockManagerId: BlockManagerId, lostBlocks: readonly BlockId[]): void {
    const { clock, logger } = this.#options;
    if (lostBlocks.length > 0) {
      const text = `no more replicas of ${lostBlocks.length} blocks of ${blockManagerId.toString()}`;
      logger.warn(text);
    }
    const timeMs = clock.wallTimeMs();
    this.#post({ type: "BlockManagerRemoved", timeMs, blockManagerId, lostBlocks });
  }

  /** Tells the listener that an executor was silent for too long. */
  reportExpired(executorId: string, silentMs: number): void {
    const timeMs = this.#options.clock.wallTimeMs();
    this.#post({ type: "ExecutorExpired", timeMs, executorId, silentMs });
  }

  /** @throws MasterError REGISTRATION_CONFLICT */
  #refuse(id: BlockManagerId, known: BlockManagerInfo | null): Registered {
    if (known !== null && !known.isRestored) {
      const text = `${id.toString()} registers again, is still registered, and its executor is dead`;
      throw new MasterError("REGISTRATION_CONFLICT", text);
    }
    const reduced = known === null ? [] : this.removeExecutor(id.executorId);
    const { host, port, topologyInfo } = id;
    return { id: BlockManagerId.of(INVALID_EXECUTOR_ID, host, port, topologyInfo), reduced };
  }

  #add(id: BlockManagerId, terms: BlockManagerTerms): ReducedBlock[] {
    const former = this.#idByExecutor.get(id.executorId);
    if (former !== undefined) {
      this.#options.logger.error(
        `two different registrations of one executor: ${former.toString()}, now ${id.toString()}`,
      );
    }
    const reduced = this.removeExecutor(id.executorId);
    this.#keep(this.#put(id, terms, false));
    return reduced;
  }

  #put(id: BlockManagerId, terms: BlockManagerTerms, isRestored: boolean): BlockManagerInfo {
    const { clock, mergers } = this.#options;
    const { locations } = this;
    const info = new BlockManagerInfo({ id, nowMs: clock.nowMs(), locations, isRestored }, terms);
    this.#idByExecutor.set(id.executorId, id);
    this.#infos.set(id.key, info);
    mergers?.add(id);
    const { maxMem, maxOnHeapMem, maxOffHeapMem } = info;
    this.#post({
      type: "BlockManagerAdded",
      timeMs: clock.wallTimeMs(),
      blockManagerId: id,
      maxMem,
      maxOnHeapMem,
      maxOffHeapMem,
    });
    return info;
  }

  #keep({ id, maxOnHeapMem, maxOffHeapMem, slave }: BlockManagerInfo): void {
    this.#options.rows?.putManager({
      id,
      maxOnHeapMem,
      maxOffHeapMem,
      slave,
      localDirs: this.localDirs.get(id.executorId) ?? [],
      isDecommissioning: this.#decommissioning.has(id.key),
    });
  }

  /** Map output is not kept here, but an executor on its way out tells where it moved its files. */
  #updateShuffleBlock({ blockId, blockManagerId }: BlockUpdate): boolean {
    if (blockId.kind !== "shuffleIndex") return blockId.kind === "shuffleData";
    const { shuffleId, mapId } = blockId;
    this.#options.movedOutputs?.updateMapOutput(shuffleId, mapId, blockManagerId);
    return true;
  }

  #updateBlock(update: BlockUpdate): boolean {
    const { blockManagerId: id, blockId, storageLevel } = update;
    const info = this.infoOf(id);
    if (info === null) return this.#isDriverOutside(id);
    info.lastSeenMs = this.#options.clock.nowMs();
    if (info.isRestored) return false;
    if (storageLevel.isValid) this.#setHolder(info, update);
    else this.#removeHolder(blockId, info);
    return true;
  }

  #setHolder(info: BlockManagerInfo, update: BlockUpdate): void {
    const { blockId } = update;
    const { rows, visibility } = this.#options;
    if (visibility && isRdd(blockId) && !this.locations.has(blockId)) visibility.hide(blockId);
    info.update(update);
    const status = rows && info.statusOf(blockId);
    if (rows && status) rows.putBlock(info.id.executorId, blockId, status);
  }

  #removeHolder(blockId: BlockId, info: BlockManagerInfo): void {
    const { rows, visibility } = this.#options;
    rows?.deleteBlock(info.id.executorId, blockId);
    info.remove(blockId);
    if (!this.locations.has(blockId)) visibility?.forget(blockId);
  }

  /** Null when nobody has the block any more. */
  #loseHolder(blockId: BlockId, info: BlockManagerInfo): ReducedBlock | null {
    this.#removeHolder(blockId, info);
    const survivors = this.locations.of(blockId);
    return survivors.length === 0 ? null : { blockId, survivors };
  }

  /** The driver's own block manager may stay unregistered on purpose. */
  #isDriverOutside(id: BlockManagerId): boolean {
    return id.isDriver && !this.#options.isLocal;
  }

  #topologyOf(host: string): string | null {
    return this.#options.topologyMapper.topologyOf(host);
  }

  #post(event: MasterEvent): void {
    try {
      this.#options.listener(event);
    } catch (error) {
      this.#options.logger.error(`listener of ${event.type}: ${String(error)}`);
    }
  }
}
