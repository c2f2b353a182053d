/** `bm serve` in a process of its own, and clients that speak to it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import {
  type BlockTransferMessage,
  decodeBlockTransferMessage,
  encodeBlockTransferMessage,
} from "@bm/shuffle";
import { NoOpRpcHandler, nodePlatform, TransportConf, TransportContext } from "@bm/transport";

const MAIN = join(import.meta.dirname, "../src/main.ts");
const children = new Set<ChildProcess>();

/** Kills what a test left behind. */
export function killAll(): void {
  for (const child of children) child.kill("SIGKILL");
}

export interface ServeProcess {
  readonly child: ChildProcess;
  readonly port: number;
  readonly http: string;
  /** What it printed so far. */
  readonly printed: () => string;
}

/** Runs `bm` to its end. */
export async function runBm(...args: string[]): Promise<{ code: number | null; text: string }> {
  const { child, printed } = start(args);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, text: printed() };
}

/** Starts `bm serve` and waits until it says that it listens. */
export async function startServe(...args: string[]): Promise<ServeProcess> {
  const { child, printed } = start(["serve", ...args]);
  const ended = once(child, "exit").then(() => {
    throw new Error(`bm serve ended: ${printed()}`);
  });
  while (!printed().includes("  limits ")) {
    await Promise.race([once(child.stdout!, "data"), ended]);
  }
  ended.catch(() => {});
  const port = Number(/shuffle +port (\d+)/.exec(printed())?.[1]);
  const http = /http +(\S+)/.exec(printed())?.[1] ?? "";
  return { child, port, http, printed };
}

/** Resolves to the exit code. */
export async function ended({ child }: ServeProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}

/** A connection to a service. */
export interface Connection {
  readonly ask: (message: BlockTransferMessage) => Promise<BlockTransferMessage | null>;
  readonly chunk: (message: BlockTransferMessage) => Promise<Buffer>;
  /** The first chunk of an opened stream. */
  readonly fetch: (handle: BlockTransferMessage | null) => Promise<Buffer>;
  /** Reads nothing from the service until `resume`. */
  readonly pause: () => void;
  readonly resume: () => void;
  readonly close: () => Promise<void>;
}

export async function connect(port: number): Promise<Connection> {
  const conf = new TransportConf("shuffle");
  const rpcHandler = new NoOpRpcHandler(nodePlatform().random);
  const clients = new TransportContext({ conf, rpcHandler }).createClientFactory();
  const client = await clients.createClient("127.0.0.1", port);
  const ask = async (message: BlockTransferMessage): Promise<BlockTransferMessage | null> => {
    const answer = await client.sendRpc(encodeBlockTransferMessage(message));
    return answer.length === 0 ? null : decodeBlockTransferMessage(answer);
  };
  const fetch = async (handle: BlockTransferMessage | null): Promise<Buffer> => {
    if (handle?.type !== "StreamHandle") throw new Error(`answered with ${handle?.type}`);
    const body = await client.fetchChunk(handle.streamId, 0);
    return Buffer.from(await body.bytes());
  };
  return {
    ask,
    fetch,
    chunk: async (message) => fetch(await ask(message)),
    pause: () => client.channel.pauseReading(),
    resume: () => client.channel.resumeReading(),
    close: () => clients.close(),
  };
}

function start(args: readonly string[]): { child: ChildProcess; printed: () => string } {
  const child = spawn(process.execPath, ["--conditions=@bm/source", MAIN, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, SPARK_LOCAL_DIRS: undefined },
  });
  children.add(child);
  child.once("exit", () => children.delete(child));
  let text = "";
  const collect = (bytes: Buffer): void => {
    text += bytes.toString();
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  return { child, printed: () => text };
}
