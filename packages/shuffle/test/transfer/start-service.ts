import { TransportConf } from "@bm/transport";
import {
  type BlockDataManager,
  NettyBlockTransferService,
  type NettyBlockTransferServiceOptions,
} from "../../src/index.ts";
import { MemoryBlockManager } from "./memory-block-manager.ts";

export const HOST = "127.0.0.1";
const started: (() => unknown)[] = [];

/** Runs when the test is over; the last one first. */
export function afterwards(close: () => unknown): void {
  started.push(close);
}

/** Ends everything that the test started. */
export async function closeAll(): Promise<void> {
  for (const close of started.splice(0).toReversed()) await close();
}

/** Configuration with retries that do not wait. */
export function conf(values: Readonly<Record<string, string>> = {}): TransportConf {
  return new TransportConf("shuffle", { "spark.shuffle.io.retryWait": "0s", ...values });
}

/** A service on a free port, closed when the test is over. */
export async function start(
  options: Partial<NettyBlockTransferServiceOptions>,
  manager: BlockDataManager = new MemoryBlockManager(),
): Promise<NettyBlockTransferService> {
  const service = new NettyBlockTransferService({
    conf: conf(),
    appId: "app-1",
    executorId: "1",
    host: HOST,
    ...options,
  });
  await service.init(manager);
  afterwards(() => service.close());
  return service;
}
