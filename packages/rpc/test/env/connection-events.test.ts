import { createServer } from "node:net";
import { RpcEndpoint, RpcEnv, type RpcPeer } from "@bm/rpc";
import { nodePlatform, type Platform, type Socket } from "@bm/transport";
import { describe, expect, it } from "vitest";
import { gate, Note } from "../messages.ts";

/** Writes down what it is told, in order. */
class Watcher extends RpcEndpoint {
  readonly events: string[] = [];
  readonly peers: RpcPeer[] = [];

  constructor() {
    super();
    this.receive(Note, (note) => {
      this.events.push(note);
    });
  }

  override onConnected(peer: RpcPeer): void {
    this.peers.push(peer);
    this.events.push(`connected ${peer.name ?? "by us"}`);
  }

  override onDisconnected(peer: RpcPeer): void {
    this.events.push(`disconnected ${this.peers.indexOf(peer)}`);
  }

  override onNetworkError(error: Error, peer: RpcPeer): void {
    this.events.push(`failed ${peer.name ?? "by us"}: ${error.message.length > 0}`);
  }
}

describe("an endpoint", () => {
  it("hears of a peer before its first message and after its last", async () => {
    await using server = await RpcEnv.create({ name: "server" });
    const watcher = new Watcher();
    server.setupEndpoint("watcher", watcher);
    const client = await RpcEnv.create({ name: "client" });
    const ref = client.endpointRef(server.address, "watcher");
    await ref.ask(Note, "first");
    await ref.ask(Note, "last");
    await client.close();
    await expect
      .poll(() => watcher.events)
      .toEqual(["connected client", "first", "last", "disconnected 0"]);
    expect(watcher.peers[0]).toMatchObject({ address: client.address, clientId: null });
  });

  it("hears of connections that its own environment makes", async () => {
    const server = await RpcEnv.create({ name: "server" });
    await using client = await RpcEnv.create({ name: "client", isClientOnly: true });
    const watcher = new Watcher();
    client.setupEndpoint("watcher", watcher);
    server.setupEndpoint("target", new Watcher());
    await client.endpointRef(server.address, "target").ask(Note, "hello");
    expect(watcher.events).toEqual(["connected by us"]);
    expect(watcher.peers[0]?.address).toEqual(server.address);
    await server.close();
    await expect.poll(() => watcher.events.at(-1)).toBe("disconnected 0");
  });

  it("hears of peers that were connected before it started", async () => {
    await using server = await RpcEnv.create({ name: "server" });
    await using client = await RpcEnv.create({ name: "client", isClientOnly: true });
    server.setupEndpoint("first", new Watcher());
    await client.endpointRef(server.address, "first").ask(Note, "hello");
    const late = new Watcher();
    server.setupEndpoint("late", late);
    await client.endpointRef(server.address, "late").ask(Note, "hello");
    expect(late.events).toEqual(["connected client", "hello"]);
    expect(late.peers[0]?.address).toBeNull();
  });

  it("hears that a connection failed, and then that it ended", async () => {
    const sockets: Socket[] = [];
    await using server = await RpcEnv.create({ name: "server", platform: listeningTo(sockets) });
    await using client = await RpcEnv.create({ name: "client", isClientOnly: true });
    const watcher = new Watcher();
    server.setupEndpoint("watcher", watcher);
    await client.endpointRef(server.address, "watcher").ask(Note, "hello");
    // The start of a frame of an impossible length.
    sockets[0]?.write([Buffer.alloc(16, 0xff)], () => {});
    await expect
      .poll(() => watcher.events)
      .toEqual(["connected client", "hello", "failed client: true", "disconnected 0"]);
  });

  it("hears that a peer could not be reached", async () => {
    await using client = await RpcEnv.create({ name: "client", isClientOnly: true });
    const watcher = new Watcher();
    client.setupEndpoint("watcher", watcher);
    const nobody = client.endpointRef({ host: "127.0.0.1", port: await freePort() }, "nobody");
    await expect(nobody.ask(Note, "hello")).rejects.toMatchObject({ code: "CONNECT_FAILED" });
    await expect.poll(() => watcher.events).toEqual(["failed by us: true"]);
  });

  it("is not told of the end when its inbox had no room for the beginning", async () => {
    await using server = await RpcEnv.create({ name: "server" });
    const { opened, open } = gate();
    class Busy extends Watcher {
      override onStart(): Promise<void> {
        return opened;
      }
    }
    const busy = new Busy();
    const self = server.setupEndpoint("busy", busy, { inboxEntriesMax: 1 });
    const waiting = self.ask(Note, "fills the inbox");
    const client = await RpcEnv.create({ name: "client", isClientOnly: true });
    const other = client.endpointRef(server.address, "nobody");
    await expect(other.ask(Note, "hello")).rejects.toMatchObject({ code: "ENDPOINT_NOT_FOUND" });
    await client.close();
    open();
    await waiting;
    await self.ask(Note, "later");
    expect(busy.events).toEqual(["fills the inbox", "later"]);
  });
});

/** A real machine whose accepted sockets send what the test writes to the environment itself. */
function listeningTo(sockets: Socket[]): Platform {
  const platform = nodePlatform();
  const { network } = platform;
  return {
    ...platform,
    network: {
      connect: (options) => network.connect(options),
      listen: (options, onSocket) =>
        network.listen(options, (socket) => {
          onSocket(injectable(socket, sockets));
        }),
    },
  };
}

/** Bytes that are written to the entry in `sockets` come in as if the peer had sent them. */
function injectable(socket: Socket, sockets: Socket[]): Socket {
  const start: Socket["start"] = (events) => {
    sockets.push({ ...socket, write: ([bytes]) => bytes && events.onData(bytes) });
    socket.start(events);
  };
  return new Proxy(socket, {
    get: (target, name) => {
      if (name === "start") return start;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
