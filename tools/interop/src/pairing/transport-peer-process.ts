/**
 * Our transport as a process that is driven by JSON lines: the twin of
 * ../../java/src/main/java/bm/interop/TransportPeer.java, with the same commands and answers.
 */
import { createInterface } from "node:readline";
import {
  NoOpRpcHandler,
  nodePlatform,
  TransportConf,
  TransportContext,
  TransportError,
} from "@bm/transport";
import { MEMORY_REGION_BYTES, regionBytes } from "../region.ts";
import type { PeerRequest } from "./contract.ts";
import { OurConnection } from "./our-connection.ts";
import { OurServer } from "./our-server.ts";
import type { Batch } from "./outcome.ts";

/** The fields of all commands; each uses its own few. */
interface Command {
  readonly id: number;
  readonly op: string;
  readonly server?: number;
  readonly client?: number;
  readonly batch?: number;
  readonly port?: number;
  readonly count?: number;
  readonly size?: number;
  readonly conf?: Readonly<Record<string, string>>;
  readonly closesIdle?: boolean;
  readonly isOneForOne?: boolean;
  readonly isReading?: boolean;
  readonly isAwaited?: boolean;
  readonly requests?: readonly PeerRequest[];
}

const memory = regionBytes(MEMORY_REGION_BYTES);
const servers = new Map<number, OurServer>();
const connections = new Map<number, OurConnection>();
const batches = new Map<number, Batch>();
let file = "";
let lastHandle = 0;

async function run(command: Command): Promise<object> {
  const server = servers.get(command.server ?? 0);
  const connection = connections.get(command.client ?? 0);
  switch (command.op) {
    case "listen":
      return listen(command);
    case "connect":
      return connect(command);
    case "begin":
      return { batch: kept(batches, connection?.begin(command.requests ?? [])) };
    case "outcomes": {
      const batch = batches.get(command.batch ?? 0);
      if (command.isAwaited === true) await batch?.settled();
      return batch?.report() ?? {};
    }
    case "open":
      return { streamId: await connection?.open(command.count ?? 0, command.size ?? 0) };
    case "read":
      (server ?? connection)?.read(command.isReading === true);
      return {};
    case "isActive":
      return { isActive: connection?.client.isActive };
    case "disconnect":
      connection?.client.abort(new TransportError("CHANNEL_CLOSED", "asked to close"));
      return {};
    case "server":
      return server?.report() ?? {};
    case "cut":
      server?.cut();
      return {};
    case "release":
      server?.release();
      return {};
    case "unlisten":
      await server?.close();
      return {};
    case "memory":
      return { bytes: process.memoryUsage.rss() };
    default:
      throw new Error(`unknown op ${command.op}`);
  }
}

async function listen(command: Command): Promise<object> {
  const { closesIdle = false, conf = {}, isOneForOne = false } = command;
  const server = await OurServer.listen({ conf, file, memory, closesIdle, isOneForOne });
  return { server: kept(servers, server), port: server.port };
}

async function connect({ closesIdle = false, conf = {}, port = 0 }: Command): Promise<object> {
  const context = new TransportContext({
    conf: new TransportConf("shuffle", conf),
    rpcHandler: new NoOpRpcHandler(nodePlatform().random),
    closeIdleConnections: closesIdle,
  });
  const client = await context.createClientFactory().createUnmanagedClient("127.0.0.1", port);
  return { client: kept(connections, new OurConnection(client, file)) };
}

function kept<Thing>(things: Map<number, Thing>, thing: Thing | undefined): number {
  if (thing === undefined) throw new Error("no such handle");
  lastHandle += 1;
  things.set(lastHandle, thing);
  return lastHandle;
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function answer(command: Command): Promise<void> {
  try {
    say({ id: command.id, ...(await run(command)) });
  } catch (error) {
    say({ id: command.id, error: String(error) });
  }
}

const lines = createInterface({ input: process.stdin });
lines.once("line", (first) => {
  file = (JSON.parse(first) as { readonly file: string }).file;
  lines.on("line", (line) => void answer(JSON.parse(line) as Command));
  say({ ready: true });
});
lines.on("close", () => process.exit());
