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

export interface ModelReport {
  readonly id: BlockManagerId;
  readonly updates: readonly ModelUpdate[];
  readonly isLastOfAll: boolean;
}

export interface ModelRegistration {
  /** With topology. */
  readonly id: BlockManagerId;
  readonly maxMem: number;
  readonly isReRegister: boolean;
}

interface Manager {
  readonly id: BlockManagerId;
  maxMem: number;
  blocks: Map<string, ModelUpdate>;
  lastSeenMs: number;
  isLeaving: boolean;
  /** Known from before the restart; has to register again. */
  isRestored: boolean;
  /** Names of blocks from before the restart that it has not reported again. */
  unconfirmed: Set<string>;
}

export const TIMEOUT_MS = 400;
/** Hosts whose shuffle service is remembered. */
export const RETAINED_MERGERS = 2;

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
  managers: Manager[] = [];
  /** Of each block that somebody has: who, in the order of the first reports. */
  readonly holders: Map<string, BlockManagerId[]> = new Map();
  /** Executors that are alive for the scheduler. */
  readonly alive: Set<string> = new Set();
  /** Names of partitions that may not be read yet. */
  readonly hidden: Set<string> = new Set();
  readonly tasks: Map<bigint, Set<string>> = new Map();
  /** Hosts that have had an executor, the first first. */
  mergerHosts: string[] = [];
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
      if (known !== undefined && !known.isRestored) return "REGISTRATION_CONFLICT";
      if (known !== undefined) this.removeExecutor(id.executorId);
      return "REGISTRATION_REFUSED";
    }
    if (known !== undefined && !known.isRestored) return textOf(id);
    if (known !== undefined && isReRegister) {
      known.maxMem = maxMem;
      known.isRestored = false;
      known.lastSeenMs = this.nowMs;
      known.unconfirmed = new Set(known.blocks.keys());
      return textOf(id);
    }
    this.removeExecutor(id.executorId);
    this.#add({
      id,
      maxMem,
      blocks: new Map(),
      lastSeenMs: this.nowMs,
      isLeaving: false,
      isRestored: false,
      unconfirmed: new Set(),
    });
    return textOf(id);
  }

  /** The driver is ended and started again from what it wrote. */
  restart(): void {
    const former = this.managers
      .filter(({ id }) => !id.isDriver)
      .toSorted((a, b) => (a.id.executorId < b.id.executorId ? -1 : 1));
    this.managers = [];
    this.mergerHosts = [];
    this.holders.clear();
    for (const manager of former) {
      const blocks = new Map([...manager.blocks].toSorted(([a], [b]) => (a < b ? -1 : 1)));
      const unconfirmed = new Set<string>();
      this.#add({ ...manager, blocks, unconfirmed, lastSeenMs: this.nowMs, isRestored: true });
      for (const name of blocks.keys()) {
        this.holders.set(name, [...this.holdersOf(name), manager.id]);
      }
    }
    for (const name of this.hidden) if (!this.holders.has(name)) this.hidden.delete(name);
  }

  /** False at the first block that is not taken note of. */
  report({ id, updates, isLastOfAll }: ModelReport): boolean {
    if (!updates.every((update) => this.update(update))) return false;
    if (isLastOfAll) this.#endReport(id);
    return this.heartbeat(id);
  }

  #endReport(id: BlockManagerId): void {
    const manager = this.of(id);
    if (manager === undefined) return;
    for (const name of manager.unconfirmed) {
      const last = manager.blocks.get(name);
      if (last !== undefined) this.update({ ...last, level: StorageLevel.NONE });
    }
    manager.unconfirmed.clear();
  }

  #add(manager: Manager): void {
    const { id, maxMem } = manager;
    this.managers.push(manager);
    this.events.push(`added ${textOf(id)} ${maxMem}`);
    if (id.isDriver || this.mergerHosts.includes(id.host)) return;
    this.mergerHosts = [...this.mergerHosts, id.host].slice(-RETAINED_MERGERS);
  }

  update(update: ModelUpdate): boolean {
    const { id, blockId, level } = update;
    const isTaken = this.#take(update);
    if (isTaken) this.events.push(`updated ${textOf(id)} ${blockId.name}`);
    if (!isTaken || blockId.kind.startsWith("shuffle") || this.of(id) === undefined) return isTaken;

    const others = this.holdersOf(blockId.name).filter((holder) => !holder.equals(id));
    const held = this.holdersOf(blockId.name).some((holder) => holder.equals(id));
    if (level.isValid && !held) {
      if (blockId.kind === "rdd" && others.length === 0) this.hidden.add(blockId.name);
      this.holders.set(blockId.name, [...others, id]);
    }
    if (!level.isValid) this.#setHolders(blockId.name, others);
    this.#tellIfVisible(id, blockId.name);
    return true;
  }

  task(blockId: BlockId, taskId: bigint): void {
    const names = this.tasks.get(taskId) ?? new Set();
    this.tasks.set(taskId, names.add(blockId.name));
  }

  taskEnds(taskId: bigint, succeeded: boolean): void {
    const names = succeeded ? (this.tasks.get(taskId) ?? []) : [];
    this.tasks.delete(taskId);
    for (const name of names) this.hidden.delete(name);
    for (const name of names) {
      for (const holder of this.holdersOf(name)) this.#tellIfVisible(holder, name);
    }
  }

  isVisible(name: string): boolean {
    return this.holders.has(name) && !this.hidden.has(name);
  }

  /** Whether these are mergers to choose: all on live hosts first, then others until there are enough. */
  fitsMergers(hosts: readonly string[], count: number, refused: readonly string[]): boolean {
    const live = this.managers.filter(({ id }) => !id.isDriver).map(({ id }) => id.host);
    const near = [...new Set(live)].filter((host) => !refused.includes(host));
    const rest = this.mergerHosts.filter((host) => !refused.includes(host) && !near.includes(host));
    const chosen = hosts.slice(near.length);
    return (
      near.every((host, index) => hosts[index] === host) &&
      chosen.length === Math.min(Math.max(0, count - near.length), rest.length) &&
      new Set(chosen).size === chosen.length &&
      chosen.every((host) => rest.includes(host))
    );
  }

  heartbeat(id: BlockManagerId): boolean {
    const manager = this.of(id);
    if (manager === undefined) return id.isDriver;
    manager.lastSeenMs = this.nowMs;
    return !manager.isRestored;
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
      this.#setHolders(name, []);
      for (const { blocks, unconfirmed } of this.managers) {
        blocks.delete(name);
        unconfirmed.delete(name);
      }
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
    if (manager.isRestored) return false;
    manager.unconfirmed.delete(blockId.name);
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
    if (holders.length === 0) {
      this.holders.delete(name);
      this.hidden.delete(name);
    } else this.holders.set(name, holders);
  }

  #tellIfVisible(id: BlockManagerId, name: string): void {
    const isHeld = this.of(id)?.blocks.has(name) ?? false;
    if (!isHeld || !name.startsWith("rdd_") || this.hidden.has(name)) return;
    this.#order(id, `MarkRDDBlockAsVisible(${name})`);
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
    .map(({ id, maxMem, blocks, isLeaving, isRestored }) => {
      const held = [...blocks.values()];
      const used = held.reduce((sum, { memSize }) => sum + memSize, 0);
      return managerLine(id, maxMem, maxMem - used, held, [isLeaving, isRestored]);
    })
    .join("\n");
}

/** The same line for what a master says and what the model says. */
export function managerLine(
  id: BlockManagerId,
  maxMem: number,
  remainingMem: number,
  blocks: readonly Omit<ModelUpdate, "id">[],
  [isLeaving, isRestored]: readonly [boolean, boolean],
): string {
  const held = blocks.map(({ blockId, level, memSize, diskSize }) => {
    return `${blockId.name}=${level.flags}x${level.replication}/${memSize}/${diskSize}`;
  });
  const marks = `${isLeaving ? " leaving" : ""}${isRestored ? " restored" : ""}`;
  return `${textOf(id)}${marks} ${remainingMem}/${maxMem}: ${held.join(" ")}`;
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
