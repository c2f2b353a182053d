/**
 * Serves blocks named `shuffle_<shuffle>_<map>_<bytes>` of that many bytes from a process of its own.
 *     node --conditions=@bm/source block-server-process.ts <port>
 * Prints its port on a line once it listens.
 */
import { type BlockId, type ShuffleBlockId } from "@bm/block";
import { BytesManagedBuffer, type ManagedBuffer, TransportConf } from "@bm/transport";
import { NettyBlockTransferService } from "../../src/index.ts";
import { contentOf } from "./content-of.ts";
import { MemoryBlockManager } from "./memory-block-manager.ts";

class MadeUpBlocks extends MemoryBlockManager {
  override getLocalBlockData(blockId: BlockId): ManagedBuffer {
    return new BytesManagedBuffer(contentOf(blockId as ShuffleBlockId));
  }
}

const service = new NettyBlockTransferService({
  conf: new TransportConf("shuffle"),
  appId: "app-1",
  executorId: "2",
  port: Number(process.argv[2] ?? 0),
});
await service.init(new MadeUpBlocks());
process.stdout.write(`${service.port}\n`);
// Not left behind when the test run is killed.
process.stdin.on("end", () => process.exit()).resume();
