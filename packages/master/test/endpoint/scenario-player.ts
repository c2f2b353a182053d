/** Plays the recorded scripts to a master of ours, in their own words. */
import { BlockManagerId, parseBlockId, StorageLevel } from "@bm/block";
import type { MasterEvent } from "@bm/master";
import { Cluster, type Wiring } from "../cluster.ts";
import { RecordingOwner } from "../recording-owner.ts";

/** The fields of all messages of the scripts; each message has its own. */
interface Fields {
  readonly id: string;
  readonly localDirs: readonly string[];
  readonly maxOnHeap: number;
  readonly maxOffHeap: number;
  readonly isReRegister: boolean;
  readonly block: string;
  readonly blocks: readonly string[];
  readonly blockId: string;
  readonly level: number;
  readonly replication: number;
  readonly memSize: number;
  readonly diskSize: number;
  readonly requesterHost: string;
  readonly executorId: string;
  readonly executorIds: readonly string[];
  readonly execId: string;
  readonly rddId: number;
  readonly shuffleId: number;
  readonly broadcastId: number;
  readonly removeFromDriver: boolean;
}

/** An order to a block manager. */
export interface SentOrder {
  readonly to: string;
  readonly message: string;
}

/** One message, and what came of it. */
export interface Step {
  readonly message: string;
  readonly fields: Fields;
  readonly reply: unknown;
  readonly sent: readonly SentOrder[];
  readonly events: readonly object[];
  readonly schedulerAlive?: readonly string[];
}

/** A script for a fresh master. */
export interface Scenario {
  readonly name: string;
  readonly isLocal: boolean;
  readonly steps: readonly Step[];
}

/** `exec@host:port[#topology]`. */
function toId(text: string): BlockManagerId {
  const match = /^(.+)@(.+):(\d+)(?:#(.+))?$/.exec(text);
  if (match === null) return BlockManagerId.of(text, "nowhere", 1);
  const [, executorId = "", host = "", port = "", place] = match;
  return BlockManagerId.of(executorId, host, Number(port), place ?? null);
}

function toText({ executorId, host, port, topologyInfo }: BlockManagerId): string {
  return `${executorId}@${host}:${port}${topologyInfo === null ? "" : `#${topologyInfo}`}`;
}

function toTexts(ids: readonly BlockManagerId[]): string[] {
  return ids.map(toText).toSorted();
}

/** An event in the words of the scripts. */
export function eventFields(event: MasterEvent): object {
  if (event.type === "BlockUpdated") {
    const { blockManagerId, blockId, storageLevel, memSize, diskSize } = event.update;
    const { flags: level, replication } = storageLevel;
    const block = { id: toText(blockManagerId), block: blockId.name };
    return { event: event.type, ...block, level, replication, memSize, diskSize };
  }
  if (event.type === "ExecutorExpired") return event;
  const id = toText(event.blockManagerId);
  if (event.type === "BlockManagerRemoved") return { event: event.type, id };
  const { maxMem, maxOnHeapMem: onHeap, maxOffHeapMem: offHeap } = event;
  return { event: event.type, id, maxMem, onHeap, offHeap };
}

/** Racks by host. */
export type Topology = Readonly<Record<string, string>>;

/** Plays one scenario: a fresh master, and an owner per executor. */
export class Player {
  readonly owners: Map<string, RecordingOwner> = new Map();
  readonly cluster: Cluster;
  alive: readonly string[] | null = null;
  readonly #topology: Topology;

  private constructor(played: Cluster, topology: Topology) {
    this.cluster = played;
    this.#topology = topology;
  }

  static async start(wiring: Wiring, isLocal: boolean, topology: Topology): Promise<Player> {
    let player: Player | null = null;
    const played = await Cluster.start(wiring, {
      isLocal,
      topologyMapper: { topologyOf: (host) => topology[host] ?? null },
      isExecutorAlive: (executorId) => {
        const alive = player?.alive ?? null;
        if (alive === null) throw new Error(`nobody should ask for executor ${executorId}`);
        return alive.includes(executorId);
      },
    });
    player = new Player(played, topology);
    return player;
  }

  /** What the owners were ordered since the last call. */
  takeOrders(): SentOrder[] {
    return [...this.owners].flatMap(([to, owner]) =>
      owner.orders.splice(0).map((message) => ({ to, message })),
    );
  }

  async play(message: string, fields: Fields): Promise<unknown> {
    const perform = this.#performers[message];
    if (perform === undefined) throw new Error(`no performer for ${message}`);
    try {
      return await perform(fields);
    } catch (error) {
      return `ERROR ${(error as { code: string }).code}`;
    }
  }

  readonly #performers: Readonly<Record<string, (fields: Fields) => Promise<unknown>>> = {
    RegisterBlockManager: ({ id, localDirs, maxOnHeap, maxOffHeap, isReRegister }) =>
      this.#register(toId(id), localDirs, maxOnHeap, maxOffHeap, isReRegister),
    UpdateBlockInfo: ({ id, block, level, replication, memSize, diskSize }) =>
      this.cluster.master.updateBlockInfo({
        blockManagerId: toId(id),
        blockId: parseBlockId(block),
        storageLevel: StorageLevel.fromFlags(level, replication),
        memSize,
        diskSize,
      }),
    GetLocations: async ({ block }) =>
      toTexts(await this.cluster.master.getLocations(parseBlockId(block))),
    GetLocationsMultipleBlockIds: async ({ blocks }) => {
      const ids = blocks.map(parseBlockId);
      return (await this.cluster.master.getLocationsMultipleBlockIds(ids)).map(toTexts);
    },
    GetLocationsAndStatus: async ({ block, requesterHost }) => {
      const id = parseBlockId(block);
      const found = await this.cluster.master.getLocationsAndStatus(id, requesterHost);
      if (found === null) return null;
      const { storageLevel, memSize, diskSize } = found.status;
      const { localDirs } = found;
      const status = { level: storageLevel.flags, memSize, diskSize };
      return { locations: toTexts(found.locations), ...status, localDirs };
    },
    GetPeers: async ({ id }) => toTexts(await this.cluster.master.getPeers(toId(id))),
    GetMemoryStatus: async () => {
      const statuses = await this.cluster.master.getMemoryStatus();
      return Object.fromEntries(
        statuses.map(({ blockManagerId, maxMem, remainingMem }) => {
          return [toText(blockManagerId), [maxMem, remainingMem]];
        }),
      );
    },
    IsExecutorAlive: ({ executorId }) => this.cluster.master.isExecutorAlive(executorId),
    GetExecutorEndpointRef: async ({ executorId }) =>
      (await this.cluster.master.getExecutorEndpoint(executorId)) !== null,
    DecommissionBlockManagers: async ({ executorIds }) => {
      await this.cluster.master.decommissionBlockManagers(executorIds);
      return true;
    },
    RemoveExecutor: async ({ execId }) => {
      await this.cluster.master.removeExecutor(execId);
      return true;
    },
    RemoveBlock: async ({ blockId }) => {
      await this.cluster.master.removeBlock(parseBlockId(blockId));
      return true;
    },
    RemoveRdd: ({ rddId }) => this.cluster.master.removeRdd(rddId),
    RemoveBroadcast: ({ broadcastId, removeFromDriver }) =>
      this.cluster.master.removeBroadcast(BigInt(broadcastId), removeFromDriver),
    RemoveShuffle: ({ shuffleId }) => this.cluster.master.removeShuffle(shuffleId),
    GetReplicateInfoForRDDBlocks: async ({ id }) => {
      const orders = await this.cluster.master.getReplicateInfoForRddBlocks(toId(id));
      return orders
        .map(({ blockId, replicas, maxReplicas }) => {
          return `${blockId.name} [${toTexts(replicas).join(", ")}] ${maxReplicas}`;
        })
        .toSorted();
    },
    GetMatchingBlockIds: async () => {
      const ids = await this.cluster.master.getMatchingBlockIds({}, false);
      return { future: ids.map((id) => id.name).toSorted() };
    },
    BlockManagerHeartbeat: ({ id }) => this.cluster.master.heartbeat(toId(id)),
    StopBlockManagerMaster: async () => {
      await this.cluster.master.stop();
      return true;
    },
  };

  async #register(
    id: BlockManagerId,
    localDirs: readonly string[],
    maxOnHeapMemSize: number,
    maxOffHeapMemSize: number,
    isReRegister: boolean,
  ): Promise<string> {
    const { executorId, host, port } = id;
    const owner = this.owners.get(executorId) ?? new RecordingOwner();
    this.owners.set(executorId, owner);
    const sizes = { maxOnHeapMemSize, maxOffHeapMemSize };
    try {
      const options = { executorId, host, port, owner, localDirs, ...sizes, isReRegister };
      return toText((await this.cluster.register(options)).id);
    } catch (error) {
      // The client turns the answer of a refusal into an error.
      if ((error as { code: string }).code !== "REGISTRATION_REFUSED") throw error;
      return toText(BlockManagerId.of("invalid", host, port, this.#topology[host] ?? null));
    }
  }
}
