import { nodeClock } from "./node-clock.ts";
import { createNodeFiles } from "./node-files.ts";
import { createNodeNetwork } from "./node-network.ts";
import { nodeRandom } from "./node-random.ts";
import type { Platform } from "./platform.ts";

const shared: Platform = {
  clock: nodeClock,
  network: createNodeNetwork(nodeClock),
  files: createNodeFiles(),
  random: nodeRandom,
};

/** The real machine: the default wherever a Platform is asked for. Always the same value. */
export function nodePlatform(): Platform {
  return shared;
}
