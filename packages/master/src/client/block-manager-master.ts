/** The way to the master for block managers, schedulers and whoever wants to know. */
import { type BlockId, type BlockManagerId, INVALID_EXECUTOR_ID } from "@bm/block";
import type {
  AskOptions,
  RetryOptions,
  RpcAddress,
  RpcEndpointAddress,
  RpcEndpointRef,
  RpcEnv,
  RpcMessage,
} from "@bm/rpc";
import {
  MASTER_ENDPOINT_NAME,
  MASTER_HEARTBEAT_ENDPOINT_NAME,
} from "../endpoint/endpoint-names.ts";
import { MasterError } from "../master-error.ts";
import {
  DecommissionBlockManagers,
  ExpireDeadHosts,
  GetExecutorEndpointRef,
  GetPeers,
  HasCachedBlocks,
  IsExecutorAlive,
  RemoveExecutor,
} from "../protocol/executor-messages.ts";
import {
  GetLocations,
  GetLocationsAndStatus,
  GetLocationsMultipleBlockIds,
  type LocationsAndStatus,
} from "../protocol/location-messages.ts";
import { masterErrors } from "../protocol/master-errors.ts";
import {
  GetShufflePushMergerLocations,
  RemoveShufflePushMergerLocation,
} from "../protocol/merger-messages.ts";
import {
  BlockManagerHeartbeat,
  type BlockManagerRegistration,
  type BlockUpdate,
  RegisterBlockManager,
  StopBlockManagerMaster,
  UpdateBlockInfo,
} from "../protocol/registration-messages.ts";
import {
  GetReplicateInfoForRDDBlocks,
  RemoveBlock,
  RemoveBroadcast,
  RemoveRdd,
  RemoveShuffle,
} from "../protocol/removal-messages.ts";
import type { ReplicationOrder } from "../protocol/replicate-block.ts";
import { type BlockReport, ReportBlocks } from "../protocol/report-messages.ts";
import { GetSnapshot, type MasterSnapshot } from "../protocol/snapshot-messages.ts";
import {
  type BlockStatusAt,
  GetBlockStatus,
  GetMatchingBlockIds,
  GetMemoryStatus,
  GetStorageStatus,
  type MemoryStatus,
  type StorageStatus,
} from "../protocol/status-messages.ts";
import type { BlockIdFilter } from "../protocol/values.ts";
import {
  GetRDDBlockVisibility,
  UpdateRDDBlockTaskInfo,
  UpdateRDDBlockVisibility,
} from "../protocol/visibility-messages.ts";

/** What {@link BlockManagerMaster} takes. */
export interface BlockManagerMasterOptions {
  /** Endpoint `BlockManagerMaster` of the driver. */
  readonly master: RpcEndpointRef;
  /** Endpoint `BlockManagerMasterHeartbeat` of the driver. */
  readonly heartbeat: RpcEndpointRef;
  /**
   * Asks again as `RpcEndpointRef.askWithRetry` does; every message may be handled twice without
   * harm. Default: one attempt, with the environment's time-out.
   */
  readonly retry?: RetryOptions | undefined;
}

/** Orders that wait for block managers are bounded by the time-outs of the asks to them. */
const UNTIL_ANSWERED: AskOptions = { timeoutMs: Infinity };

/**
 * See the file comment. Every method rejects with an RpcError when the master cannot be asked, and
 * with a MasterError of the code UNIMPLEMENTED where the master does not handle the message.
 */
export class BlockManagerMaster {
  readonly #master: RpcEndpointRef;
  readonly #heartbeat: RpcEndpointRef;
  readonly #retry: RetryOptions;

  constructor(options: BlockManagerMasterOptions) {
    this.#master = options.master;
    this.#heartbeat = options.heartbeat;
    this.#retry = { attempts: 1, ...options.retry };
  }

  /** For the master of the driver at `address`; null means in this very process. */
  static at(
    env: RpcEnv,
    address: RpcAddress | null,
    options: Pick<BlockManagerMasterOptions, "retry"> = {},
  ): BlockManagerMaster {
    return new BlockManagerMaster({
      master: env.endpointRef(address, MASTER_ENDPOINT_NAME),
      heartbeat: env.endpointRef(address, MASTER_HEARTBEAT_ENDPOINT_NAME),
      ...options,
    });
  }

  /**
   * Makes a block manager known. Gives its id with topology: the one to use from then on.
   * @throws MasterError REGISTRATION_REFUSED - the executor is dead for the scheduler: end it;
   *   REGISTRATION_CONFLICT (rejects).
   */
  async registerBlockManager(registration: BlockManagerRegistration): Promise<BlockManagerId> {
    const id = await this.#ask(RegisterBlockManager, registration);
    if (id.executorId !== INVALID_EXECUTOR_ID) return id;
    const detail = `${registration.blockManagerId.toString()} may not register again`;
    throw new MasterError("REGISTRATION_REFUSED", detail);
  }

  /** Reports a block. False means: not taken note of, register again and report everything. */
  updateBlockInfo(update: BlockUpdate): Promise<boolean> {
    return this.#ask(UpdateBlockInfo, update);
  }

  /**
   * Reports many blocks, in the order given. A message has to fit: some ten thousand are well below.
   * False means: not taken note of, register again and report everything.
   */
  reportBlocks(report: BlockReport): Promise<boolean> {
    return this.#ask(ReportBlocks, report);
  }

  /** A sign of life. False means: register again and report everything. */
  heartbeat(id: BlockManagerId, options: AskOptions = {}): Promise<boolean> {
    return masterErrors(this.#heartbeat.ask(BlockManagerHeartbeat, id, options));
  }

  /** Who has the block; empty when nobody has. */
  getLocations(id: BlockId): Promise<readonly BlockManagerId[]> {
    return this.#ask(GetLocations, id);
  }

  /** Who has each of the blocks, in their order. */
  getLocationsMultipleBlockIds(
    ids: readonly BlockId[],
  ): Promise<readonly (readonly BlockManagerId[])[]> {
    return this.#ask(GetLocationsMultipleBlockIds, ids);
  }

  /** Who has the block and how; null when nobody has. Prefers a copy on disk of `requesterHost`. */
  getLocationsAndStatus(id: BlockId, requesterHost: string): Promise<LocationsAndStatus | null> {
    return this.#ask(GetLocationsAndStatus, { blockId: id, requesterHost });
  }

  /** Whether anybody has the block. */
  async contains(id: BlockId): Promise<boolean> {
    return (await this.getLocations(id)).length > 0;
  }

  /** Whom a block manager may replicate to: all but itself, the driver and those about to go. */
  getPeers(id: BlockManagerId): Promise<readonly BlockManagerId[]> {
    return this.#ask(GetPeers, id);
  }

  /** Where an executor's block manager takes orders; null when it is not registered. */
  getExecutorEndpoint(executorId: string): Promise<RpcEndpointAddress | null> {
    return this.#ask(GetExecutorEndpointRef, executorId);
  }

  /** Whether a block manager of the executor is registered. */
  isExecutorAlive(executorId: string): Promise<boolean> {
    return this.#ask(IsExecutorAlive, executorId);
  }

  /** Memory of every block manager. */
  getMemoryStatus(): Promise<readonly MemoryStatus[]> {
    return this.#ask(GetMemoryStatus, undefined);
  }

  /** Every block manager with its blocks. */
  getStorageStatus(): Promise<readonly StorageStatus[]> {
    return this.#ask(GetStorageStatus, undefined);
  }

  /** What the driver knows at one moment, in totals: cheap however many blocks there are. */
  getSnapshot(): Promise<MasterSnapshot> {
    return this.#ask(GetSnapshot, undefined);
  }

  /** What those have of a block that have it: asked now, or else as they reported last. */
  async getBlockStatus(id: BlockId, askStorageEndpoints = true): Promise<readonly BlockStatusAt[]> {
    const answers = await this.#order(GetBlockStatus, { blockId: id, askStorageEndpoints });
    return answers.filter(({ status }) => status !== null);
  }

  /** Blocks that match; one that several hold stands there several times. */
  getMatchingBlockIds(
    filter: BlockIdFilter,
    askStorageEndpoints = true,
  ): Promise<readonly BlockId[]> {
    return this.#order(GetMatchingBlockIds, { filter, askStorageEndpoints });
  }

  /** Forgets an executor's block manager and its blocks. An unknown executor is no error. */
  removeExecutor(executorId: string): Promise<void> {
    return this.#tell(RemoveExecutor, executorId);
  }

  /** Takes executors out of the peer lists; what they have stays readable. */
  decommissionBlockManagers(executorIds: readonly string[]): Promise<void> {
    return this.#tell(DecommissionBlockManagers, executorIds);
  }

  /** Has the holders of a block drop it; does not wait for them. */
  removeBlock(id: BlockId): Promise<void> {
    return this.#tell(RemoveBlock, id);
  }

  /** Drops an RDD's blocks everywhere; gives how many there were. */
  async removeRdd(rddId: number): Promise<number> {
    return sum(await this.#order(RemoveRdd, rddId));
  }

  /** Drops a shuffle's files everywhere; true when everybody could. */
  async removeShuffle(shuffleId: number): Promise<boolean> {
    return (await this.#order(RemoveShuffle, shuffleId)).every(Boolean);
  }

  /** Drops a broadcast everywhere, or everywhere but on the driver; gives how many blocks. */
  async removeBroadcast(broadcastId: bigint, removeFromDriver = true): Promise<number> {
    return sum(await this.#order(RemoveBroadcast, { broadcastId, removeFromDriver }));
  }

  /** What must be replicated before a block manager may go. */
  getReplicateInfoForRddBlocks(id: BlockManagerId): Promise<readonly ReplicationOrder[]> {
    return this.#ask(GetReplicateInfoForRDDBlocks, id);
  }

  /** Tells which task computes a cached partition. Without visibility tracking nothing happens. */
  updateRddBlockTaskInfo(blockId: BlockId, taskId: bigint): Promise<void> {
    return this.#ask(UpdateRDDBlockTaskInfo, { blockId, taskId });
  }

  /** Whether a cached partition may be read: where visibility is tracked, somebody must have it. */
  isRddBlockVisible(id: BlockId): Promise<boolean> {
    return this.#ask(GetRDDBlockVisibility, id);
  }

  /** Tells how a task ended: what it cached may be read if it succeeded. */
  updateRddBlockVisibility(taskId: bigint, visible: boolean): Promise<void> {
    return this.#ask(UpdateRDDBlockVisibility, { taskId, visible });
  }

  /** Whether the executor holds any block that is not part of a broadcast. */
  hasCachedBlocks(executorId: string): Promise<boolean> {
    return this.#ask(HasCachedBlocks, executorId);
  }

  /** Has the master look now for executors that were silent for too long. */
  expireDeadHosts(): Promise<void> {
    return this.#ask(ExpireDeadHosts, undefined);
  }

  /**
   * Shuffle services that can merge pushed blocks: those on hosts of live executors, all of them, and
   * others if these are too few. Empty where nothing is pushed.
   */
  getShufflePushMergerLocations(
    numMergersNeeded: number,
    hostsToFilter: readonly string[] = [],
  ): Promise<readonly BlockManagerId[]> {
    return this.#ask(GetShufflePushMergerLocations, { numMergersNeeded, hostsToFilter });
  }

  /** Forgets the shuffle service of a host, until an executor registers there again. */
  removeShufflePushMergerLocation(host: string): Promise<void> {
    return this.#ask(RemoveShufflePushMergerLocation, host);
  }

  /** Ends the master's endpoints, that for heartbeats too. */
  stop(): Promise<void> {
    return this.#tell(StopBlockManagerMaster, undefined);
  }

  #ask<Request, Reply>(message: RpcMessage<Request, Reply>, request: Request): Promise<Reply> {
    return masterErrors(this.#master.askWithRetry(message, request, this.#retry));
  }

  #order<Request, Reply>(message: RpcMessage<Request, Reply>, request: Request): Promise<Reply> {
    const options = { ...this.#retry, ...UNTIL_ANSWERED };
    return masterErrors(this.#master.askWithRetry(message, request, options));
  }

  async #tell<Request>(message: RpcMessage<Request, boolean>, request: Request): Promise<void> {
    if (await this.#ask(message, request)) return;
    throw new MasterError("UNEXPECTED_REPLY", `the master answered false to ${message.type}`);
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
