import { describe, expect, it } from "vitest";
import {
  BytesManagedBuffer,
  ChunkedWriter,
  ManagedBuffer,
  MessageEncoder,
  MessageType,
  StreamManagedBuffer,
  TransportError,
} from "../../src/index.ts";
import { EmbeddedChannel } from "../../src/testing/index.ts";

describe("ChunkedWriter", () => {
  it("lets nothing in between a header and the last byte of its body", async () => {
    const embedded = writingChannel();
    const gate = Promise.withResolvers<void>();
    const slow = new StreamManagedBuffer({
      size: 6,
      open: async function* () {
        yield Buffer.from("abc");
        await gate.promise;
        yield Buffer.from("def");
      },
    });
    const ends: string[] = [];
    embedded.writeOutbound({ type: MessageType.OneWayMessage, body: slow }, () =>
      ends.push("slow"),
    );
    embedded.writeOutbound({ type: MessageType.OneWayMessage, body: Buffer.from("later") }, () =>
      ends.push("later"),
    );
    await turns(5);
    gate.resolve();
    await embedded.channel.close();
    const sent = embedded.takeOutboundBytes().toString("latin1");
    expect(sent.indexOf("abcdef")).toBeGreaterThan(0);
    expect(sent.indexOf("later")).toBeGreaterThan(sent.indexOf("abcdef"));
    expect(ends).toEqual(["slow", "later"]);
  });

  it("waits for a piece to be taken before it reads the one after the next", async () => {
    const embedded = writingChannel({ holdWrites: true });
    let yielded = 0;
    const body = new StreamManagedBuffer({
      size: 4,
      open: async function* () {
        for (; yielded < 4; yielded += 1) yield Buffer.from(String(yielded));
      },
    });
    embedded.writeOutbound({ type: MessageType.OneWayMessage, body });
    await turns(20);
    expect(yielded).toBeLessThanOrEqual(2);
    for (let round = 0; round < 5; round += 1) {
      embedded.completeWrites();
      await turns(5);
    }
    expect(embedded.takeOutboundBytes().toString("latin1").endsWith("0123")).toBe(true);
  });

  it("ends the connection when a body breaks off, and says so to everybody who waits", async () => {
    const embedded = writingChannel();
    const broken = new StreamManagedBuffer({
      size: 10,
      open: async function* () {
        yield Buffer.from("abc");
        throw new TransportError("BODY_UNAVAILABLE", "the disk is gone");
      },
    });
    const ends: (Error | null)[] = [];
    embedded.writeOutbound({ type: MessageType.OneWayMessage, body: broken }, (e) => ends.push(e));
    embedded.writeOutbound({ type: MessageType.OneWayMessage, body: Buffer.from("x") }, (e) =>
      ends.push(e),
    );
    await embedded.channel.closed;
    expect(ends).toMatchObject([{ code: "BODY_UNAVAILABLE" }, { code: "CHANNEL_CLOSED" }]);
    expect(embedded.channel.pendingBytes).toBe(0);
  });

  it("releases every body exactly when it is done with it", async () => {
    const embedded = writingChannel();
    const memory = new CountingBuffer();
    embedded.writeOutbound({ type: MessageType.OneWayMessage, body: memory });
    await embedded.channel.close();
    expect(memory.releases).toBe(1);
  });
});

class CountingBuffer extends ManagedBuffer {
  readonly #inner = new BytesManagedBuffer(Buffer.from("content"));
  readonly size = 7;
  releases = 0;

  open(): ReturnType<ManagedBuffer["open"]> {
    return this.#inner.open();
  }

  override release(): void {
    this.releases += 1;
  }
}

function writingChannel(options: { holdWrites?: boolean } = {}): EmbeddedChannel {
  return new EmbeddedChannel(
    [
      ["chunkedWriter", new ChunkedWriter()],
      ["encoder", new MessageEncoder()],
    ],
    options,
  );
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
