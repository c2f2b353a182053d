/**
 * The master beside a reference model: random steps go to both, and after each of them both have to
 * know the same. `BM_MODEL_STEPS=1000000` runs as many; `BM_MODEL_SEED` starts at another seed.
 */
import process from "node:process";
import type { BlockManagerId } from "@bm/block";
import {
  BlockManagerMaster,
  BlockManagerMasterEndpoint,
  BlockManagerSlaveEndpoint,
  type BlockTotals,
  HEARTBEAT_RECEIVER_ENDPOINT_NAME,
  MASTER_ENDPOINT_NAME,
  MASTER_HEARTBEAT_ENDPOINT_NAME,
  type ManagerSnapshot,
  type MasterEvent,
  MasterJournal,
  type MasterSnapshot,
  type ReplicationOrder,
  type StorageStatus,
} from "@bm/master";
import { RpcEnv } from "@bm/rpc";
import { nodePlatform, type Timer } from "@bm/transport";
import { ManualClock } from "@bm/transport/testing";
import { describe, expect, it } from "vitest";
import { MemoryRows } from "../journal/memory-rows.ts";
import { RecordingOwner } from "../recording-owner.ts";
import {
  BLOCKS,
  EXECUTOR_IDS,
  HOSTS,
  nextStep,
  STEP_TYPES,
  type Step,
  seeded,
} from "./random-steps.ts";
import {
  eventText,
  managerLine,
  modelSummary,
  RETAINED_MERGERS,
  ReferenceModel,
  TIMEOUT_MS,
  textOf,
  texts,
} from "./reference-model.ts";

const STEPS = Number(process.env["BM_MODEL_STEPS"] ?? 30_000);
const SEED = Number(process.env["BM_MODEL_SEED"] ?? 1);
const STEPS_PER_RUN = 1000;
const TICK_MS = 100;
const MASTER_ENDPOINTS = new Set([
  MASTER_ENDPOINT_NAME,
  MASTER_HEARTBEAT_ENDPOINT_NAME,
  HEARTBEAT_RECEIVER_ENDPOINT_NAME,
]);
/** The answers of a step that has none. */
const BOTH_SILENT = [null, null] as const;
/** Ten times as long as a slow machine takes for a step. */
const TIME_LIMIT_MS = 30_000 + 5 * STEPS;

/** Time stands still, but turns of the event loop go on. */
class SteppedClock extends ManualClock {
  override setImmediate(callback: () => void): Timer {
    return nodePlatform().clock.setImmediate(callback);
  }
}

/** Replication orders without the choice of who gets them. */
class Owner extends RecordingOwner {
  override replicateBlock({ blockId, maxReplicas }: ReplicationOrder): Promise<boolean> {
    this.orders.push(`replicate ${blockId.name} ${maxReplicas}`);
    return Promise.resolve(true);
  }
}

type OtherStep = Extract<
  Step,
  { type: "task" | "task ends" | "visible" | "mergers" | "remove merger" | "alive" | "restart" }
>;

class Run {
  readonly model = new ReferenceModel();
  readonly #env: RpcEnv;
  readonly #clock: SteppedClock;
  readonly #master: BlockManagerMaster;
  readonly #rows = new MemoryRows();
  readonly #events: MasterEvent[] = [];
  readonly #owners = new Map(EXECUTOR_IDS.map((executorId) => [executorId, new Owner()]));
  #journal: MasterJournal | null = null;

  private constructor(env: RpcEnv, clock: SteppedClock) {
    this.#env = env;
    this.#clock = clock;
    for (const [executorId, owner] of this.#owners) {
      env.setupEndpoint(`slave-${executorId}`, new BlockManagerSlaveEndpoint({ owner }));
    }
    this.#master = BlockManagerMaster.at(env, null);
  }

  static async start(): Promise<Run> {
    const clock = new SteppedClock();
    const platform = { ...nodePlatform(), clock };
    const env = await RpcEnv.create({ name: "driver", isClientOnly: true, platform });
    const run = new Run(env, clock);
    await run.#startMaster();
    return run;
  }

  async #startMaster(): Promise<void> {
    const { platform } = this.#env;
    const journal = await MasterJournal.over(this.#rows, { platform });
    this.#journal = journal;
    BlockManagerMasterEndpoint.setup(this.#env, {
      listener: (event) => void this.#events.push(event),
      topologyMapper: { topologyOf: (host) => HOSTS[host] ?? null },
      isExecutorAlive: (executorId) => this.model.alive.has(executorId),
      heartbeat: { timeoutMs: TIMEOUT_MS, checkIntervalMs: TICK_MS },
      tracksVisibility: true,
      pushMergers: { servicePort: 7337, retainedMax: RETAINED_MERGERS },
      journal,
    });
    // The answer comes when what was written has been read.
    await this.#master.getSnapshot();
  }

  async #restart(): Promise<void> {
    await this.#master.stop();
    await this.#journal?.close();
    const isThere = (): boolean => {
      return this.#env.endpointStates().some(({ name }) => MASTER_ENDPOINTS.has(name));
    };
    while (isThere()) await new Promise((resolve) => setImmediate(resolve));
    await this.#startMaster();
  }

  /** Does a step on both sides; gives both answers. */
  async do(step: Step): Promise<readonly [master: unknown, model: unknown]> {
    const [master, model] = [this.#master, this.model];
    switch (step.type) {
      case "register":
        return [await this.#register(step), model.register(step)];
      case "update": {
        const { id, level, ...update } = step.update;
        const report = { ...update, blockManagerId: id, storageLevel: level };
        return [await master.updateBlockInfo(report), model.update(step.update)];
      }
      case "heartbeat":
        return [await master.heartbeat(step.id), model.heartbeat(step.id)];
      case "remove executor":
        await master.removeExecutor(step.executorId);
        model.removeExecutor(step.executorId);
        return BOTH_SILENT;
      case "remove rdd":
        return [await master.removeRdd(step.rddId), model.removeRdd(step.rddId)];
      case "remove shuffle":
        return [await master.removeShuffle(step.shuffleId), model.removeShuffle(step.shuffleId)];
      case "remove broadcast": {
        const { broadcastId, removeFromDriver } = step;
        const count = await master.removeBroadcast(broadcastId, removeFromDriver);
        return [count, model.removeBroadcast(broadcastId, removeFromDriver)];
      }
      case "remove block":
        await master.removeBlock(step.blockId);
        model.removeBlock(step.blockId);
        return BOTH_SILENT;
      case "decommission":
        await master.decommissionBlockManagers(step.executorIds);
        model.decommission(step.executorIds);
        return BOTH_SILENT;
      case "scheduler":
        if (step.isAlive) model.alive.add(step.executorId);
        else model.alive.delete(step.executorId);
        return BOTH_SILENT;
      case "peers":
        return [texts(await master.getPeers(step.id)), model.peersOf(step.id)];
      case "replicate info": {
        const orders = await master.getReplicateInfoForRddBlocks(step.id);
        const lines = orders.map(({ blockId, replicas, maxReplicas }) => {
          return `${blockId.name} ${texts(replicas)} ${maxReplicas}`;
        });
        return [lines.join("; "), model.replicateInfo(step.id)];
      }
      case "report": {
        const { id: blockManagerId, updates, isLastOfAll } = step.report;
        const blocks = updates.map(({ blockId, level, memSize, diskSize }) => {
          return { blockId, status: { storageLevel: level, memSize, diskSize } };
        });
        const answer = await master.reportBlocks({ blockManagerId, blocks, isLastOfAll });
        return [answer, model.report(step.report)];
      }
      case "tick":
        this.#clock.advance(TICK_MS);
        model.tick(TICK_MS);
        return BOTH_SILENT;
      case "task":
      case "task ends":
      case "visible":
      case "mergers":
      case "remove merger":
      case "alive":
      case "restart":
        return this.#doMore(step);
    }
  }

  async #doMore(step: OtherStep): Promise<readonly [master: unknown, model: unknown]> {
    const [master, model] = [this.#master, this.model];
    switch (step.type) {
      case "task":
        await master.updateRddBlockTaskInfo(step.blockId, step.taskId);
        model.task(step.blockId, step.taskId);
        return BOTH_SILENT;
      case "task ends":
        await master.updateRddBlockVisibility(step.taskId, step.succeeded);
        model.taskEnds(step.taskId, step.succeeded);
        return BOTH_SILENT;
      case "visible": {
        const { blockId } = step;
        return [await master.isRddBlockVisible(blockId), model.isVisible(blockId.name)];
      }
      case "mergers": {
        const { count, refused } = step;
        const mergers = await master.getShufflePushMergerLocations(count, refused);
        const hosts = mergers.map(({ host }) => host);
        return [model.fitsMergers(hosts, count, refused), true];
      }
      case "remove merger":
        await master.removeShufflePushMergerLocation(step.host);
        model.mergerHosts = model.mergerHosts.filter((host) => host !== step.host);
        return BOTH_SILENT;
      case "restart":
        await this.#restart();
        model.restart();
        return BOTH_SILENT;
      case "alive": {
        const isRegistered = model.ofExecutor(step.executorId) !== undefined;
        const endpoint = await master.getExecutorEndpoint(step.executorId);
        const isAlive = await master.isExecutorAlive(step.executorId);
        return [isAlive && endpoint !== null, isRegistered];
      }
    }
  }

  /** What the master knows, is told and told others; the same of the model; and what cannot be. */
  async look(): Promise<{ master: string; model: string; found: string[] }> {
    const { model } = this;
    const orders = await this.#takeOrders();
    const snapshot = await this.#master.getSnapshot();
    const statuses = await this.#master.getStorageStatus();
    const locations = await this.#master.getLocationsMultipleBlockIds(BLOCKS);
    const master = [
      statuses.map((status, index) => statusLine(status, snapshot.managers[index])).join("\n"),
      locations.map(texts).join("\n"),
      snapshot.hiddenPartitions,
      this.#events.splice(0).map(eventText).join("\n"),
      orders.toSorted().join("\n"),
    ];
    const expected = [
      modelSummary(model),
      BLOCKS.map(({ name }) => texts(model.holdersOf(name))).join("\n"),
      model.hidden.size,
      model.events.splice(0).join("\n"),
      model.orders.splice(0).toSorted().join("\n"),
    ];
    const found = violations(snapshot, statuses, locations);
    return { master: master.join("\n--\n"), model: expected.join("\n--\n"), found };
  }

  async close(): Promise<void> {
    await this.#journal?.close();
    await this.#env.close();
  }

  async #register({ id, maxMem, isReRegister }: Step & { type: "register" }): Promise<string> {
    try {
      const registered = await this.#master.registerBlockManager({
        blockManagerId: id,
        localDirs: [],
        maxOnHeapMemSize: maxMem,
        maxOffHeapMemSize: 0,
        slaveEndpoint: { address: null, name: `slave-${id.executorId}` },
        isReRegister,
      });
      return textOf(registered);
    } catch (error) {
      return (error as { code: string }).code;
    }
  }

  /** An answer of every endpoint comes behind the orders that were given in passing. */
  async #takeOrders(): Promise<string[]> {
    if (this.model.orders.length > 0) await this.#master.getMatchingBlockIds({});
    return [...this.#owners].flatMap(([executorId, { orders }]) =>
      orders.splice(0).map((order) => {
        return order.startsWith("replicate ") ? order : `${executorId} ${order}`;
      }),
    );
  }
}

function statusLine(status: StorageStatus, manager: ManagerSnapshot | undefined): string {
  const { blockManagerId, maxOnHeapMem, maxOffHeapMem } = status;
  const held = status.blocks.map(({ blockId, status: { storageLevel, memSize, diskSize } }) => {
    return { blockId, level: storageLevel, memSize, diskSize };
  });
  const marks = [manager?.isDecommissioning ?? false, manager?.isRestored ?? false] as const;
  const remaining = manager?.remainingMem ?? 0;
  return managerLine(blockManagerId, maxOnHeapMem + maxOffHeapMem, remaining, held, marks);
}

/** What has to hold whatever the model says; texts of what does not. */
function violations(
  snapshot: MasterSnapshot,
  statuses: readonly StorageStatus[],
  locations: readonly (readonly BlockManagerId[])[],
): string[] {
  const found: string[] = [];
  const has = new Set<string>();
  const sums = { mem: 0, disk: 0, locations: 0 };
  for (const [index, { blockManagerId: id, blocks, ...limits }] of statuses.entries()) {
    const manager = snapshot.managers[index];
    const mem = blocks.reduce((sum, { status }) => sum + status.memSize, 0);
    const disk = blocks.reduce((sum, { status }) => sum + status.diskSize, 0);
    if (manager === undefined || !manager.id.equals(id)) found.push(`${textOf(id)} out of place`);
    if (manager?.remainingMem !== limits.maxOnHeapMem + limits.maxOffHeapMem - mem) {
      found.push(`memory of ${textOf(id)} does not add up`);
    }
    if (manager?.diskSize !== disk || manager.blocks !== blocks.length) {
      found.push(`blocks of ${textOf(id)} do not add up`);
    }
    for (const { blockId } of blocks) has.add(`${blockId.name} at ${textOf(id)}`);
    sums.mem += mem;
    sums.disk += disk;
    sums.locations += blocks.length;
  }
  // Every location is that of a registered manager which has the block, and the other way round.
  const located = locations.flatMap((holders, index) => {
    return holders.map((holder) => `${BLOCKS[index]?.name} at ${textOf(holder)}`);
  });
  if (new Set(located).size !== located.length) found.push("a location stands there twice");
  for (const place of located) if (!has.delete(place)) found.push(`${place}, who has it not`);
  for (const place of has) found.push(`${place} is not among the locations`);

  const executors = new Set(snapshot.managers.map(({ id }) => id.executorId));
  if (executors.size !== statuses.length) found.push("two managers of one executor");
  const totals = [snapshot.otherBlocks, ...snapshot.rdds.map((rdd) => rdd.totals)];
  const sum = (of: (totals: BlockTotals) => number): number => {
    return totals.reduce((all, one) => all + of(one), 0);
  };
  const isRight =
    sum(({ memSize }) => memSize) === sums.mem &&
    sum(({ diskSize }) => diskSize) === sums.disk &&
    sum((one) => one.locations) === sums.locations &&
    sum(({ blocks }) => blocks) === locations.filter((holders) => holders.length > 0).length;
  if (!isRight) found.push("totals do not add up");
  return found;
}

describe("the master beside a model of it", () => {
  it(
    `knows the same after each of ${STEPS} random steps`,
    async () => {
      const counts = new Map<string, number>();
      for (let done = 0, seed = SEED; done < STEPS; done += STEPS_PER_RUN, seed++) {
        const run = await Run.start();
        const below = seeded(seed);
        const steps: Step[] = [];
        for (let index = 0; index < Math.min(STEPS_PER_RUN, STEPS - done); index++) {
          const step = nextStep(
            below,
            run.model.managers.map(({ id }) => id),
          );
          steps.push(step);
          counts.set(step.type, (counts.get(step.type) ?? 0) + 1);
          const [answer, expected] = await run.do(step);
          const { master, model, found } = await run.look();
          if (answer === expected && master === model && found.length === 0) continue;
          const label = `seed ${seed}, step ${index}: ${describeStep(step)}`;
          expect(answer, label).toEqual(expected);
          expect(master, label).toBe(model);
          expect(found, label).toEqual([]);
        }
        await run.close();
      }
      // Every kind of step was among them.
      expect(counts.size).toBe(STEP_TYPES);
    },
    TIME_LIMIT_MS,
  );
});

function describeStep(step: Step): string {
  return JSON.stringify(step, (_key, value: unknown) => {
    return typeof value === "bigint" ? `${value}n` : value;
  });
}
