import { type RpcCall, RpcEndpoint, RpcEnv, type RpcPeer } from "@bm/rpc";
import {
  type Channel,
  type ChannelHandler,
  type ClientBootstrap,
  type HandlerContext,
  type MessageBody,
  RpcHandler,
  type RpcReplyCallback,
  type ServerBootstrap,
  type StreamManager,
  type TransportClient,
  type WriteDone,
} from "@bm/transport";
import { describe, expect, it } from "vitest";
import { Add } from "../messages.ts";

/** Turns every bit of every byte, both ways: as far as the pipeline is concerned, a cipher. */
class Inverting implements ChannelHandler {
  channelRead(context: HandlerContext, bytes: unknown): void {
    context.fireChannelRead(inverted(bytes as Uint8Array));
  }

  write(context: HandlerContext, message: unknown, done: WriteDone): void {
    const pieces = (Array.isArray(message) ? message : [message]) as Uint8Array[];
    context.write(pieces.map(inverted), done);
  }
}

function inverted(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes, (byte) => byte ^ 0xff);
}

/** Says a word, and speaks inverted once it was accepted. */
function saying(word: string): ClientBootstrap {
  return {
    doBootstrap: async (client, channel) => {
      await client.sendRpc(Buffer.from(word));
      channel.pipeline.addFirst("inverting", new Inverting());
    },
  };
}

const asksForTheWord: ServerBootstrap = {
  doBootstrap: (channel, rpcHandler) => new Doorkeeper(channel, rpcHandler),
};

/** Lets nothing through to the endpoints before the right word. */
class Doorkeeper extends RpcHandler {
  readonly #channel: Channel;
  readonly #inner: RpcHandler;
  #isOpen = false;

  constructor(channel: Channel, inner: RpcHandler) {
    super();
    this.#channel = channel;
    this.#inner = inner;
  }

  get streamManager(): StreamManager {
    return this.#inner.streamManager;
  }

  override receive(client: TransportClient, body: Uint8Array, callback: RpcReplyCallback): void {
    if (this.#isOpen) return this.#inner.receive(client, body, callback);
    if (Buffer.from(body).toString() !== "sesame") throw new Error("a wrong word");
    client.setClientId("ali");
    const answer: MessageBody = Buffer.alloc(0);
    callback.onSuccess(answer);
    this.#channel.pipeline.addFirst("inverting", new Inverting());
    this.#isOpen = true;
  }

  override receiveOneWay(client: TransportClient, body: Uint8Array): void {
    if (this.#isOpen) this.#inner.receiveOneWay(client, body);
  }

  override channelInactive(client: TransportClient): void {
    this.#inner.channelInactive(client);
  }
}

class Host extends RpcEndpoint {
  readonly guests: (string | null)[] = [];

  constructor() {
    super();
    this.receiveAndReply(Add, (term, call: RpcCall) => {
      this.guests.push(call.clientId);
      return term;
    });
  }

  override onConnected(peer: RpcPeer): void {
    this.guests.push(`connected ${peer.clientId}`);
  }
}

describe("bootstraps", () => {
  it("authenticate and encrypt connections before an endpoint hears of them", async () => {
    await using server = await RpcEnv.create({
      name: "server",
      serverBootstraps: [asksForTheWord],
    });
    await using friend = await RpcEnv.create({
      name: "friend",
      isClientOnly: true,
      clientBootstraps: [saying("sesame")],
    });
    const host = new Host();
    server.setupEndpoint("host", host);
    await expect(friend.endpointRef(server.address, "host").ask(Add, 7)).resolves.toBe(7);
    expect(host.guests).toEqual(["connected ali", "ali"]);
  });

  it("keep out whoever fails them, and whoever skips them", async () => {
    await using server = await RpcEnv.create({
      name: "server",
      serverBootstraps: [asksForTheWord],
    });
    const host = new Host();
    server.setupEndpoint("host", host);
    for (const [clientBootstraps, code] of [
      [[saying("rhubarb")], "BOOTSTRAP_FAILED"],
      [[], "REMOTE_FAILURE"],
    ] as const) {
      await using stranger = await RpcEnv.create({
        name: "stranger",
        isClientOnly: true,
        clientBootstraps,
      });
      const ref = stranger.endpointRef(server.address, "host");
      await expect(ref.ask(Add, 7)).rejects.toMatchObject({ code });
    }
    expect(host.guests).toEqual([]);
  });
});
