import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import {
  type LoopEars,
  type LoopLine,
  NoOpRpcHandler,
  nodePlatform,
  ServerLoops,
  type ServerLoopsOptions,
  type TransportClient,
  TransportConf,
  TransportContext,
} from "../../src/index.ts";

const entry = new URL("naming-loop-process.ts", import.meta.url);
const host = "127.0.0.1";
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

async function start(options: Partial<ServerLoopsOptions> = {}): Promise<ServerLoops> {
  const loops = await ServerLoops.start({ count: 2, entry, host, data: "loop", ...options });
  ends.push(() => loops.close());
  return loops;
}

async function connect({ port }: ServerLoops): Promise<TransportClient> {
  const rpcHandler = new NoOpRpcHandler(nodePlatform().random);
  const clients = new TransportContext({ conf: new TransportConf("loops"), rpcHandler });
  const factory = clients.createClientFactory();
  ends.push(() => factory.close());
  return factory.createUnmanagedClient(host, port);
}

async function say(client: TransportClient, text: string): Promise<string> {
  return Buffer.from(await client.sendRpc(Buffer.from(text))).toString();
}

/** Answers of one new connection after the other, until there are so many different ones. */
async function namesOf(loops: ServerLoops, count: number): Promise<Set<string>> {
  const names = new Set<string>();
  // The system chooses by the ports of a connection: sixty-four in a row on one of two loops do not happen.
  for (let tries = 0; tries < 64 && names.size < count; tries += 1) {
    names.add(await say(await connect(loops), "name"));
  }
  return names;
}

describe("event loops that share a port", () => {
  it("get connections each, and what they were started with", async () => {
    const loops = await start();
    const names = await namesOf(loops, 2);
    expect(names.size).toBe(2);
    for (const name of names) expect(name).toMatch(/^loop \d+$/);
  });

  it("ask their owner, and hear how it fails", async () => {
    const ears: LoopEars = {
      onMessage: () => {},
      onAsk: (question) => {
        if (question === "why") throw Object.assign(new Error("no"), { javaClass: "a.b.C" });
        return `you asked ${String(question)}`;
      },
    };
    const client = await connect(await start({ connect: () => ears }));
    expect(await say(client, "ask how")).toBe("you asked how");
    await expect(say(client, "ask why")).rejects.toThrow(/a\.b\.C: no/);
  });

  it("are replaced when they die, which costs their own connections only", async () => {
    const gone: LoopLine[] = [];
    const loops = await start({ onGone: (line) => gone.push(line) });
    const client = await connect(loops);
    await expect(say(client, "die")).rejects.toMatchObject({ code: "CHANNEL_CLOSED" });
    await expect.poll(() => gone.length).toBe(1);
    await expect(gone[0]?.ask("anything")).rejects.toMatchObject({ code: "CLOSED" });
    const countLoops = async (): Promise<number> => (await namesOf(loops, 2)).size;
    await expect.poll(countLoops, { timeout: 30_000 }).toBe(2);
  });

  it("end with their requests answered, or at once when they have to", async () => {
    const heard: unknown[] = [];
    const onMessage = (message: unknown): void => void heard.push(message);
    const loops = await start({ connect: () => ({ onMessage, onAsk: () => "late" }) });
    const client = await connect(loops);
    const hanging = say(client, "hang");
    await expect.poll(() => heard).toEqual(["hanging"]);
    const closing = loops.close({ signal: AbortSignal.abort() });
    await expect(hanging).rejects.toMatchObject({ code: "CHANNEL_CLOSED" });
    await closing;
    await loops.close();
    expect(loops.lines).toEqual([]);
  });

  it("do not start beside another server on the port, or when they cannot run", async () => {
    const other = createServer().listen(0, host);
    ends.push(() => other.close());
    await expect.poll(() => other.listening).toBe(true);
    const { port } = other.address() as { port: number };
    await expect(start({ port })).rejects.toMatchObject({ code: "BIND_FAILED" });
    await expect(start({ data: "broken" })).rejects.toThrow(/this loop is broken/);
  });
});
