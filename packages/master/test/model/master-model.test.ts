/**
 * The master beside a reference model: random steps go to both, and after each of them both have to
 * know the same. `BM_MODEL_STEPS=1000000` runs as many; `BM_MODEL_SEED` starts at another seed.
 */
import process from "node:process";
import {
  BlockManagerMaster,
  BlockManagerMasterEndpoint,
  BlockManagerSlaveEndpoint,
  type MasterEvent,
  type ReplicationOrder,
} from "@bm/master";
import { RpcEnv } from "@bm/rpc";
import { nodePlatform, type Timer } from "@bm/transport";
import { ManualClock } from "@bm/transport/testing";
import { describe, expect, it } from "vitest";
import { RecordingOwner } from "../recording-owner.ts";
import { BLOCKS, EXECUTOR_IDS, HOSTS, nextStep, type Step, seeded } from "./random-steps.ts";
import {
  eventText,
  managerLine,
  modelSummary,
  ReferenceModel,
  TIMEOUT_MS,
  textOf,
  texts,
} from "./reference-model.ts";

const STEPS = Number(process.env["BM_MODEL_STEPS"] ?? 30_000);
const SEED = Number(process.env["BM_MODEL_SEED"] ?? 1);
const STEPS_PER_RUN = 1000;
const TICK_MS = 100;
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

class Run {
  readonly model = new ReferenceModel();
  readonly #env: RpcEnv;
  readonly #clock: SteppedClock;
  readonly #master: BlockManagerMaster;
  readonly #events: MasterEvent[] = [];
  readonly #owners = new Map(EXECUTOR_IDS.map((executorId) => [executorId, new Owner()]));

  private constructor(env: RpcEnv, clock: SteppedClock) {
    this.#env = env;
    this.#clock = clock;
    BlockManagerMasterEndpoint.setup(env, {
      listener: (event) => void this.#events.push(event),
      topologyMapper: { topologyOf: (host) => HOSTS[host] ?? null },
      isExecutorAlive: (executorId) => this.model.alive.has(executorId),
      heartbeat: { timeoutMs: TIMEOUT_MS, checkIntervalMs: TICK_MS },
    });
    for (const [executorId, owner] of this.#owners) {
      env.setupEndpoint(`slave-${executorId}`, new BlockManagerSlaveEndpoint({ owner }));
    }
    this.#master = BlockManagerMaster.at(env, null);
  }

  static async start(): Promise<Run> {
    const clock = new SteppedClock();
    const platform = { ...nodePlatform(), clock };
    return new Run(await RpcEnv.create({ name: "driver", isClientOnly: true, platform }), clock);
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
      case "tick":
        this.#clock.advance(TICK_MS);
        model.tick(TICK_MS);
        return BOTH_SILENT;
    }
  }

  /** What the master knows, is told and told others, in words; the same of the model. */
  async look(): Promise<readonly [master: string, model: string]> {
    const model = this.model;
    const orders = await this.#takeOrders();
    const locations = await this.#master.getLocationsMultipleBlockIds(BLOCKS);
    const alive = await Promise.all(EXECUTOR_IDS.map((id) => this.#master.isExecutorAlive(id)));
    return [
      [
        await this.#summary(),
        locations.map(texts).join("\n"),
        alive.join(),
        this.#events.splice(0).map(eventText).join("\n"),
        orders.toSorted().join("\n"),
      ].join("\n--\n"),
      [
        modelSummary(model),
        BLOCKS.map(({ name }) => texts(model.holdersOf(name))).join("\n"),
        EXECUTOR_IDS.map((id) => model.ofExecutor(id) !== undefined).join(),
        model.events.splice(0).join("\n"),
        model.orders.splice(0).toSorted().join("\n"),
      ].join("\n--\n"),
    ];
  }

  /** What has to hold whatever the model says; texts of what does not. */
  async violations(): Promise<string[]> {
    const statuses = await this.#master.getStorageStatus();
    const memory = await this.#master.getMemoryStatus();
    const locations = await this.#master.getLocationsMultipleBlockIds(BLOCKS);
    const registered = new Set(statuses.map(({ blockManagerId }) => textOf(blockManagerId)));
    const executors = new Set(statuses.map(({ blockManagerId }) => blockManagerId.executorId));
    const found: string[] = [];
    if (executors.size !== statuses.length) found.push("two managers of one executor");
    for (const [index, holders] of locations.entries()) {
      const name = BLOCKS[index]?.name ?? "";
      for (const holder of holders) {
        if (!registered.has(textOf(holder)))
          found.push(`${name} at ${textOf(holder)}, who is gone`);
      }
    }
    for (const [
      index,
      { blocks, blockManagerId, maxOnHeapMem, maxOffHeapMem },
    ] of statuses.entries()) {
      const used = blocks.reduce((sum, { status }) => sum + status.memSize, 0);
      if (memory[index]?.remainingMem !== maxOnHeapMem + maxOffHeapMem - used) {
        found.push(`memory of ${textOf(blockManagerId)} does not add up`);
      }
    }
    return found;
  }

  close(): Promise<void> {
    return this.#env.close();
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

  async #summary(): Promise<string> {
    const memory = await this.#master.getMemoryStatus();
    const statuses = await this.#master.getStorageStatus();
    return statuses
      .map(({ blockManagerId, blocks }, index) => {
        const { maxMem = 0, remainingMem = 0 } = memory[index] ?? {};
        const held = blocks.map(({ blockId, status: { storageLevel, memSize, diskSize } }) => {
          return { blockId, level: storageLevel, memSize, diskSize };
        });
        return managerLine(blockManagerId, maxMem, remainingMem, held);
      })
      .join("\n");
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
          const [master, model] = await run.look();
          const found = await run.violations();
          if (answer === expected && master === model && found.length === 0) continue;
          const label = `seed ${seed}, step ${index}: ${describeStep(step)}`;
          expect(answer, label).toEqual(expected);
          expect(master, label).toBe(model);
          expect(found, label).toEqual([]);
        }
        await run.close();
      }
      // Every kind of step was among them.
      expect(counts.size).toBe(13);
    },
    TIME_LIMIT_MS,
  );
});

function describeStep(step: Step): string {
  return JSON.stringify(step, (_key, value: unknown) => {
    return typeof value === "bigint" ? `${value}n` : value;
  });
}
