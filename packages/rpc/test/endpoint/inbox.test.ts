import { defineMessage, RpcEndpoint, RpcEnv, type RpcMessage, replyLater } from "@bm/rpc";
import { afterEach, describe, expect, it } from "vitest";
import { Add, Fail, gate, jsonCodec, Note, Notebook, Read, Strange } from "../messages.ts";

const envs: RpcEnv[] = [];

async function localEnv(): Promise<RpcEnv> {
  const env = await RpcEnv.create({ name: "local", isClientOnly: true });
  envs.push(env);
  return env;
}

afterEach(async () => {
  await Promise.all(envs.splice(0).map((env) => env.close()));
});

const Wait: RpcMessage<string, string> = defineMessage({
  type: "Wait",
  request: jsonCodec<string>(),
  reply: jsonCodec<string>(),
});

/** Answers Wait when a gate opens; writes down what it did. */
class Waiter extends RpcEndpoint {
  readonly log: string[] = [];

  constructor(opened: Promise<void>, mode: "in order" | "later") {
    super();
    this.receiveAndReply(Wait, (name) => {
      this.log.push(`begin ${name}`);
      const answer = opened.then(() => {
        this.log.push(`end ${name}`);
        return name;
      });
      return mode === "later" ? replyLater(answer) : answer;
    });
    this.receive(Note, (note) => void this.log.push(note));
  }
}

describe("an endpoint in the own process", () => {
  it("answers what it is asked", async () => {
    const env = await localEnv();
    const ref = env.setupEndpoint("notebook", new Notebook());
    await expect(ref.ask(Add, 2)).resolves.toBe(2);
    await expect(ref.ask(Add, 3)).resolves.toBe(5);
  });

  it("is reached by name, too, before and after it exists", async () => {
    const env = await localEnv();
    const ref = env.endpointRef(null, "notebook");
    await expect(ref.ask(Add, 1)).rejects.toMatchObject({ code: "ENDPOINT_NOT_FOUND" });
    env.setupEndpoint("notebook", new Notebook());
    await expect(ref.ask(Add, 1)).resolves.toBe(1);
  });

  it("handles messages in the order in which they were given", async () => {
    const env = await localEnv();
    const ref = env.setupEndpoint("notebook", new Notebook());
    const notes = Array.from({ length: 500 }, (_, index) => `note ${index}`);
    const sent = notes.map((note) => ref.send(Note, note));
    await expect(ref.ask(Read, undefined)).resolves.toEqual(notes);
    await Promise.all(sent);
  });

  it("starts the next message when the handler's promise has settled", async () => {
    const env = await localEnv();
    const { opened, open } = gate();
    const waiter = new Waiter(opened, "in order");
    const ref = env.setupEndpoint("waiter", waiter);
    const answers = [ref.ask(Wait, "a"), ref.ask(Wait, "b")];
    await ref.send(Note, "c");
    open();
    await Promise.all(answers);
    await env.stop(ref);
    expect(waiter.log).toEqual(["begin a", "end a", "begin b", "end b", "c"]);
  });

  it("goes on with the next message when the answer comes later", async () => {
    const env = await localEnv();
    const { opened, open } = gate();
    const waiter = new Waiter(opened, "later");
    const ref = env.setupEndpoint("waiter", waiter);
    const answers = [ref.ask(Wait, "a"), ref.ask(Wait, "b")];
    await ref.ask(Note, "c");
    expect(waiter.log).toEqual(["begin a", "begin b", "c"]);
    open();
    await expect(Promise.all(answers)).resolves.toEqual(["a", "b"]);
  });

  it("tells the asker what its handler threw", async () => {
    const env = await localEnv();
    const ref = env.setupEndpoint("notebook", new Notebook());
    await expect(ref.ask(Fail, "torn page")).rejects.toMatchObject({
      name: "RpcError",
      code: "REMOTE_FAILURE",
      remoteCode: "NOTE_LOST",
      message: "torn page",
    });
  });

  it("is told itself when nobody waits for the handler that threw", async () => {
    const env = await localEnv();
    const notebook = new Notebook();
    const ref = env.setupEndpoint("notebook", notebook);
    await ref.send(Fail, "torn page");
    await ref.ask(Add, 1);
    expect(notebook.errors.map((error) => error.message)).toEqual(["torn page"]);
  });

  it("keeps its failures to itself", async () => {
    const env = await localEnv();
    const broken = env.setupEndpoint("broken", new Notebook());
    const sound = env.setupEndpoint("sound", new Notebook());
    const failures = Array.from({ length: 20 }, () => broken.ask(Fail, "x").catch(() => "failed"));
    await expect(sound.ask(Add, 7)).resolves.toBe(7);
    await expect(broken.ask(Add, 1)).resolves.toBe(1);
    expect(await Promise.all(failures)).toEqual(Array.from({ length: 20 }, () => "failed"));
  });

  it("refuses messages that it has no handler for", async () => {
    const env = await localEnv();
    const ref = env.setupEndpoint("notebook", new Notebook());
    await expect(ref.ask(Strange, undefined)).rejects.toMatchObject({ code: "MESSAGE_UNKNOWN" });
    await expect(ref.send(Strange, undefined)).rejects.toMatchObject({ code: "MESSAGE_UNKNOWN" });
  });

  it("can ask itself later without waiting for itself", async () => {
    const env = await localEnv();
    const notebook = new Notebook();
    const ref = env.setupEndpoint("notebook", notebook);
    class Asker extends RpcEndpoint {
      constructor() {
        super();
        this.receiveAndReply(Add, (term) => replyLater(ref.ask(Add, term * 2)));
      }
    }
    const asker = env.setupEndpoint("asker", new Asker());
    await expect(asker.ask(Add, 4)).resolves.toBe(8);
  });
});

describe("a full inbox", () => {
  it("refuses what is one too many, and takes more when there is room again", async () => {
    const env = await localEnv();
    const { opened, open } = gate();
    const ref = env.setupEndpoint("waiter", new Waiter(opened, "in order"), { inboxEntriesMax: 3 });
    const first = ref.ask(Wait, "running");
    // The endpoint starts, and takes the first message out of its inbox.
    await new Promise((resolve) => setImmediate(resolve));
    const waiting = [ref.ask(Wait, "1"), ref.ask(Wait, "2"), ref.send(Note, "3")];

    await expect(ref.ask(Wait, "4")).rejects.toMatchObject({ code: "INBOX_FULL" });
    await expect(ref.send(Note, "5")).rejects.toMatchObject({ code: "INBOX_FULL" });
    open();
    await expect(first).resolves.toBe("running");
    await Promise.all(waiting);
    await expect(ref.ask(Wait, "6")).resolves.toBe("6");
  });

  it("counts messages whose answer comes later", async () => {
    const env = await localEnv();
    const { opened, open } = gate();
    const ref = env.setupEndpoint("waiter", new Waiter(opened, "later"), { inboxEntriesMax: 2 });
    const waiting = [ref.ask(Wait, "1"), ref.ask(Wait, "2")];
    await new Promise((resolve) => setImmediate(resolve));
    await expect(ref.ask(Wait, "3")).rejects.toMatchObject({ code: "INBOX_FULL" });
    open();
    await Promise.all(waiting);
    await expect(ref.ask(Wait, "4")).resolves.toBe("4");
  });
});

describe("the life of an endpoint", () => {
  class Lived extends Notebook {
    readonly life: string[] = [];
    readonly #start: Promise<void>;

    constructor(start: Promise<void> = Promise.resolve()) {
      super();
      this.#start = start;
    }

    override async onStart(): Promise<void> {
      this.life.push("starting");
      await this.#start;
      this.life.push("started");
    }

    override onStop(): void {
      this.life.push(`stopped after ${this.notes.length} notes`);
    }
  }

  it("holds messages until it has started", async () => {
    const env = await localEnv();
    const { opened, open } = gate();
    const lived = new Lived(opened);
    const ref = env.setupEndpoint("lived", lived);
    const sum = ref.ask(Add, 1);
    await ref.send(Note, "early");
    expect(lived.notes).toEqual([]);
    open();
    await expect(sum).resolves.toBe(1);
    expect(lived.life).toEqual(["starting", "started"]);
  });

  it("handles what it has when it is stopped, and takes no more", async () => {
    const env = await localEnv();
    const lived = new Lived();
    const ref = env.setupEndpoint("lived", lived);
    const answers = [ref.ask(Note, "1"), ref.ask(Note, "2")];
    const stopped = env.stop(ref);
    await expect(ref.ask(Add, 1)).rejects.toMatchObject({ code: "ENDPOINT_NOT_FOUND" });
    await stopped;
    await Promise.all(answers);
    expect(lived.life).toEqual(["starting", "started", "stopped after 2 notes"]);
    await expect(env.stop(ref)).resolves.toBeUndefined();
  });

  it("gives its name free when it is stopped", async () => {
    const env = await localEnv();
    const ref = env.setupEndpoint("name", new Notebook());
    expect(() => env.setupEndpoint("name", new Notebook())).toThrow(
      expect.objectContaining({ code: "ENDPOINT_NAME_INVALID" }),
    );
    await env.stop(ref);
    env.setupEndpoint("name", new Notebook());
    await expect(ref.ask(Add, 3)).resolves.toBe(3);
  });

  it("ends when it fails to start, and refuses what waited", async () => {
    class Stillborn extends Notebook {
      override onStart(): void {
        throw new Error("no power");
      }
    }
    const env = await localEnv();
    const stillborn = new Stillborn();
    const ref = env.setupEndpoint("stillborn", stillborn);
    await expect(ref.ask(Add, 1)).rejects.toMatchObject({ code: "ENDPOINT_NOT_FOUND" });
    expect(stillborn.errors.map((error) => error.message)).toEqual(["no power"]);
    await expect(ref.ask(Add, 1)).rejects.toMatchObject({ code: "ENDPOINT_NOT_FOUND" });
  });

  it("takes nothing while it ends after it failed to start", async () => {
    const { opened, open } = gate();
    class Lingering extends Notebook {
      override onStart(): void {
        throw new Error("no power");
      }

      override onStop(): Promise<void> {
        return opened;
      }
    }
    const env = await localEnv();
    const ref = env.setupEndpoint("lingering", new Lingering());
    await expect(ref.ask(Add, 1)).rejects.toMatchObject({ code: "ENDPOINT_NOT_FOUND" });
    await expect(ref.ask(Add, 2)).rejects.toMatchObject({ code: "ENDPOINT_NOT_FOUND" });
    open();
  });

  it("ends with its environment, which answers ENV_STOPPED from then on", async () => {
    const env = await localEnv();
    const lived = new Lived();
    const ref = env.setupEndpoint("lived", lived);
    const answer = ref.ask(Note, "last");
    await env.close();
    await expect(answer).resolves.toBeUndefined();
    expect(lived.life).toContain("stopped after 1 notes");
    await expect(ref.ask(Add, 1)).rejects.toMatchObject({ code: "ENV_STOPPED" });
    expect(() => env.setupEndpoint("late", new Notebook())).toThrow(
      expect.objectContaining({ code: "ENV_STOPPED" }),
    );
    await env.close();
  });

  it("ends at once when its environment is aborted", async () => {
    const env = await localEnv();
    const { opened, open } = gate();
    const ref = env.setupEndpoint("waiter", new Waiter(opened, "in order"));
    const running = ref.ask(Wait, "running");
    await new Promise((resolve) => setImmediate(resolve));
    const waiting = ref.ask(Wait, "waiting");
    env.abort(new Error("enough"));
    await expect(waiting).rejects.toMatchObject({ code: "ENV_STOPPED" });
    open();
    await expect(running).resolves.toBe("running");
  });
});

describe("an ask", () => {
  it("ends with its time-out or its signal", async () => {
    const env = await localEnv();
    const ref = env.setupEndpoint("waiter", new Waiter(gate().opened, "later"));
    await expect(ref.ask(Wait, "a", { timeoutMs: 5 })).rejects.toMatchObject({ code: "TIMEOUT" });

    const controller = new AbortController();
    const given = ref.ask(Wait, "b", { signal: controller.signal });
    controller.abort(new Error("not needed"));
    await expect(given).rejects.toMatchObject({ code: "ABORTED" });
    const late = ref.ask(Wait, "c", { signal: controller.signal });
    await expect(late).rejects.toMatchObject({ code: "ABORTED" });
  });
});
