import { mkdir } from "node:fs/promises";
import { type RpcAddress, RpcEnv } from "@bm/rpc";
import { TransportConf, TransportContext } from "@bm/transport";
import { Artifacts } from "./artifacts.ts";
import { Contents } from "./contents.ts";
import { Announce } from "./messages.ts";

/** Serves a directory: messages on the port of `place`, contents on one beside it. Until `stop`. */
export async function serve(
  place: RpcAddress,
  directory: string,
  onListening: (address: RpcAddress) => void,
  stop: Promise<unknown>,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  await using env = await RpcEnv.create({ name: "artifact-server", ...place });
  const artifacts = env.endpointRef(env.address, "artifacts");
  const contents = new Contents(directory, (key) => artifacts.ask(Announce, key));
  const conf = new TransportConf("artifacts");
  const context = new TransportContext({ conf, rpcHandler: contents });
  await using server = await context.createServer({ host: place.host });
  env.setupEndpoint("artifacts", new Artifacts(env, directory, server.port));
  onListening(env.address ?? place);
  await stop;
}
