import { RpcEnv } from "@bm/rpc";
import { describe, expect, it } from "vitest";
import { Add, gate, Note, Notebook, Read } from "../messages.ts";

/** Begins when it is let. */
class LateNotebook extends Notebook {
  readonly #mayStart: Promise<void>;

  constructor(mayStart: Promise<void>) {
    super();
    this.#mayStart = mayStart;
  }

  override onStart(): Promise<void> {
    return this.#mayStart;
  }
}

const NOTES = 3000;
/** Long enough that not all fit into what one read of a socket brings. */
const notes = Array.from({ length: NOTES }, (_, index) => `${index} ${"x".repeat(1000)}`);

describe("an inbox that holds its peers", () => {
  it("takes every message in order, and lets the peer wait meanwhile", async () => {
    await using server = await RpcEnv.create({ name: "server" });
    await using client = await RpcEnv.create({ name: "client", isClientOnly: true });
    const { opened, open } = gate();
    server.setupEndpoint("notebook", new LateNotebook(opened), {
      inboxEntriesMax: 100,
      whenInboxFull: "hold",
    });
    const ref = client.endpointRef(server.address, "notebook");
    let taken = 0;
    const sent = notes.map((note) => ref.send(Note, note).then(() => (taken += 1)));
    await expect.poll(() => taken).toBeGreaterThanOrEqual(100);
    // What lies in the socket's buffers is not read.
    const [state] = server.endpointStates();
    expect(state?.waitingMessages).toBeLessThan(NOTES / 2);
    open();
    await Promise.all(sent);
    await expect(ref.ask(Read, undefined)).resolves.toEqual(notes);
  });

  it("holds again after it had room, as often as it is full", async () => {
    await using server = await RpcEnv.create({ name: "server" });
    await using client = await RpcEnv.create({ name: "client", isClientOnly: true });
    const notebook = new Notebook();
    server.setupEndpoint("notebook", notebook, { inboxBytesMax: 4000, whenInboxFull: "hold" });
    const ref = client.endpointRef(server.address, "notebook");
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(notes.map((note) => ref.send(Note, note)));
    }
    await expect.poll(() => notebook.notes.length).toBe(3 * NOTES);
  });

  it("lets its peer go when it ends", async () => {
    await using server = await RpcEnv.create({ name: "server" });
    await using client = await RpcEnv.create({ name: "client", isClientOnly: true });
    const { opened, open } = gate();
    const holder = server.setupEndpoint("holder", new LateNotebook(opened), {
      inboxEntriesMax: 1,
      whenInboxFull: "hold",
    });
    server.setupEndpoint("notebook", new Notebook());
    const full = client.endpointRef(server.address, "holder").send(Note, "fills it");
    const behind = client.endpointRef(server.address, "notebook").ask(Add, 1);
    await full;
    const stopped = server.stop(holder);
    await expect(behind).resolves.toBe(1);
    open();
    await stopped;
  });
});

describe("an environment", () => {
  it("refuses to keep more bytes for its peers than it may, and goes on when there is room", async () => {
    await using server = await RpcEnv.create({ name: "server" });
    await using client = await RpcEnv.create({
      name: "client",
      isClientOnly: true,
      outstandingBytesMax: 1500,
    });
    const { opened, open } = gate();
    server.setupEndpoint("notebook", new LateNotebook(opened));
    const ref = client.endpointRef(server.address, "notebook");
    // One message fits however large it is.
    const first = ref.ask(Note, "x".repeat(2000));
    await expect(ref.ask(Note, "y")).rejects.toMatchObject({ code: "OUTBOX_FULL" });
    open();
    await first;
    await expect(ref.ask(Note, "y")).resolves.toBeUndefined();
  });
});
