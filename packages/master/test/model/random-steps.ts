/** Steps drawn from a seed: the same seed gives the same steps. */
import {
  type BlockId,
  BlockManagerId,
  broadcastBlockId,
  rddBlockId,
  shuffleBlockId,
  shuffleDataBlockId,
  shuffleIndexBlockId,
  testBlockId,
} from "@bm/block";
import { LEVELS, type ModelReport, type ModelUpdate } from "./reference-model.ts";

/** One thing that happens. */
export type Step =
  | {
      readonly type: "register";
      readonly id: BlockManagerId;
      readonly maxMem: number;
      readonly isReRegister: boolean;
    }
  | { readonly type: "update"; readonly update: ModelUpdate }
  | { readonly type: "heartbeat"; readonly id: BlockManagerId }
  | { readonly type: "remove executor"; readonly executorId: string }
  | { readonly type: "remove rdd"; readonly rddId: number }
  | { readonly type: "remove shuffle"; readonly shuffleId: number }
  | {
      readonly type: "remove broadcast";
      readonly broadcastId: bigint;
      readonly removeFromDriver: boolean;
    }
  | { readonly type: "remove block"; readonly blockId: BlockId }
  | { readonly type: "decommission"; readonly executorIds: readonly string[] }
  | { readonly type: "scheduler"; readonly executorId: string; readonly isAlive: boolean }
  | { readonly type: "peers"; readonly id: BlockManagerId }
  | { readonly type: "replicate info"; readonly id: BlockManagerId }
  | { readonly type: "task"; readonly blockId: BlockId; readonly taskId: bigint }
  | { readonly type: "task ends"; readonly taskId: bigint; readonly succeeded: boolean }
  | { readonly type: "visible"; readonly blockId: BlockId }
  | { readonly type: "mergers"; readonly count: number; readonly refused: readonly string[] }
  | { readonly type: "remove merger"; readonly host: string }
  | { readonly type: "report"; readonly report: ModelReport }
  | { readonly type: "alive"; readonly executorId: string }
  | { readonly type: "restart" }
  | { readonly type: "tick" };

/** Number of the types above. */
export const STEP_TYPES = 21;

export const HOSTS: Readonly<Record<string, string | null>> = { h1: "/r1", h2: "/r2", h3: null };
export const EXECUTOR_IDS: readonly string[] = ["driver", "1", "2", "3", "4", "5"];
const PORTS = [1001, 1002];

const NAMES = Object.keys(HOSTS);
const RDD_BLOCKS = [1, 11].flatMap((rddId) => {
  return [0, 1, 2, 3].map((partition) => rddBlockId(rddId, partition));
});

/** The blocks that are reported. Few, so that they meet each other. */
export const BLOCKS: readonly BlockId[] = [
  ...RDD_BLOCKS,
  broadcastBlockId(1n),
  broadcastBlockId(1n, "piece0"),
  testBlockId("t"),
];
const SHUFFLE_BLOCKS: readonly BlockId[] = [
  shuffleBlockId(1, 2n, 3),
  shuffleIndexBlockId(1, 2n, 0),
  shuffleDataBlockId(1, 2n, 0),
];

/** Draws numbers from a seed (mulberry32). */
export function seeded(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

/** The next step. Ids are mostly those that are registered, at times stale, foreign or bare ones. */
export function nextStep(below: (bound: number) => number, known: readonly BlockManagerId[]): Step {
  const pick = <Item>(items: readonly Item[]): Item => items[below(items.length)] as Item;
  const anyId = (): BlockManagerId => {
    const host = pick(NAMES);
    // One in three without the topology that the master gave.
    const topology = below(3) === 0 ? null : (HOSTS[host] ?? null);
    return BlockManagerId.of(pick(EXECUTOR_IDS), host, pick(PORTS), topology);
  };
  const someId = (): BlockManagerId => (known.length > 0 && below(8) > 0 ? pick(known) : anyId());
  const executorId = (): string => pick(EXECUTOR_IDS);

  const register = (isReRegister: boolean): Step => {
    const { host, executorId: of, port } = isReRegister ? someId() : anyId();
    const id = BlockManagerId.of(of, host, port, HOSTS[host] ?? null);
    return { type: "register", id, maxMem: 100 * (1 + below(9)), isReRegister };
  };
  const updateOf = (id: BlockManagerId): ModelUpdate => {
    const blockId = below(12) === 0 ? pick(SHUFFLE_BLOCKS) : pick(BLOCKS);
    return { id, blockId, level: pick(LEVELS), memSize: below(500), diskSize: below(500) };
  };
  const report = (): Step => {
    const id = someId();
    const updates = Array.from({ length: below(4) }, () => updateOf(id));
    return { type: "report", report: { id, updates, isLastOfAll: below(3) > 0 } };
  };
  const taskId = (): bigint => BigInt(below(6));
  const table: readonly (readonly [weight: number, step: () => Step])[] = [
    [90, () => register(false)],
    [60, () => register(true)],
    [360, () => ({ type: "update", update: updateOf(someId()) })],
    [50, report],
    [70, () => ({ type: "heartbeat", id: someId() })],
    [110, () => ({ type: "tick" })],
    [25, () => ({ type: "remove executor", executorId: executorId() })],
    [25, () => ({ type: "remove rdd", rddId: pick([1, 11, 2]) })],
    [15, () => ({ type: "remove block", blockId: pick(BLOCKS) })],
    [8, () => ({ type: "remove shuffle", shuffleId: 1 })],
    [8, () => ({ type: "remove broadcast", broadcastId: 1n, removeFromDriver: below(2) === 0 })],
    [25, () => ({ type: "decommission", executorIds: [executorId(), executorId()] })],
    [40, () => ({ type: "scheduler", executorId: executorId(), isAlive: below(3) > 0 })],
    [25, () => ({ type: "peers", id: someId() })],
    [20, () => ({ type: "replicate info", id: someId() })],
    [60, () => ({ type: "task", blockId: pick(RDD_BLOCKS), taskId: taskId() })],
    [30, () => ({ type: "task ends", taskId: taskId(), succeeded: below(3) > 0 })],
    [40, () => ({ type: "visible", blockId: pick(BLOCKS) })],
    [
      20,
      () => ({ type: "mergers", count: below(4), refused: below(2) === 0 ? [] : [pick(NAMES)] }),
    ],
    [10, () => ({ type: "remove merger", host: pick(NAMES) })],
    [20, () => ({ type: "alive", executorId: executorId() })],
    [8, () => ({ type: "restart" })],
  ];
  let drawn = below(table.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, step] of table) {
    if (drawn < weight) return step();
    drawn -= weight;
  }
  throw new Error("the weights do not add up");
}
