/** A process that is an executor: registers, reports a block and map output, and beats. */
import process from "node:process";
import { BlockManagerId, rddBlockId, StorageLevel } from "@bm/block";
import {
  BlockManagerMaster,
  BlockManagerSlaveEndpoint,
  MapOutputTracker,
  MapStatus,
} from "@bm/master";
import { parseRpcAddress, RpcEnv } from "@bm/rpc";
import { RecordingOwner } from "../recording-owner.ts";

const driver = parseRpcAddress(process.argv[2] ?? "");
const env = await RpcEnv.create({ name: "executor" });
const master = BlockManagerMaster.at(env, driver);
const tracker = MapOutputTracker.at(env, driver);

const block = rddBlockId(1, 0);
const owner = new RecordingOwner([block]);
const blockManagerId = await master.registerBlockManager({
  blockManagerId: BlockManagerId.of("1", "127.0.0.1", 7001),
  localDirs: ["/data/blocks"],
  maxOnHeapMemSize: 1000,
  maxOffHeapMemSize: 0,
  slaveEndpoint: BlockManagerSlaveEndpoint.setup(env, { owner, mapOutputTracker: tracker }),
  isReRegister: false,
});
await master.updateBlockInfo({
  blockManagerId,
  blockId: block,
  storageLevel: StorageLevel.DISK_ONLY,
  memSize: 0,
  diskSize: 77,
});
await tracker.registerMapOutput(4, 0, MapStatus.ofSizes(blockManagerId, 40n, [1, 2]));
setInterval(() => void master.heartbeat(blockManagerId), 20);
process.send?.("ready");
process.on("disconnect", () => process.exit());
