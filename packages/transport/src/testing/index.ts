/** Tools to test handlers, clients and servers without sockets, clocks or disks. */
export { EmbeddedChannel, type EmbeddedChannelOptions } from "./embedded-channel.ts";
export { ManualClock, type ManualClockOptions } from "./manual-clock.ts";
export { createMemoryFiles, type MemoryFilesOptions } from "./memory-files.ts";
export {
  createMemoryNetwork,
  type MemoryNetwork,
  type MemoryNetworkOptions,
} from "./memory-network.ts";
export type { DeliveryFault, MemoryDelivery } from "./memory-socket.ts";
export { createSeededRandom } from "./seeded-random.ts";
