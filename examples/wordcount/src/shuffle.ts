/** The one shuffle of this job: words to the sum of their occurrences. */
import {
  countField,
  hashPartitioner,
  type ShuffleHandle,
  stringField,
  sumAggregator,
} from "@bm/storage";

/** How many tasks there are on each side. */
export interface JobShape {
  readonly numMaps: number;
  readonly numPartitions: number;
}

/** What the writers and readers of all executors agree on. */
export function wordCountShuffle({
  numMaps,
  numPartitions,
}: JobShape): ShuffleHandle<string, number> {
  return {
    shuffleId: 0,
    numMaps,
    partitioner: hashPartitioner(numPartitions),
    serializer: { key: stringField, value: countField },
    aggregator: sumAggregator,
  };
}
