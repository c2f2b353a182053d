/** A process with a notebook that others can reach. Tells its parent the address. */
import { RpcEnv } from "@bm/rpc";
import { Notebook } from "../messages.ts";

const env = await RpcEnv.create({ name: "child" });
env.setupEndpoint("notebook", new Notebook());
process.send?.(env.address);
process.on("disconnect", () => process.exit());
