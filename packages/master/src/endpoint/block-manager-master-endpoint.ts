/** The driver's endpoint that knows every block manager and where every block is. */
import type { BlockManagerId } from "@bm/block";
import {
  type LaterReply,
  RpcEndpoint,
  type RpcEndpointRef,
  type RpcEnv,
  replyLater,
} from "@bm/rpc";
import type { MasterListener } from "../events/master-event.ts";
import { BlockManagerMasterHeartbeatEndpoint } from "../heartbeat/block-manager-master-heartbeat-endpoint.ts";
import { type HeartbeatLimits, HeartbeatMonitor } from "../heartbeat/heartbeat-monitor.ts";
import { HeartbeatReceiver } from "../heartbeat/heartbeat-receiver.ts";
import { ManagerRows } from "../journal/manager-rows.ts";
import type { MasterJournal } from "../journal/master-journal.ts";
import * as executors from "../protocol/executor-messages.ts";
import * as locations from "../protocol/location-messages.ts";
import * as mergers from "../protocol/merger-messages.ts";
import * as registration from "../protocol/registration-messages.ts";
import * as removals from "../protocol/removal-messages.ts";
import * as reports from "../protocol/report-messages.ts";
import * as snapshots from "../protocol/snapshot-messages.ts";
import type { BlockWithStatus } from "../protocol/status-messages.ts";
import * as statuses from "../protocol/status-messages.ts";
import * as visibility from "../protocol/visibility-messages.ts";
import { defaultTopologyMapper, type TopologyMapper } from "../topology/topology-mapper.ts";
import { CacheVisibility } from "./cache-visibility.ts";
import { ClusterOrders } from "./cluster-orders.ts";
import {
  HEARTBEAT_RECEIVER_ENDPOINT_NAME,
  MASTER_ENDPOINT_NAME,
  MASTER_HEARTBEAT_ENDPOINT_NAME,
} from "./endpoint-names.ts";
import { locationsAndStatus } from "./locations-and-status.ts";
import { masterSnapshot } from "./master-snapshot.ts";
import { MasterState, type MovedOutputs } from "./master-state.ts";
import { type PushMergerOptions, PushMergers } from "./push-mergers.ts";
import { ordersBeforeDeparture } from "./replication-orders.ts";
import { type IsExecutorAlive, SlaveOrders } from "./slave-orders.ts";

/** What {@link BlockManagerMasterEndpoint.setup} takes. */
export interface BlockManagerMasterEndpointOptions {
  /** The driver's tracker, which follows map output that executors move. Default: none. */
  readonly mapOutputTracker?: MovedOutputs | undefined;
  /** Told what happens. Default: nobody. */
  readonly listener?: MasterListener | undefined;
  /** Default: knows of no topology. */
  readonly topologyMapper?: TopologyMapper | undefined;
  /**
   * Whether the scheduler takes an executor for alive. Asked when a block manager registers again:
   * one of a dead executor is refused. And when an order to one timed out. Default: everybody is.
   */
  readonly isExecutorAlive?: IsExecutorAlive | undefined;
  /** When silent executors are removed. `false`: never. */
  readonly heartbeat?: HeartbeatLimits | false | undefined;
  /** There are no executors but the driver. Default: false. */
  readonly isLocal?: boolean | undefined;
  /** Make up for copies of cached partitions that an executor took with it. Default: true. */
  readonly replicatesLost?: boolean | undefined;
  /**
   * Hide a cached partition from other tasks until the task that computed it has succeeded
   * (`spark.rdd.cache.visibilityTracking.enabled`). Default: false.
   */
  readonly tracksVisibility?: boolean | undefined;
  /** Shuffle services that merge pushed blocks. Default: there are none. */
  readonly pushMergers?: PushMergerOptions | undefined;
  /**
   * Takes up what is in it, and keeps it up to date, so that a driver that was killed may be started
   * again. Closed by whoever opened it. Default: none, block managers register again.
   */
  readonly journal?: MasterJournal | undefined;
  /** Executors whose directories are remembered. Default: 1,000. */
  readonly localDirsEntriesMax?: number | undefined;
}

const LOCAL_DIRS_ENTRIES_MAX_DEFAULT = 1000;
/** More tasks than a cluster runs at once. */
const VISIBILITY_TASKS_MAX = 100_000;

/**
 * See the file comment. Nothing is awaited between its messages: orders to block managers are
 * answered later.
 */
export class BlockManagerMasterEndpoint extends RpcEndpoint {
  readonly #env: RpcEnv;
  readonly #state: MasterState;
  readonly #orders: ClusterOrders;
  readonly #isExecutorAlive: IsExecutorAlive;
  readonly #monitor: HeartbeatMonitor | null;
  readonly #visibility: CacheVisibility | null;
  readonly #mergers: PushMergers | null;
  readonly #rows: ManagerRows | null;
  #stop: () => void = () => {};
  #heartbeatsStopped = false;

  private constructor(env: RpcEnv, options: BlockManagerMasterEndpointOptions) {
    super();
    const { clock } = env.platform;
    const { logger } = env;
    this.#env = env;
    this.#isExecutorAlive = options.isExecutorAlive ?? (() => true);
    const { tracksVisibility = false, pushMergers, journal } = options;
    const rows = journal ? new ManagerRows(journal) : null;
    this.#rows = rows;
    this.#visibility = tracksVisibility ? new CacheVisibility(VISIBILITY_TASKS_MAX, rows) : null;
    this.#mergers = pushMergers ? new PushMergers(pushMergers, env.platform.random) : null;
    this.#state = new MasterState({
      clock,
      logger,
      topologyMapper: options.topologyMapper ?? defaultTopologyMapper,
      listener: options.listener ?? (() => {}),
      movedOutputs: options.mapOutputTracker ?? null,
      isLocal: options.isLocal ?? false,
      localDirsEntriesMax: options.localDirsEntriesMax ?? LOCAL_DIRS_ENTRIES_MAX_DEFAULT,
      visibility: this.#visibility,
      mergers: this.#mergers,
      rows,
    });
    this.#orders = new ClusterOrders({
      state: this.#state,
      orders: new SlaveOrders({ isExecutorAlive: this.#isExecutorAlive, logger }),
      replicatesLost: options.replicatesLost ?? true,
      visibility: this.#visibility,
    });
    this.#monitor =
      options.heartbeat === false
        ? null
        : new HeartbeatMonitor({
            ...options.heartbeat,
            state: this.#state,
            expire: (executorId) => this.#orders.removeExecutor(executorId),
            clock,
            logger,
          });
    const tracker = options.mapOutputTracker ?? null;
    this.receiveAndReply(snapshots.GetSnapshot, () =>
      masterSnapshot({
        state: this.#state,
        visibility: this.#visibility,
        tracker,
        journal: journal ?? null,
        nowMs: clock.nowMs(),
        wallTimeMs: clock.wallTimeMs(),
      }),
    );
    this.#receiveBlockManagers();
    this.#receiveQueries();
    this.#receiveOrders();
    this.#receiveVisibility();
    this.#receiveTheRest();
  }

  /**
   * Sets the master up in the driver's environment: the endpoints `BlockManagerMaster`,
   * `BlockManagerMasterHeartbeat` and `HeartbeatReceiver`. Stopping the first stops the others.
   * @throws RpcError ENDPOINT_NAME_INVALID; MasterError OPTION_INVALID
   */
  static setup(env: RpcEnv, options: BlockManagerMasterEndpointOptions = {}): RpcEndpointRef {
    const endpoint = new BlockManagerMasterEndpoint(env, options);
    const self = env.setupEndpoint(MASTER_ENDPOINT_NAME, endpoint);
    endpoint.#stop = () => {
      endpoint.#stopHeartbeats();
      void env.stop(self);
    };
    endpoint.#setupHeartbeats();
    return self;
  }

  override async onStart(): Promise<void> {
    if (this.#rows !== null) await this.#restore(this.#rows);
    this.#monitor?.start();
  }

  override onStop(): void {
    this.#monitor?.stop();
    this.#stopHeartbeats();
  }

  /** Messages wait until this is done. Block managers that were known have to register again. */
  async #restore(rows: ManagerRows): Promise<void> {
    const damaged = await rows.restore(
      this.#state.restorer(({ slave }) => this.#env.endpointRefAt(slave)),
    );
    const { logger } = this.#env;
    const known = this.#state.infos().length;
    if (known > 0) logger.info(`restored ${known} block managers`);
    if (damaged > 0) logger.error(`${damaged} rows of the master's state cannot be read`);
  }

  #setupHeartbeats(): void {
    const state = this.#state;
    const heartbeat = new BlockManagerMasterHeartbeatEndpoint(state, () => this.#stopHeartbeats());
    this.#env.setupEndpoint(MASTER_HEARTBEAT_ENDPOINT_NAME, heartbeat);
    this.#env.setupEndpoint(HEARTBEAT_RECEIVER_ENDPOINT_NAME, new HeartbeatReceiver(state));
  }

  /** At most once: the names may be those of another master by then. */
  #stopHeartbeats(): void {
    if (this.#heartbeatsStopped) return;
    this.#heartbeatsStopped = true;
    for (const name of [MASTER_HEARTBEAT_ENDPOINT_NAME, HEARTBEAT_RECEIVER_ENDPOINT_NAME]) {
      void this.#env.stop({ address: null, name });
    }
  }

  #receiveBlockManagers(): void {
    const state = this.#state;
    this.receiveAndReply(registration.RegisterBlockManager, (request) => this.#register(request));
    this.receiveAndReply(registration.UpdateBlockInfo, (update) => this.#update(update));
    this.receiveAndReply(reports.ReportBlocks, (report) => this.#report(report));
    this.receiveAndReply(executors.GetPeers, (id) => state.peersOf(id));
    this.receiveAndReply(executors.DecommissionBlockManagers, (executorIds) => {
      state.decommission(executorIds);
      return true;
    });
    this.receiveAndReply(executors.RemoveExecutor, (executorId) => {
      this.#orders.removeExecutor(executorId);
      return true;
    });
    this.receiveAndReply(registration.StopBlockManagerMaster, () => {
      this.#stop();
      return true;
    });
  }

  #receiveQueries(): void {
    const state = this.#state;
    this.receiveAndReply(locations.GetLocations, (id) => state.locations.of(id));
    this.receiveAndReply(locations.GetLocationsMultipleBlockIds, (ids) =>
      ids.map((id) => state.locations.of(id)),
    );
    this.receiveAndReply(locations.GetLocationsAndStatus, (query) =>
      locationsAndStatus(state, query),
    );
    this.receiveAndReply(executors.GetExecutorEndpointRef, (executorId) => {
      return state.infoOfExecutor(executorId)?.slave ?? null;
    });
    this.receiveAndReply(executors.IsExecutorAlive, (executorId) => {
      return state.infoOfExecutor(executorId) !== null;
    });
    this.receiveAndReply(executors.HasCachedBlocks, (executorId) =>
      state.hasCachedBlocks(executorId),
    );
    this.receiveAndReply(removals.GetReplicateInfoForRDDBlocks, (id) =>
      ordersBeforeDeparture(state, id),
    );
    this.receiveAndReply(statuses.GetMemoryStatus, () =>
      state.infos().map(({ id, maxMem, remainingMem }) => {
        return { blockManagerId: id, maxMem, remainingMem };
      }),
    );
    this.receiveAndReply(statuses.GetStorageStatus, () =>
      state.infos().map((info) => {
        const { id: blockManagerId, maxOnHeapMem, maxOffHeapMem } = info;
        return { blockManagerId, maxOnHeapMem, maxOffHeapMem, blocks: info.blocks() };
      }),
    );
  }

  #receiveOrders(): void {
    const orders = this.#orders;
    this.receiveAndReply(removals.RemoveRdd, (rddId) => replyLater(orders.removeRdd(rddId)));
    this.receiveAndReply(removals.RemoveShuffle, (shuffleId) =>
      replyLater(orders.removeShuffle(shuffleId)),
    );
    this.receiveAndReply(removals.RemoveBroadcast, (removal) =>
      replyLater(orders.removeBroadcast(removal)),
    );
    this.receiveAndReply(removals.RemoveBlock, (id) => {
      orders.removeBlock(id);
      return true;
    });
    this.receiveAndReply(statuses.GetBlockStatus, (query) => replyLater(orders.blockStatus(query)));
    this.receiveAndReply(statuses.GetMatchingBlockIds, (query) =>
      replyLater(orders.matchingBlockIds(query)),
    );
  }

  /** Where visibility is not tracked everything may be read and nobody keeps book. */
  #receiveVisibility(): void {
    this.receive(visibility.UpdateRDDBlockTaskInfo, ({ blockId, taskId }) => {
      this.#visibility?.setTask(blockId, taskId);
    });
    this.receiveAndReply(visibility.GetRDDBlockVisibility, (id) => {
      if (this.#visibility === null) return true;
      return this.#state.locations.has(id) && this.#visibility.isVisible(id);
    });
    this.receive(visibility.UpdateRDDBlockVisibility, ({ taskId, visible }) => {
      this.#orders.markVisible(this.#visibility?.endTask(taskId, visible) ?? []);
    });
  }

  #receiveTheRest(): void {
    const { GetShufflePushMergerLocations, RemoveShufflePushMergerLocation } = mergers;
    this.receiveAndReply(GetShufflePushMergerLocations, (query) => {
      const live = this.#state.infos().map(({ id }) => id);
      return this.#mergers?.choose(query, live) ?? [];
    });
    this.receive(RemoveShufflePushMergerLocation, (host) => this.#mergers?.remove(host));
    this.receive(executors.ExpireDeadHosts, () => this.#monitor?.expireSilent());
  }

  #update(update: registration.BlockUpdate): boolean {
    const isAccepted = this.#state.update(update);
    if (isAccepted) this.#orders.tellIfVisible(update.blockManagerId, update.blockId);
    return isAccepted;
  }

  /** False at the first block that is not taken note of. */
  #report({ blockManagerId, blocks, isLastOfAll }: reports.BlockReport): boolean {
    const isTaken = ({ blockId, status }: BlockWithStatus): boolean =>
      this.#update({ blockManagerId, blockId, ...status });
    if (!blocks.every(isTaken)) return false;
    if (isLastOfAll) this.#state.endReport(blockManagerId);
    return this.#state.heartbeat(blockManagerId);
  }

  #register(
    request: registration.BlockManagerRegistration,
  ): BlockManagerId | LaterReply<BlockManagerId> {
    const slave = this.#env.endpointRefAt(request.slaveEndpoint);
    const register = (isAlive: boolean): BlockManagerId => {
      const { id, reduced } = this.#state.register(request, slave, isAlive);
      this.#orders.makeUpFor(reduced);
      return id;
    };
    if (!request.isReRegister) return register(true);
    // The scheduler may take its time; what it says is acted upon in one turn.
    const isAlive = this.#isExecutorAlive(request.blockManagerId.executorId);
    if (typeof isAlive === "boolean") return register(isAlive);
    return replyLater(isAlive.then(register));
  }
}
