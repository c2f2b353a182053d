import { describe, expect, it } from "vitest";
import type { ChannelHandler, HandlerContext, WriteDone } from "../../src/index.ts";
import { EmbeddedChannel } from "../../src/testing/index.ts";

describe("Pipeline", () => {
  it("carries inbound events from the socket to the back and skips handlers without them", () => {
    const embedded = new EmbeddedChannel([
      ["upper", mapping((text) => text.toUpperCase())],
      ["silent", {}],
      ["exclaim", mapping((text) => `${text}!`)],
    ]);
    embedded.writeInbound(Buffer.from("hi"));
    expect(embedded.readInbound()).toBe("HI!");
  });

  it("carries writes from the back to the socket", () => {
    const embedded = new EmbeddedChannel([
      ["bytes", writing((text) => [Buffer.from(text as string)])],
      ["exclaim", writing((text) => `${text as string}!`)],
    ]);
    embedded.writeOutbound("hi");
    expect(embedded.takeOutboundBytes().toString()).toBe("hi!");
  });

  it("lists its handlers by name and place", () => {
    const { pipeline } = new EmbeddedChannel([["b", {}]]).channel;
    pipeline.addFirst("a", {}).addAfter("b", "c", {}).addBefore("b", "between", {});
    expect(pipeline.names).toEqual(["a", "between", "b", "c", "collector"]);
    pipeline.replace("b", "B", {});
    pipeline.remove("between");
    expect(pipeline.names).toEqual(["a", "B", "c", "collector"]);
    expect(pipeline.get("nobody")).toBeNull();
  });

  it("refuses a name twice and a name that is not there", () => {
    const { pipeline } = new EmbeddedChannel([["a", {}]]).channel;
    expect(() => pipeline.addLast("a", {})).toThrow(/has a handler named a/);
    expect(() => pipeline.replace("collector", "a", {})).toThrow(/has a handler named a/);
    expect(() => pipeline.remove("b")).toThrow(/no handler named b/);
    expect(() => pipeline.addBefore("b", "c", {})).toThrow(/no handler named b/);
  });

  it("lets a handler replace itself in the middle of an event, as authentication does", () => {
    const embedded = new EmbeddedChannel([
      [
        "handshake",
        {
          channelRead(context: HandlerContext, bytes: unknown): void {
            context.channel.pipeline.replace(
              "handshake",
              "cipher",
              mapping((text) => `<${text}>`),
            );
            context.fireChannelRead(`hello ${String(bytes)}`);
          },
        },
      ],
    ]);
    embedded.writeInbound(Buffer.from("one"));
    embedded.writeInbound(Buffer.from("two"));
    expect(embedded.readInbound()).toBe("hello one");
    expect(embedded.readInbound()).toBe("<two>");
  });

  it("tells handlers that they were added and removed", () => {
    const calls: string[] = [];
    const handler: ChannelHandler = {
      handlerAdded: (context) => void calls.push(`added ${context.name}`),
      handlerRemoved: (context) => void calls.push(`removed ${context.name}`),
    };
    const { pipeline } = new EmbeddedChannel([["a", handler]]).channel;
    pipeline.remove("a");
    expect(calls).toEqual(["added a", "removed a"]);
  });
});

describe("Channel", () => {
  it("turns a throw of a handler into an exception on its own channel", () => {
    const embedded = new EmbeddedChannel([
      [
        "thrower",
        {
          channelRead: () => {
            throw new Error("handler failed");
          },
        },
      ],
    ]);
    embedded.writeInbound(Buffer.from("x"));
    expect(embedded.readException()?.message).toBe("handler failed");
  });

  it("reports the end of every write, once", () => {
    const embedded = new EmbeddedChannel([], { holdWrites: true });
    const ends: (Error | null)[] = [];
    embedded.writeOutbound([Buffer.from("a")], (error) => void ends.push(error));
    expect(ends).toEqual([]);
    embedded.completeWrites();
    expect(ends).toEqual([null]);
    embedded.disconnect();
    embedded.writeOutbound([Buffer.from("b")], (error) => void ends.push(error));
    expect(ends[1]).toMatchObject({ code: "CHANNEL_CLOSED" });
  });

  it("stops and resumes writers at its water marks, twice over", () => {
    const changes: boolean[] = [];
    const embedded = new EmbeddedChannel(
      [
        [
          "watch",
          { writabilityChanged: (context) => void changes.push(context.channel.isWritable) },
        ],
      ],
      { holdWrites: true },
    );
    for (let round = 0; round < 2; round += 1) {
      expect(embedded.writeOutbound([Buffer.alloc(8 * 1024 * 1024)])).toBe(true);
      expect(embedded.writeOutbound([Buffer.alloc(1)])).toBe(false);
      expect(embedded.channel.pendingBytes).toBe(8 * 1024 * 1024 + 1);
      embedded.completeWrites();
      expect(embedded.channel.isWritable).toBe(true);
    }
    expect(changes).toEqual([false, true, false, true]);
  });

  it("closes and aborts as often as it is asked to", async () => {
    const embedded = new EmbeddedChannel([]);
    await Promise.all([embedded.channel.close(), embedded.channel.close()]);
    embedded.channel.abort(new Error("again"));
    expect(embedded.channel.isActive).toBe(false);
    expect(embedded.isSocketClosed).toBe(true);
  });

  it("sends what is still held back before a graceful close ends the socket", () => {
    const embedded = new EmbeddedChannel([]);
    embedded.channel.hold();
    void embedded.channel.close();
    expect(embedded.isSocketClosed).toBe(false);
    embedded.channel.releaseHold();
    expect(embedded.isSocketClosed).toBe(true);
  });
});

function mapping(map: (text: string) => string): ChannelHandler {
  return {
    channelRead: (context, message) => context.fireChannelRead(map(String(message))),
  };
}

function writing(map: (message: unknown) => unknown): ChannelHandler {
  return {
    write: (context: HandlerContext, message: unknown, done: WriteDone) =>
      context.write(map(message), done),
  };
}
