/** The shuffles whose blocks are asked for; small ones for `--quick`. */
import type { ShuffleOutputs } from "../shuffle-outputs.ts";
import { KIB, MIB } from "./figures.ts";

export const SMALL: ShuffleOutputs = {
  shuffleId: 1,
  maps: 200,
  partitions: 200,
  blockBytes: 16 * KIB,
};
export const MEDIUM: ShuffleOutputs = {
  shuffleId: 2,
  maps: 50,
  partitions: 200,
  blockBytes: 64 * KIB,
};
export const LARGE: ShuffleOutputs = { shuffleId: 3, maps: 4, partitions: 1, blockBytes: 16 * MIB };
export const SMALL_QUICK: ShuffleOutputs = { ...SMALL, shuffleId: 4, maps: 40, partitions: 50 };
export const MEDIUM_QUICK: ShuffleOutputs = { ...MEDIUM, shuffleId: 5, maps: 20, partitions: 20 };
