/** Tools to test handlers, clients and servers without sockets, clocks or disks. */
export { EmbeddedChannel, type EmbeddedChannelOptions } from "./embedded-channel.ts";
export { ManualClock } from "./manual-clock.ts";
export { createMemoryFiles } from "./memory-files.ts";
export { createMemoryNetwork } from "./memory-network.ts";
export { createSeededRandom } from "./seeded-random.ts";
