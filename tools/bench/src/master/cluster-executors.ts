/**
 * Executors of the cluster bench, many in one process: each has its own environment, so its own server
 * and its own connection to the driver.
 */
import { BlockManagerId, type RddBlockId, rddBlockId, StorageLevel } from "@bm/block";
import { BlockManagerMaster, BlockManagerSlaveEndpoint, type BlockOwner } from "@bm/master";
import { type RpcAddress, RpcEnv } from "@bm/rpc";
import { serveLines } from "./line-server.ts";

/** What executors can be told to do. */
export type ExecutorsLine =
  | {
      readonly do: "register";
      readonly driver: RpcAddress;
      readonly first: number;
      readonly count: number;
    }
  | { readonly do: "report"; readonly blocksEach: number; readonly perMessage: number }
  | { readonly do: "look up"; readonly plan: LookUpPlan }
  | { readonly do: "beat"; readonly rounds: number };

/** Blocks to ask for, of all executors. */
export interface LookUpPlan {
  readonly seconds: number;
  readonly perMessage: number;
  readonly inFlight: number;
  readonly executors: number;
  readonly blocksEach: number;
  /** Executors from the first up to but not including the second are dead. */
  readonly dead: readonly [number, number];
}

/** What came of it. */
export interface ExecutorsOutcome {
  /** Operations that were answered as they should be. */
  readonly right: number;
  readonly wrong: number;
  readonly seconds: number;
  /** Of single answers. */
  readonly longestMs: number;
}

interface Executor {
  readonly index: number;
  readonly id: BlockManagerId;
  readonly master: BlockManagerMaster;
}

const RDDS = 30;
const BEAT_INTERVAL_MS = 1000;
const STATUS = { storageLevel: StorageLevel.MEMORY_ONLY, memSize: 4096, diskSize: 0 };

const OWNER: BlockOwner = {
  removeBlock: () => {},
  removeRdd: () => Promise.resolve(0),
  removeBroadcast: () => Promise.resolve(0),
  removeShuffle: () => Promise.resolve(true),
  blockStatus: () => null,
  matchingBlockIds: () => [],
};

/** The block of an executor at a place in its list; no two are the same. */
function blockOf(executor: number, at: number, blocksEach: number): RddBlockId {
  return rddBlockId(at % RDDS, executor * blocksEach + at);
}

/** Runs until its input ends. */
export async function runClusterExecutors(): Promise<void> {
  const executors: Executor[] = [];
  const beat = (): void => {
    for (const { id, master } of executors) master.heartbeat(id).catch(() => {});
  };
  setInterval(beat, BEAT_INTERVAL_MS).unref();
  await serveLines({}, async (given) => {
    const line = given as ExecutorsLine;
    switch (line.do) {
      case "register":
        return timed((index) => register(line.driver, line.first + index, executors), line.count);
      case "report":
        return timed((index) => report(executors[index] as Executor, line), executors.length);
      case "look up":
        return lookUp(executors, line.plan);
      case "beat":
        return timed((index) => {
          const { id, master } = executors[index % executors.length] as Executor;
          return master.heartbeat(id);
        }, executors.length * line.rounds);
    }
  });
}

/** Does something so many times at once; what gives true, or a number, is right. */
async function timed(
  act: (index: number) => Promise<boolean | number>,
  count: number,
): Promise<ExecutorsOutcome> {
  const start = performance.now();
  let longestMs = 0;
  const counts = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const startedMs = performance.now();
      const right = await act(index);
      longestMs = Math.max(longestMs, performance.now() - startedMs);
      return Number(right);
    }),
  );
  const right = counts.reduce((sum, one) => sum + one, 0);
  const wrong = counts.filter((one) => one === 0).length;
  return { right, wrong, longestMs, seconds: (performance.now() - start) / 1000 };
}

async function register(driver: RpcAddress, index: number, into: Executor[]): Promise<boolean> {
  const env = await RpcEnv.create({ name: `executor-${index}` });
  const master = BlockManagerMaster.at(env, driver);
  const id = await master.registerBlockManager({
    blockManagerId: BlockManagerId.of(String(index), `host-${index}`, 7000),
    localDirs: [`/data/${index}`],
    maxOnHeapMemSize: 2 ** 34,
    maxOffHeapMemSize: 0,
    slaveEndpoint: BlockManagerSlaveEndpoint.setup(env, { owner: OWNER }),
    isReRegister: false,
  });
  into.push({ index, id, master });
  return true;
}

/** Gives how many of its blocks the master took note of. */
async function report(
  { id: blockManagerId, index, master }: Executor,
  { blocksEach, perMessage }: ExecutorsLine & { do: "report" },
): Promise<number> {
  let taken = 0;
  for (let start = 0; start < blocksEach; start += perMessage) {
    const count = Math.min(perMessage, blocksEach - start);
    const blocks = Array.from({ length: count }, (_, at) => {
      return { blockId: blockOf(index, start + at, blocksEach), status: STATUS };
    });
    const isLastOfAll = start + count === blocksEach;
    if (await master.reportBlocks({ blockManagerId, blocks, isLastOfAll })) taken += count;
  }
  return taken;
}

async function lookUp(executors: readonly Executor[], plan: LookUpPlan): Promise<ExecutorsOutcome> {
  const start = performance.now();
  const end = start + plan.seconds * 1000;
  const outcome = { right: 0, wrong: 0, longestMs: 0 };
  const lane = async (first: number): Promise<void> => {
    for (let turn = first; performance.now() < end; turn += plan.inFlight) {
      const { master } = executors[turn % executors.length] as Executor;
      const askedMs = performance.now();
      await askOnce(master, plan, outcome);
      outcome.longestMs = Math.max(outcome.longestMs, performance.now() - askedMs);
    }
  };
  await Promise.all(Array.from({ length: plan.inFlight }, (_, first) => lane(first)));
  return { ...outcome, seconds: (performance.now() - start) / 1000 };
}

async function askOnce(
  master: BlockManagerMaster,
  { blocksEach, dead: [deadFrom, deadTo], executors, perMessage }: LookUpPlan,
  outcome: { right: number; wrong: number },
): Promise<void> {
  const owners = Array.from({ length: perMessage }, () => Math.floor(Math.random() * executors));
  const ids = owners.map((owner) => {
    return blockOf(owner, Math.floor(Math.random() * blocksEach), blocksEach);
  });
  const lists = await master.getLocationsMultipleBlockIds(ids);
  for (const [at, owner] of owners.entries()) {
    const [holder, ...others] = lists[at] ?? [];
    const isDead = owner >= deadFrom && owner < deadTo;
    const expected = isDead ? undefined : String(owner);
    if (others.length === 0 && holder?.executorId === expected) outcome.right += 1;
    else outcome.wrong += 1;
  }
}
