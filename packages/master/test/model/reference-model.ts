/**
 * What the master has to know, kept in the plainest way: a list of managers with the blocks they
 * reported, and one of blocks with their holders. Everything else is worked out from these two
 * whenever it is asked for. Block managers go by their text `executor@host:port#topology`.
 */
import { type BlockId, type BlockManagerId, StorageLevel } from "@bm/block";
import type { MasterEvent } from "@bm/master";

export interface ModelUpdate {
  readonly id: BlockManagerId;
  readonly blockId: BlockId;
  readonly level: StorageLevel;
  readonly memSize: number;
  readonly diskSize: number;
}

export interface ModelRegistration {
  /** With topology. */
  readonly id: BlockManagerId;
  readonly maxMem: number;
  readonly isReRegister: boolean;
}

interface Manager {
  readonly id: BlockManagerId;
  readonly maxMem: number;
  readonly blocks: Map<string, ModelUpdate>;
  lastSeenMs: number;
  isLeaving: boolean;
}

export const TIMEOUT_MS = 400;

export function textOf(id: BlockManagerId): string {
  return `${id.executorId}@${id.host}:${id.port}#${id.topologyInfo ?? ""}`;
}

export function eventText(event: MasterEvent): string {
  switch (event.type) {
    case "BlockUpdated":
      return `updated ${textOf(event.update.blockManagerId)} ${event.update.blockId.name}`;
    case "ExecutorExpired":
      return `expired ${event.executorId} ${event.silentMs}`;
    case "BlockManagerAdded":
      return `added ${textOf(event.blockManagerId)} ${event.maxMem}`;
    case "BlockManagerRemoved":
      return `removed ${textOf(event.blockManagerId)}`;
  }
}

export class ReferenceModel {
  readonly managers: Manager[] = [];
  /** Of each block that somebody has: who, in the order of the first reports. */
  readonly holders: Map<string, BlockManagerId[]> = new Map();
  /** Executors that are alive for the scheduler. */
  readonly alive: Set<string> = new Set();
  /** What the listener has to be told, and what endpoints have to be ordered. */
  readonly events: string[] = [];
  readonly orders: string[] = [];
  nowMs = 0;

  of(id: BlockManagerId): Manager | undefined {
    return this.managers.find((manager) => textOf(manager.id) === textOf(id));
  }

  ofExecutor(executorId: string): Manager | undefined {
    return this.managers.find(({ id }) => id.executorId === executorId);
  }

  register({ id, maxMem, isReRegister }: ModelRegistration): string {
    const known = this.of(id);
    if (isReRegister && !this.alive.has(id.executorId)) {
      return known === undefined ? "REGISTRATION_REFUSED" : "REGISTRATION_CONFLICT";
    }
    if (known !== undefined) return textOf(id);
    this.removeExecutor(id.executorId);
    const { nowMs } = this;
    this.managers.push({ id, maxMem, blocks: new Map(), lastSeenMs: nowMs, isLeaving: false });
    this.events.push(`added ${textOf(id)} ${maxMem}`);
    return textOf(id);
  }

  update(update: ModelUpdate): boolean {
    const { id, blockId, level } = update;
    const isTaken = this.#take(update);
    if (isTaken) this.events.push(`updated ${textOf(id)} ${blockId.name}`);
    if (!isTaken || blockId.kind.startsWith("shuffle") || this.of(id) === undefined) return isTaken;

    const others = (this.holders.get(blockId.name) ?? []).filter((holder) => !holder.equals(id));
    const held = this.holders.get(blockId.name)?.some((holder) => holder.equals(id)) ?? false;
    if (level.isValid && !held) this.holders.set(blockId.name, [...others, id]);
    if (!level.isValid) this.#setHolders(blockId.name, others);
    return true;
  }

  heartbeat(id: BlockManagerId): boolean {
    const manager = this.of(id);
    if (manager === undefined) return id.isDriver;
    manager.lastSeenMs = this.nowMs;
    return true;
  }

  removeExecutor(executorId: string): void {
    const manager = this.ofExecutor(executorId);
    if (manager === undefined) return;
    this.managers.splice(this.managers.indexOf(manager), 1);
    for (const { blockId } of manager.blocks.values()) this.#lose(blockId, manager.id);
    this.events.push(`removed ${textOf(manager.id)}`);
  }

  /** Gives the number of answers of 1. */
  removeRdd(rddId: number): number {
    for (const name of [...this.holders.keys()].filter((of) => of.startsWith(`rdd_${rddId}_`))) {
      this.holders.delete(name);
      for (const { blocks } of this.managers) blocks.delete(name);
    }
    for (const { id } of this.managers) this.#order(id, `RemoveRdd(${rddId})`);
    return this.managers.length;
  }

  removeBroadcast(broadcastId: bigint, removeFromDriver: boolean): number {
    const asked = this.managers.filter(({ id }) => removeFromDriver || !id.isDriver);
    for (const { id } of asked) this.#order(id, `RemoveBroadcast(${broadcastId})`);
    return asked.length;
  }

  removeShuffle(shuffleId: number): boolean {
    for (const { id } of this.managers) this.#order(id, `RemoveShuffle(${shuffleId})`);
    return true;
  }

  removeBlock(blockId: BlockId): void {
    for (const id of this.holders.get(blockId.name) ?? []) {
      this.#order(id, `RemoveBlock(${blockId.name})`);
    }
  }

  decommission(executorIds: readonly string[]): void {
    for (const executorId of executorIds) {
      const manager = this.ofExecutor(executorId);
      if (manager !== undefined) manager.isLeaving = true;
    }
  }

  /** Moves time to the next look at who is silent. */
  tick(ms: number): void {
    this.nowMs += ms;
    for (const { id, lastSeenMs } of this.managers.slice()) {
      const silentMs = this.nowMs - lastSeenMs;
      if (id.isDriver || silentMs <= TIMEOUT_MS) continue;
      this.events.push(`expired ${id.executorId} ${silentMs}`);
      this.removeExecutor(id.executorId);
    }
  }

  peersOf(id: BlockManagerId): string {
    if (this.of(id) === undefined) return "";
    const peers = this.managers.filter((peer) => !peer.isLeaving && !peer.id.isDriver);
    return texts(peers.map((peer) => peer.id).filter((peer) => !peer.equals(id)));
  }

  /** Orders for a block manager that will go. */
  replicateInfo(id: BlockManagerId): string {
    const blocks = [...(this.of(id)?.blocks.keys() ?? [])].filter((name) => name.startsWith("rdd"));
    return blocks
      .map((name) => {
        const others = this.holdersOf(name).filter((holder) => !holder.equals(id));
        return `${name} ${texts(others)} ${others.length + 1 + 1}`;
      })
      .join("; ");
  }

  holdersOf(name: string): readonly BlockManagerId[] {
    return this.holders.get(name) ?? [];
  }

  #take({ id, blockId, ...update }: ModelUpdate): boolean {
    if (blockId.kind === "shuffleIndex" || blockId.kind === "shuffleData") return true;
    if (blockId.kind.startsWith("shuffle")) return false;
    const manager = this.of(id);
    if (manager === undefined) return id.isDriver;
    manager.lastSeenMs = this.nowMs;
    if (!update.level.isValid) manager.blocks.delete(blockId.name);
    else {
      const memSize = update.level.useMemory ? update.memSize : 0;
      const diskSize = update.level.useDisk ? update.diskSize : 0;
      manager.blocks.set(blockId.name, { id, blockId, level: update.level, memSize, diskSize });
    }
    return true;
  }

  #lose(blockId: BlockId, id: BlockManagerId): void {
    const survivors = this.holdersOf(blockId.name).filter((holder) => !holder.equals(id));
    this.#setHolders(blockId.name, survivors);
    if (survivors.length === 0 || (blockId.kind !== "rdd" && blockId.kind !== "test")) return;
    // Which survivor is chosen is the master's affair.
    this.orders.push(`replicate ${blockId.name} ${survivors.length + 1}`);
  }

  #setHolders(name: string, holders: BlockManagerId[]): void {
    if (holders.length === 0) this.holders.delete(name);
    else this.holders.set(name, holders);
  }

  #order(id: BlockManagerId, order: string): void {
    this.orders.push(`${id.executorId} ${order}`);
  }
}

export function texts(ids: readonly BlockManagerId[]): string {
  return ids.map(textOf).join(" ");
}

/** One line for each manager: its memory, then its blocks. */
export function modelSummary(model: ReferenceModel): string {
  return model.managers
    .map(({ id, maxMem, blocks }) => {
      const used = [...blocks.values()].reduce((sum, { memSize }) => sum + memSize, 0);
      return managerLine(id, maxMem, maxMem - used, [...blocks.values()]);
    })
    .join("\n");
}

/** The same line for what a master says and what the model says. */
export function managerLine(
  id: BlockManagerId,
  maxMem: number,
  remainingMem: number,
  blocks: readonly Omit<ModelUpdate, "id">[],
): string {
  const held = blocks.map(({ blockId, level, memSize, diskSize }) => {
    return `${blockId.name}=${level.flags}x${level.replication}/${memSize}/${diskSize}`;
  });
  return `${textOf(id)} ${remainingMem}/${maxMem}: ${held.join(" ")}`;
}

/** Levels of reports, two of them removals. */
export const LEVELS: readonly StorageLevel[] = [
  StorageLevel.MEMORY_ONLY,
  StorageLevel.MEMORY_ONLY_2,
  StorageLevel.DISK_ONLY,
  StorageLevel.MEMORY_AND_DISK,
  StorageLevel.OFF_HEAP,
  StorageLevel.NONE,
  StorageLevel.MEMORY_AND_DISK_SER.withReplication(0),
];
