import { connect } from "node:net";
import {
  defineMessage,
  RpcEndpoint,
  type RpcEndpointAddress,
  RpcEnv,
  type RpcEnvOptions,
  type RpcMessage,
  replyLater,
} from "@bm/rpc";
import { afterEach, describe, expect, it } from "vitest";
import { Add, Fail, gate, jsonCodec, Note, Notebook, Read, Strange } from "../messages.ts";
import { forgetfulPlatform } from "./forgetful-platform.ts";

const envs: RpcEnv[] = [];

async function createEnv(options: Partial<RpcEnvOptions> = {}): Promise<RpcEnv> {
  const env = await RpcEnv.create({ name: "test", ...options });
  envs.push(env);
  return env;
}

afterEach(async () => {
  await Promise.all(envs.splice(0).map((env) => env.close()));
});

/** Asks the endpoint that is named inside the message. */
const Forward: RpcMessage<RpcEndpointAddress, number> = defineMessage({
  type: "Forward",
  request: jsonCodec<RpcEndpointAddress>(),
  reply: jsonCodec<number>(),
});

describe("two environments", () => {
  it("ask each other over a connection", async () => {
    const server = await createEnv();
    const client = await createEnv({ isClientOnly: true });
    server.setupEndpoint("notebook", new Notebook());
    const ref = client.endpointRef(server.address, "notebook");
    await expect(ref.ask(Add, 20)).resolves.toBe(20);
    await expect(ref.ask(Add, 22)).resolves.toBe(42);
    expect(client.address).toBeNull();
  });

  it("keep the order of messages, also of those given before they are connected", async () => {
    const server = await createEnv();
    const client = await createEnv();
    const notebook = new Notebook();
    server.setupEndpoint("notebook", notebook);
    const ref = client.endpointRef(server.address, "notebook");
    const notes = Array.from({ length: 300 }, (_, index) => `note ${index}`);
    const sent = notes.slice(0, 150).map((note) => ref.send(Note, note));
    await ref.ask(Add, 1);
    sent.push(...notes.slice(150).map((note) => ref.send(Note, note)));
    await Promise.all(sent);
    await expect(ref.ask(Read, undefined)).resolves.toEqual(notes);
  });

  it("tell each other what a handler threw, with its code", async () => {
    const server = await createEnv();
    const client = await createEnv();
    const notebook = new Notebook();
    server.setupEndpoint("notebook", notebook);
    const ref = client.endpointRef(server.address, "notebook");
    const expected = { code: "REMOTE_FAILURE", remoteCode: "NOTE_LOST", message: "torn page" };
    await expect(ref.ask(Fail, "torn page")).rejects.toMatchObject(expected);
    await expect(ref.send(Fail, "sent")).resolves.toBeUndefined();
    await expect(ref.ask(Add, 1)).resolves.toBe(1);
    expect(notebook.errors.map((error) => error.message)).toEqual(["sent"]);
  });

  it("never take the failure of an inner ask for one of their own", async () => {
    const server = await createEnv();
    const client = await createEnv();
    const absent = server.endpointRef(null, "absent");
    class Asker extends RpcEndpoint {
      constructor() {
        super();
        this.receiveAndReply(Add, (term) => replyLater(absent.ask(Add, term)));
      }
    }
    server.setupEndpoint("asker", new Asker());
    const answer = client.endpointRef(server.address, "asker").ask(Add, 1);
    const expected = { code: "REMOTE_FAILURE", remoteCode: "ENDPOINT_NOT_FOUND" };
    await expect(answer).rejects.toMatchObject(expected);
  });

  it("refuse what they have no endpoint or handler for", async () => {
    const server = await createEnv();
    const client = await createEnv();
    const ref = client.endpointRef(server.address, "notebook");
    await expect(ref.ask(Add, 1)).rejects.toMatchObject({ code: "ENDPOINT_NOT_FOUND" });
    await expect(ref.send(Note, "x")).rejects.toMatchObject({ code: "ENDPOINT_NOT_FOUND" });
    const own = server.setupEndpoint("notebook", new Notebook());
    await expect(ref.ask(Strange, undefined)).rejects.toMatchObject({ code: "MESSAGE_UNKNOWN" });
    await server.stop(own);
    await expect(ref.ask(Add, 1)).rejects.toMatchObject({ code: "ENDPOINT_NOT_FOUND" });
  });

  it("refuse what is one too many for an inbox", async () => {
    const server = await createEnv();
    const client = await createEnv();
    const { opened, open } = gate();
    class Slow extends Notebook {
      override onStart(): Promise<void> {
        return opened;
      }
    }
    server.setupEndpoint("slow", new Slow(), { inboxEntriesMax: 2 });
    server.setupEndpoint("heavy", new Slow(), { inboxBytesMax: 100 });
    const slow = client.endpointRef(server.address, "slow");
    await slow.send(Note, "1");
    const answer = slow.ask(Add, 2);
    await expect(slow.ask(Add, 3)).rejects.toMatchObject({ code: "INBOX_FULL" });
    await expect(slow.send(Note, "4")).rejects.toMatchObject({ code: "INBOX_FULL" });

    const heavy = client.endpointRef(server.address, "heavy");
    await heavy.send(Note, "x".repeat(200));
    await expect(heavy.send(Note, "y")).rejects.toMatchObject({ code: "INBOX_FULL" });
    open();
    await expect(answer).resolves.toBe(2);
  });

  it("pass references on inside messages", async () => {
    const [a, b, c] = [await createEnv(), await createEnv(), await createEnv()];
    const target = c.setupEndpoint("notebook", new Notebook());
    class Forwarder extends RpcEndpoint {
      constructor() {
        super();
        this.receiveAndReply(Forward, (at) => replyLater(b.endpointRefAt(at).ask(Add, 5)));
      }
    }
    b.setupEndpoint("forwarder", new Forwarder());
    const { address, name } = target;
    const answer = a.endpointRef(b.address, "forwarder").ask(Forward, { address, name });
    await expect(answer).resolves.toBe(5);
  });

  it("keep messages to the own process off the wire", async () => {
    const env = await createEnv();
    const seen: unknown[] = [];
    const Hand = defineMessage<object, object>({
      type: "Hand",
      request: { encode: () => expect.fail("encoded"), decode: () => expect.fail("decoded") },
      reply: { encode: () => expect.fail("encoded"), decode: () => expect.fail("decoded") },
    });
    class Taker extends RpcEndpoint {
      constructor() {
        super();
        this.receiveAndReply(Hand, (value) => {
          seen.push(value);
          return value;
        });
      }
    }
    env.setupEndpoint("taker", new Taker());
    const value = { a: 1 };
    await expect(env.endpointRef(env.address, "taker").ask(Hand, value)).resolves.toBe(value);
    expect(seen).toEqual([value]);
  });

  it("stop only endpoints of their own", async () => {
    const server = await createEnv();
    const client = await createEnv();
    server.setupEndpoint("notebook", new Notebook());
    const ref = client.endpointRef(server.address, "notebook");
    await expect(client.stop(ref)).rejects.toMatchObject({ code: "ADDRESS_INVALID" });
  });
});

describe("a lost peer", () => {
  it("fails what it had not answered", async () => {
    const server = await createEnv();
    const client = await createEnv();
    class Silent extends RpcEndpoint {
      constructor() {
        super();
        this.receiveAndReply(Add, () => replyLater(gate().opened.then(() => 0)));
      }
    }
    server.setupEndpoint("silent", new Silent());
    const ref = client.endpointRef(server.address, "silent");
    await ref.ask(Strange, undefined).catch(() => "connected");
    const answers = [ref.ask(Add, 1), ref.ask(Add, 2)];
    server.abort(new Error("crash"));
    for (const answer of answers) {
      await expect(answer).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    }
    await expect(ref.ask(Add, 3)).rejects.toMatchObject({ code: "CONNECT_FAILED" });
  });

  it("is connected again when it is back", async () => {
    const first = await createEnv();
    const client = await createEnv();
    first.setupEndpoint("notebook", new Notebook());
    const ref = client.endpointRef(first.address, "notebook");
    await ref.ask(Add, 1);
    await first.close();

    const second = await createEnv({ port: first.address?.port });
    second.setupEndpoint("notebook", new Notebook());
    await expect(ref.ask(Add, 7)).resolves.toBe(7);
  });

  it("does not hold up an environment that closes", async () => {
    const server = await createEnv();
    const client = await createEnv();
    class Silent extends RpcEndpoint {
      constructor() {
        super();
        this.receiveAndReply(Add, () => replyLater(gate().opened.then(() => 0)));
      }
    }
    server.setupEndpoint("silent", new Silent());
    const answer = client.endpointRef(server.address, "silent").ask(Add, 1);
    const closed = client.close();
    await expect(answer).rejects.toMatchObject({ code: "ENV_STOPPED" });
    await closed;
    server.abort(new Error("over"));
  });
});

describe("limits", () => {
  it("refuse messages and answers above spark.rpc.message.maxSize", async () => {
    const conf = { "spark.rpc.message.maxSize": "1" };
    const server = await createEnv({ conf });
    const client = await createEnv({ conf });
    const Echo = defineMessage<string, string>({
      type: "Echo",
      request: jsonCodec<string>(),
      reply: jsonCodec<string>(),
    });
    class Doubler extends RpcEndpoint {
      constructor() {
        super();
        this.receiveAndReply(Echo, (text) => text + text);
      }
    }
    server.setupEndpoint("doubler", new Doubler());
    const ref = client.endpointRef(server.address, "doubler");
    const large = ref.ask(Echo, "x".repeat(1024 * 1024));
    await expect(large).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE" });
    const doubled = ref.ask(Echo, "x".repeat(600 * 1024));
    await expect(doubled).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE" });
    await expect(ref.ask(Echo, "x")).resolves.toBe("xx");
  });

  it("refuse messages to peers when too many wait for an answer", async () => {
    const server = await createEnv();
    const client = await createEnv({ outstandingMax: 2 });
    const { opened, open } = gate();
    class Slow extends Notebook {
      override onStart(): Promise<void> {
        return opened;
      }
    }
    server.setupEndpoint("slow", new Slow());
    const ref = client.endpointRef(server.address, "slow");
    const answers = [ref.ask(Add, 1), ref.ask(Add, 1)];
    await expect(ref.ask(Add, 1)).rejects.toMatchObject({ code: "OUTBOX_FULL" });
    open();
    await expect(Promise.all(answers)).resolves.toEqual([1, 2]);
    await expect(ref.ask(Add, 1)).resolves.toBe(3);
  });

  it("give room again when an ask timed out", async () => {
    const server = await createEnv();
    const client = await createEnv({ outstandingMax: 1 });
    class Slow extends Notebook {
      override onStart(): Promise<void> {
        return gate().opened;
      }
    }
    server.setupEndpoint("slow", new Slow());
    server.setupEndpoint("notebook", new Notebook());
    const slow = client.endpointRef(server.address, "slow");
    await expect(slow.ask(Add, 1, { timeoutMs: 20 })).rejects.toMatchObject({ code: "TIMEOUT" });
    const ref = client.endpointRef(server.address, "notebook");
    await expect(ref.ask(Add, 1)).resolves.toBe(1);
    server.abort(new Error("over"));
  });
});

describe("the bytes of a message", () => {
  it("stay what they were until the handler is done with them", async () => {
    const platform = forgetfulPlatform();
    const server = await createEnv({ platform });
    const client = await createEnv({ platform });
    const raw = { encode: (bytes: Uint8Array) => bytes, decode: (bytes: Uint8Array) => bytes };
    const Keep = defineMessage<Uint8Array, Uint8Array>({ type: "Keep", request: raw, reply: raw });
    const { opened, open } = gate();
    class Keeper extends RpcEndpoint {
      constructor() {
        super();
        this.receiveAndReply(Keep, (bytes) => replyLater(opened.then(() => bytes)));
      }
    }
    server.setupEndpoint("keeper", new Keeper());
    const ref = client.endpointRef(server.address, "keeper");
    const kept = Array.from({ length: 50 }, (_, index) => new Uint8Array(1000).fill(index));
    const answers = kept.map((bytes) => ref.ask(Keep, bytes));
    await ref.ask(Strange, undefined).catch(() => "arrived");
    open();
    await expect(Promise.all(answers)).resolves.toEqual(kept.map((bytes) => Buffer.from(bytes)));
  });
});

describe("hostile bytes", () => {
  it("in a payload are refused, and the connection lives on", async () => {
    const server = await createEnv();
    const client = await createEnv();
    server.setupEndpoint("notebook", new Notebook());
    const Garbled = defineMessage<void, number>({
      type: "Add",
      request: { encode: () => Buffer.from("{"), decode: () => {} },
      reply: jsonCodec<number>(),
    });
    const ref = client.endpointRef(server.address, "notebook");
    await expect(ref.ask(Garbled, undefined)).rejects.toMatchObject({ code: "MESSAGE_MALFORMED" });
    await expect(ref.ask(Add, 1)).resolves.toBe(1);
  });

  it("in an answer fail the ask", async () => {
    const server = await createEnv();
    const client = await createEnv();
    server.setupEndpoint("notebook", new Notebook());
    const Misread = defineMessage<number, number>({
      type: "Add",
      request: jsonCodec<number>(),
      reply: {
        encode: () => new Uint8Array(0),
        decode: () => {
          throw new RangeError("no such number");
        },
      },
    });
    const ref = client.endpointRef(server.address, "notebook");
    await expect(ref.ask(Misread, 1)).rejects.toMatchObject({ code: "MESSAGE_MALFORMED" });
  });

  it("of another protocol do not reach the endpoints or end the server", async () => {
    const server = await createEnv();
    const client = await createEnv();
    server.setupEndpoint("notebook", new Notebook());
    const socket = connect(server.address?.port ?? 0, "127.0.0.1");
    await new Promise((resolve) => {
      socket.on("error", () => {});
      socket.on("close", resolve);
      socket.end("GET / HTTP/1.1\r\n\r\n");
    });
    const ref = client.endpointRef(server.address, "notebook");
    await expect(ref.ask(Add, 1)).resolves.toBe(1);
  });
});

describe("an environment", () => {
  it("that cannot listen says so", async () => {
    const first = await createEnv();
    const second = RpcEnv.create({ name: "second", port: first.address?.port });
    await expect(second).rejects.toMatchObject({ code: "BIND_FAILED" });
  });

  it("refuses configuration out of range", async () => {
    for (const conf of [
      { "spark.rpc.askTimeout": "soon" },
      { "spark.rpc.askTimeout": "0" },
      { "spark.rpc.numRetries": "0" },
      { "spark.rpc.message.maxSize": "1t" },
    ]) {
      const env = RpcEnv.create({ name: "bad", isClientOnly: true, conf });
      await expect(env).rejects.toMatchObject({ code: "OPTION_INVALID" });
    }
  });
});
