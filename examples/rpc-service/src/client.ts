import { stat } from "node:fs/promises";
import { type RpcAddress, RpcEndpoint, type RpcEndpointRef, RpcEnv } from "@bm/rpc";
import {
  FileSegmentManagedBuffer,
  NoOpRpcHandler,
  nodePlatform,
  type TransportClient,
  TransportConf,
  TransportContext,
} from "@bm/transport";
import { HashedFile } from "./hashed-file.ts";
import { Announce, ContentPort, Watch } from "./messages.ts";

/** The two ways to a server: messages to its endpoint, and contents. */
export interface Session {
  readonly env: RpcEnv;
  readonly artifacts: RpcEndpointRef;
  readonly contents: TransportClient;
}

/** Runs `use` with a session that ends with it. */
export async function withServer(
  address: RpcAddress,
  use: (session: Session) => Promise<void>,
): Promise<void> {
  await using env = await RpcEnv.create({ name: "artifact-client" });
  const artifacts = await env.setupEndpointRef(address, "artifacts");
  const rpcHandler = new NoOpRpcHandler(nodePlatform().random);
  const context = new TransportContext({ conf: new TransportConf("artifacts"), rpcHandler });
  await using clients = context.createClientFactory();
  const port = await artifacts.ask(ContentPort, undefined);
  await use({ env, artifacts, contents: await clients.createClient(address.host, port) });
}

/** Sends a file of any size; gives its key. */
export async function put({ contents }: Session, path: string): Promise<string> {
  const { files } = nodePlatform();
  const { size: length } = await stat(path);
  const content = new FileSegmentManagedBuffer({ files, path, offset: 0, length });
  return Buffer.from(await contents.uploadStream(Buffer.alloc(0), content)).toString();
}

/** Writes an artifact to a file. Rejects, and leaves none, when it is not what the key says. */
export async function get({ contents }: Session, key: string, path: string): Promise<void> {
  const file = new HashedFile(path);
  try {
    await receive(contents, key, file);
    if ((await file.finish()) !== key) throw new Error(`${key} arrived damaged`);
  } catch (error) {
    await file.discard();
    throw error;
  }
}

/** Calls for each artifact that arrives at the server from now on. */
export async function watch(
  { env, artifacts }: Session,
  onArrived: (key: string) => void,
): Promise<void> {
  const { address, name } = env.setupEndpoint("watcher", new Watcher(onArrived));
  await artifacts.ask(Watch, { address, name });
}

class Watcher extends RpcEndpoint {
  constructor(onArrived: (key: string) => void) {
    super();
    this.receive(Announce, onArrived);
  }
}

function receive(contents: TransportClient, key: string, file: HashedFile): Promise<void> {
  const { channel } = contents;
  return new Promise((resolve, reject) => {
    contents.stream(key, {
      onData: (_key, bytes) => {
        const room = file.write(bytes);
        if (room === undefined) return;
        // The server waits for our disk.
        channel.pauseReading();
        room.then(() => channel.resumeReading(), reject);
      },
      onComplete: () => resolve(),
      onFailure: (_key, error) => reject(error),
    });
  });
}
