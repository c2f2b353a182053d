import { connect, createServer, type Server } from "node:net";
import { describe, expect, it } from "vitest";
import {
  type ClientBootstrap,
  isConnectionError,
  type Logger,
  NoOpRpcHandler,
  nodePlatform,
  type ServerBootstrap,
  TransportConf,
  TransportContext,
  TransportError,
} from "../../src/index.ts";
import { EchoHandler, memoryChunks, startPair } from "./echo-service.ts";

describe("ClientFactory", () => {
  it("gives the same client again while it is alive, and another one after that", async () => {
    await using service = await startService();
    const first = await service.factory.createClient("127.0.0.1", service.port);
    expect(await service.factory.createClient("127.0.0.1", service.port)).toBe(first);
    await first.close();
    const second = await service.factory.createClient("127.0.0.1", service.port);
    expect(second).not.toBe(first);
    expect(second.isActive).toBe(true);
  });

  it("connects once for everybody who asks meanwhile", async () => {
    await using service = await startService();
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => service.factory.createClient("127.0.0.1", service.port)),
    );
    expect(new Set(clients).size).toBe(1);
    expect(service.handler.clients).toHaveLength(1);
  });

  it("keeps up to numConnectionsPerPeer clients per address", async () => {
    await using service = await startService({ "spark.shuffle.io.numConnectionsPerPeer": "3" });
    const clients = new Set(
      await Promise.all(
        Array.from({ length: 100 }, () => service.factory.createClient("127.0.0.1", service.port)),
      ),
    );
    expect(clients.size).toBe(3);
  });

  it("treats names and addresses as different peers and shows the name", async () => {
    await using service = await startService();
    const byName = await service.factory.createClient("localhost", service.port).catch(() => null);
    const byAddress = await service.factory.createClient("127.0.0.1", service.port);
    expect(byName).not.toBe(byAddress);
    expect(byAddress.remoteAddress).toBe(`/127.0.0.1:${service.port}`);
    if (byName !== null) expect(byName.remoteAddress).toMatch(/^localhost\//);
  });

  it("says that a connection was refused, and fails fast the next time when asked to", async () => {
    await using service = await startService();
    const port = await unusedPort();
    const refused = await service.factory.createClient("127.0.0.1", port).catch((e: unknown) => e);
    expect(refused).toMatchObject({ code: "CONNECT_FAILED" });
    expect(isConnectionError(refused)).toBe(true);
    await expect(
      service.factory.createClient("127.0.0.1", port, { fastFail: true }),
    ).rejects.toMatchObject({ code: "CONNECT_FAST_FAILED" });
    await expect(service.factory.createClient("127.0.0.1", port)).rejects.toMatchObject({
      code: "CONNECT_FAILED",
    });
  });

  it("runs its bootstraps in order before anybody gets the client", async () => {
    const steps: string[] = [];
    const step = (name: string): ClientBootstrap => ({
      doBootstrap: async (client) => {
        await client.sendRpc(Buffer.from(name));
        steps.push(name);
      },
    });
    await using service = await startService({}, { client: [step("one"), step("two")] });
    await service.factory.createClient("127.0.0.1", service.port);
    expect(steps).toEqual(["one", "two"]);
  });

  it("closes the connection when a bootstrap refuses, and does not fail fast for that", async () => {
    const refusing: ClientBootstrap = {
      doBootstrap: () => Promise.reject(new Error("wrong secret")),
    };
    await using service = await startService({}, { client: [refusing] });
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(
        service.factory.createClient("127.0.0.1", service.port, { fastFail: true }),
      ).rejects.toMatchObject({ code: "BOOTSTRAP_FAILED" });
    }
    await until(() => service.handler.ended.length === 2);
  });

  it("refuses to work after close, twice over", async () => {
    await using service = await startService();
    const client = await service.factory.createClient("127.0.0.1", service.port);
    await service.factory.close();
    await service.factory.close();
    expect(client.isActive).toBe(false);
    await expect(service.factory.createClient("127.0.0.1", service.port)).rejects.toMatchObject({
      code: "CLOSED",
    });
  });

  it("leaves unmanaged clients to their owner", async () => {
    await using service = await startService();
    const own = await service.factory.createUnmanagedClient("127.0.0.1", service.port);
    const pooled = await service.factory.createClient("127.0.0.1", service.port);
    expect(own).not.toBe(pooled);
    await service.factory.close();
    expect(own.isActive).toBe(true);
    await own.close();
  });
});

describe("TransportServer", () => {
  it("says that its port is taken", async () => {
    await using service = await startService();
    await expect(
      service.context.createServer({ host: "127.0.0.1", port: service.port }),
    ).rejects.toMatchObject({ code: "BIND_FAILED" });
  });

  it("answers what is in progress before a graceful close", async () => {
    await using service = await startService();
    const client = await service.factory.createClient("127.0.0.1", service.port);
    const request = client.sendRpc(Buffer.from("never"));
    await until(() => service.handler.pending.length === 1);
    const closing = service.server.close();
    for (const reply of service.handler.pending) reply.onSuccess(Buffer.from("at last"));
    expect(Buffer.from(await request).toString()).toBe("at last");
    await closing;
    expect(service.server.connectionCount).toBe(0);
  });

  it("closes at once when its signal says so", async () => {
    await using service = await startService();
    const client = await service.factory.createClient("127.0.0.1", service.port);
    const request = client.sendRpc(Buffer.from("never"));
    const rejected = expect(request).rejects.toMatchObject({ code: "CHANNEL_CLOSED" });
    await until(() => service.handler.pending.length === 1);
    await service.server.close({ signal: AbortSignal.abort(new Error("now")) });
    await rejected;
  });

  it("lets a bootstrap wrap the handler of a connection", async () => {
    const refusing: ServerBootstrap = {
      doBootstrap: () => new NoOpRpcHandler(nodePlatform().random),
    };
    await using service = await startService({}, { server: [refusing] });
    const client = await service.factory.createClient("127.0.0.1", service.port);
    await expect(client.sendRpc(Buffer.from("x"))).rejects.toMatchObject({
      message: expect.stringContaining("Cannot handle messages"),
    });
  });

  it("closes instead of serving above the limit of chunks being sent", async () => {
    await using pair = await startPair({ "spark.shuffle.maxChunksBeingTransferred": "0" });
    await pair.client.sendRpc(Buffer.from("hello"));
    const streamId = pair.handler.register(memoryChunks("a"));
    await expect(pair.client.fetchChunk(streamId, 0)).rejects.toMatchObject({
      code: "CHANNEL_CLOSED",
    });
  });

  it("names a foreign protocol once per peer, closes, and serves others", async () => {
    const lines: string[] = [];
    const logger = collectingLogger(lines);
    await using pair = await startPair({}, { logger });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const answer = await speak(pair.server.port, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
      expect(answer).toBe("");
    }
    expect(lines.filter((line) => line.includes("HTTP"))).toHaveLength(1);
    expect(Buffer.from(await pair.client.sendRpc(Buffer.from("fine"))).toString()).toBe("fine");
  });

  it("survives random bytes on every connection", async () => {
    await using pair = await startPair();
    for (let seed = 1; seed <= 20; seed += 1) {
      const bytes = Buffer.from(Array.from({ length: 64 }, (_, i) => (seed * 31 + i * 17) & 0xff));
      await speak(pair.server.port, bytes);
    }
    expect(Buffer.from(await pair.client.sendRpc(Buffer.from("fine"))).toString()).toBe("fine");
  });
});

describe("the idle rule", () => {
  const quickly = { "spark.shuffle.io.connectionTimeout": "1s" };

  it("gives up a connection whose answers stopped coming", async () => {
    await using pair = await startPair(quickly);
    await expect(pair.client.sendRpc(Buffer.from("never"))).rejects.toMatchObject({
      code: "CHANNEL_IDLE",
      message: expect.stringContaining("spark.shuffle.io.connectionTimeout"),
    });
  });

  it("closes unused connections only when told to", async () => {
    await using closing = await startPair(quickly, { closeIdleConnections: true });
    await using keeping = await startPair(quickly);
    await closing.client.channel.closed;
    expect(keeping.client.isActive).toBe(true);
  });
});

interface Service {
  readonly handler: EchoHandler;
  readonly context: TransportContext;
  readonly server: Awaited<ReturnType<TransportContext["createServer"]>>;
  readonly factory: ReturnType<TransportContext["createClientFactory"]>;
  readonly port: number;
  [Symbol.asyncDispose](): Promise<void>;
}

async function startService(
  values: Readonly<Record<string, string>> = {},
  bootstraps: { client?: ClientBootstrap[]; server?: ServerBootstrap[] } = {},
): Promise<Service> {
  const handler = new EchoHandler(nodePlatform());
  const conf = new TransportConf("shuffle", values);
  const context = new TransportContext({ conf, rpcHandler: handler });
  const calling = new TransportContext({
    conf,
    rpcHandler: new NoOpRpcHandler(nodePlatform().random),
  });
  const server = await context.createServer({
    host: "127.0.0.1",
    bootstraps: bootstraps.server ?? [],
  });
  const factory = calling.createClientFactory(bootstraps.client ?? []);
  return {
    handler,
    context,
    server,
    factory,
    port: server.port,
    async [Symbol.asyncDispose]() {
      await factory.close();
      server.abort(new TransportError("CLOSED", "the test is over"));
      await server.close();
    },
  };
}

/** Sends raw bytes and gives everything that came back before the peer closed. */
function speak(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    let received = "";
    const socket = connect(port, "127.0.0.1", () => socket.end(bytes));
    socket.on("data", (data) => void (received += data.toString("latin1")));
    socket.on("error", () => {});
    socket.on("close", () => resolve(received));
  });
}

async function unusedPort(): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function collectingLogger(lines: string[]): Logger {
  const collect = (line: string): void => void lines.push(line);
  return { debug: collect, info: collect, warn: collect, error: collect };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
