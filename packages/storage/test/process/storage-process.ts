/**
 * An executor under load: puts blocks with and without copies, one after the other, and reads blocks of
 * all executors meanwhile. Tells its parent how far it is, and at the end what it read.
 */
import process from "node:process";
import { StorageLevel } from "@bm/block";
import { BlockManagerMaster, MapOutputTracker } from "@bm/master";
import { parseRpcAddress, RpcEnv } from "@bm/rpc";
import { BlockManager } from "../../src/index.ts";
import { aloneId, contentOf, copiedId } from "./drill-blocks.ts";

const [driverText = "", number = "", root = ""] = process.argv.slice(2);
const own = Number(number);
const driver = parseRpcAddress(driverText);
const env = await RpcEnv.create({ name: `executor ${number}` });
const manager = await BlockManager.start({
  appId: "drill",
  executorId: number,
  env,
  master: BlockManagerMaster.at(env, driver),
  tracker: MapOutputTracker.at(env, driver),
  localRoots: [root],
  // So little that most blocks are moved to disk while others are read.
  memoryBytesMax: 1024 * 1024,
  heartbeatIntervalMs: 0,
  conf: { "spark.shuffle.io.maxRetries": "1", "spark.shuffle.io.retryWait": "50ms" },
});

let isStopped = false;
const seen = { right: 0, wrong: [] as string[], absent: 0 };
const started = new Promise<void>((resolve) => {
  process.on("message", (message) => {
    if (message === "start") resolve();
    else isStopped = true;
  });
});
process.on("disconnect", () => process.exit());
process.send?.({ puts: 0 });
// A block that is put before there are peers has no copies.
await started;
await Promise.all([putBlocks(), readBlocks(), readBlocks()]);
process.send?.({ seen });

async function putBlocks(): Promise<void> {
  for (let index = 0; !isStopped; index += 1) {
    const copied = index % 2 === 0 ? StorageLevel.MEMORY_AND_DISK_2 : StorageLevel.DISK_ONLY_2;
    await manager.put(copiedId(own, index), contentOf(copiedId(own, index)), copied);
    const alone = StorageLevel.MEMORY_AND_DISK;
    await manager.put(aloneId(own, index), contentOf(aloneId(own, index)), alone);
    process.send?.({ puts: index + 1 });
  }
}

async function readBlocks(): Promise<void> {
  for (let read = 0; !isStopped; read += 1) {
    const id = copiedId(1 + (read % 3), Math.floor(read / 3) % 200);
    const buffer = await manager.get(id);
    if (buffer === null) seen.absent += 1;
    else if (contentOf(id).equals(await buffer.bytes())) seen.right += 1;
    else seen.wrong.push(id.name);
    buffer?.release();
  }
}
