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
import { LEVELS, type ModelUpdate } from "./reference-model.ts";

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
  | { readonly type: "tick" };

export const HOSTS: Readonly<Record<string, string | null>> = { h1: "/r1", h2: "/r2", h3: null };
export const EXECUTOR_IDS: readonly string[] = ["driver", "1", "2", "3", "4", "5"];
const PORTS = [1001, 1002];

/** The blocks that are reported. Few, so that they meet each other. */
export const BLOCKS: readonly BlockId[] = [
  ...[0, 1, 2, 3].map((partition) => rddBlockId(1, partition)),
  ...[0, 1, 2, 3].map((partition) => rddBlockId(11, partition)),
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
    const host = pick(Object.keys(HOSTS));
    // One in three without the topology that the master gave.
    const topology = below(3) === 0 ? null : (HOSTS[host] ?? null);
    return BlockManagerId.of(pick(EXECUTOR_IDS), host, pick(PORTS), topology);
  };
  const someId = (): BlockManagerId => (known.length > 0 && below(8) > 0 ? pick(known) : anyId());
  const executorId = (): string => pick(EXECUTOR_IDS);

  const weight = below(100);
  if (weight < 14) {
    const { host, executorId: of, port } = anyId();
    const id = BlockManagerId.of(of, host, port, HOSTS[host] ?? null);
    return { type: "register", id, maxMem: 100 * (1 + below(9)), isReRegister: below(3) === 0 };
  }
  if (weight < 56) {
    const blockId = below(12) === 0 ? pick(SHUFFLE_BLOCKS) : pick(BLOCKS);
    const sizes = { memSize: below(500), diskSize: below(500) };
    return { type: "update", update: { id: someId(), blockId, level: pick(LEVELS), ...sizes } };
  }
  if (weight < 64) return { type: "heartbeat", id: someId() };
  if (weight < 78) return { type: "tick" };
  if (weight < 81) return { type: "remove executor", executorId: executorId() };
  if (weight < 84) return { type: "remove rdd", rddId: pick([1, 11, 2]) };
  if (weight < 86) return { type: "remove block", blockId: pick(BLOCKS) };
  if (weight < 87) return { type: "remove shuffle", shuffleId: 1 };
  if (weight < 88) {
    return { type: "remove broadcast", broadcastId: 1n, removeFromDriver: below(2) === 0 };
  }
  if (weight < 91) return { type: "decommission", executorIds: [executorId(), executorId()] };
  if (weight < 95) {
    return { type: "scheduler", executorId: executorId(), isAlive: below(3) > 0 };
  }
  return { type: weight < 98 ? "peers" : "replicate info", id: someId() };
}
