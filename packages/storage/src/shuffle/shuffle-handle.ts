import { javaStringHash } from "@bm/block";
import type { Serializer } from "../serializer/serializer.ts";

/** How values of one key are combined, on the map side and again on the reduce side. */
export interface Aggregator<Value, Combined> {
  create(value: Value): Combined;
  add(combined: Combined, value: Value): Combined;
  merge(one: Combined, other: Combined): Combined;
  /**
   * Bytes of memory that a combined value takes, roughly. Give it for values that grow, such as
   * lists: writers and readers spill by it. Default: the length of texts and byte arrays, little for others.
   */
  bytesOf?(combined: Combined): number;
}

/** Chooses the reduce partition of a key. */
export interface Partitioner<Key> {
  readonly numPartitions: number;
  /** A whole number from 0 to before `numPartitions`, always the same for equal keys. */
  partitionOf(key: Key): number;
}

/** Which shuffle, and of how many map tasks. */
export interface ShuffleIdentity {
  readonly shuffleId: number;
  readonly numMaps: number;
}

/** Everything that writers and readers of one shuffle must agree on. */
export interface ShuffleHandle<Key, Value, Combined = Value> extends ShuffleIdentity {
  readonly partitioner: Partitioner<Key>;
  /** Of keys and combined values, which are the values themselves without an aggregator. */
  readonly serializer: Serializer<Key, Combined>;
  /** Null: every record is carried as it is. */
  readonly aggregator: Aggregator<Value, Combined> | null;
}

/** Spreads strings by their hash, as Spark's HashPartitioner does for the same strings. */
export function hashPartitioner(numPartitions: number): Partitioner<string> {
  return {
    numPartitions,
    partitionOf: (key) => {
      return ((javaStringHash(key) % numPartitions) + numPartitions) % numPartitions;
    },
  };
}

/** Adds numbers up. */
export const sumAggregator: Aggregator<number, number> = {
  create: (value) => value,
  add: (sum, value) => sum + value,
  merge: (one, other) => one + other,
};
