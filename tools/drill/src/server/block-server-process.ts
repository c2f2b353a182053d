/**
 * Serves made-up blocks from a process of its own.
 *     node --conditions=@bm/source block-server-process.ts <port>
 * Prints its port on a line once it listens, and a line for each that it reads: the number of unreleased
 * blocks and for how many milliseconds it was held up since the last line. After the line `slow 100` it takes
 * a hundred times as long as a disk does.
 */
import { createInterface } from "node:readline";
import { NettyBlockTransferService } from "@bm/shuffle";
import { TransportConf } from "@bm/transport";
import { MadeUpBlocks } from "./made-up-blocks.ts";
import { StallWatch } from "./stall-watch.ts";

const blocks = new MadeUpBlocks();
const stalls = new StallWatch();
const service = new NettyBlockTransferService({
  conf: new TransportConf("shuffle"),
  appId: "drill",
  executorId: "2",
  host: "127.0.0.1",
  port: Number(process.argv[2] ?? 0),
});
await service.init(blocks);
process.stdout.write(`${service.port}\n`);
// Not left behind when the drill is killed.
process.stdout.on("error", () => process.exit());
createInterface(process.stdin)
  .on("line", (line) => {
    const [command, value] = line.split(" ");
    if (command === "slow") blocks.slowness = Number(value);
    process.stdout.write(`${blocks.held} ${Math.round(stalls.take())}\n`);
  })
  .on("close", () => process.exit());
