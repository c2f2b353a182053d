import { type RpcCall, RpcEndpoint, type RpcEndpointRef, RpcEnv } from "@bm/rpc";
import { afterEach, describe, expect, it } from "vitest";
import { Add, gate, Note, Read } from "../messages.ts";

/** Adds when it is let, and keeps what it knows of the askers. */
class SlowAdder extends RpcEndpoint {
  readonly calls: RpcCall[] = [];
  readonly notes: string[] = [];
  readonly #mayGoOn: Promise<void>;

  constructor(mayGoOn: Promise<void>) {
    super();
    this.#mayGoOn = mayGoOn;
    this.receiveAndReply(Add, async (term, call) => {
      this.calls.push(call);
      await this.#mayGoOn;
      return term;
    });
    this.receive(Note, (note) => {
      this.notes.push(note);
    });
    this.receiveAndReply(Read, () => this.notes);
  }
}

interface Scene {
  readonly server: RpcEnv;
  readonly adder: SlowAdder;
  readonly ref: RpcEndpointRef;
  readonly open: () => void;
}

const envs: RpcEnv[] = [];
afterEach(async () => {
  await Promise.all(envs.splice(0).map((env) => env.close()));
});

async function createEnv(name: string): Promise<RpcEnv> {
  const env = await RpcEnv.create({ name });
  envs.push(env);
  return env;
}

for (const where of ["another environment", "the same environment"]) {
  describe(`an ask from ${where} that is given up`, () => {
    async function start(): Promise<Scene> {
      const server = await createEnv("server");
      const client = where === "another environment" ? await createEnv("client") : server;
      const { opened, open } = gate();
      const adder = new SlowAdder(opened);
      const { name } = server.setupEndpoint("adder", adder);
      return { server, adder, ref: client.endpointRef(server.address, name), open };
    }

    it("tells the handler that is at work on it", async () => {
      const { adder, ref, open } = await start();
      const stop = new AbortController();
      const answer = ref.ask(Add, 1, { signal: stop.signal });
      await expect.poll(() => adder.calls.length).toBe(1);
      expect(adder.calls[0]?.signal?.aborted).toBe(false);
      stop.abort();
      await expect(answer).rejects.toMatchObject({ code: "ABORTED" });
      await expect.poll(() => adder.calls[0]?.signal?.aborted).toBe(true);
      open();
      await expect(ref.ask(Add, 2)).resolves.toBe(2);
    });

    it("is not handled when it had to wait", async () => {
      const { server, adder, ref, open } = await start();
      const stop = new AbortController();
      const first = ref.ask(Add, 1);
      const second = ref.ask(Note, "never read", { signal: stop.signal });
      await expect.poll(() => adder.calls.length).toBe(1);
      stop.abort();
      await expect(second).rejects.toMatchObject({ code: "ABORTED" });
      const third = ref.ask(Read, undefined);
      // It is behind the notice, so that the notice has arrived with it.
      await expect.poll(() => server.endpointStates()[0]?.waitingMessages).toBe(2);
      open();
      await first;
      await expect(third).resolves.toEqual([]);
    });

    it("tells the handler also when its time is up", async () => {
      const { adder, ref, open } = await start();
      const { signal } = new AbortController();
      // The connection is made by another ask, so that the time is spent in the handler.
      await ref.ask(Note, "hello");
      const answer = ref.ask(Add, 1, { signal, timeoutMs: 50 });
      await expect(answer).rejects.toMatchObject({ code: "TIMEOUT" });
      await ref.send(Note, "behind it");
      await expect.poll(() => adder.calls[0]?.signal?.aborted ?? true).toBe(true);
      open();
    });

    it("leaves alone what was asked or sent without a signal", async () => {
      const { adder, ref, open } = await start();
      open();
      await ref.ask(Add, 1);
      expect(adder.calls[0]?.signal).toBeNull();
    });
  });
}

describe("a connection that is lost", () => {
  it("gives up what could have been given up", async () => {
    const server = await createEnv("server");
    const client = await createEnv("client");
    const { opened, open } = gate();
    const adder = new SlowAdder(opened);
    server.setupEndpoint("adder", adder);
    const { signal } = new AbortController();
    const answer = client.endpointRef(server.address, "adder").ask(Add, 1, { signal });
    await expect.poll(() => adder.calls.length).toBe(1);
    expect(adder.calls[0]?.senderAddress).toEqual(client.address);
    client.abort(new Error("gone"));
    await expect(answer).rejects.toMatchObject({ code: "ENV_STOPPED" });
    await expect.poll(() => adder.calls[0]?.signal?.aborted).toBe(true);
    open();
  });
});
