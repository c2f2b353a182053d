import { describe, expect, it } from "vitest";
import { IDLE_EVENT, IdleStateHandler } from "../../src/index.ts";
import { EmbeddedChannel, ManualClock } from "../../src/testing/index.ts";

describe("IdleStateHandler", () => {
  it("fires after the whole time-out without traffic, and again each period", () => {
    const { clock, embedded } = idleChannel(1000);
    clock.advance(999);
    expect(embedded.readUserEvent()).toBeUndefined();
    clock.advance(1);
    expect(embedded.readUserEvent()).toBe(IDLE_EVENT);
    clock.advance(1000);
    expect(embedded.readUserEvent()).toBe(IDLE_EVENT);
  });

  it("counts bytes in either direction, not whole messages", () => {
    const { clock, embedded } = idleChannel(1000);
    for (let step = 0; step < 5; step += 1) {
      clock.advance(800);
      if (step % 2 === 0) embedded.writeInbound(Buffer.from("x"));
      else embedded.writeOutbound([Buffer.from("y")]);
    }
    expect(embedded.readUserEvent()).toBeUndefined();
    clock.advance(1000);
    expect(embedded.readUserEvent()).toBe(IDLE_EVENT);
  });

  it("is off with a time-out of 0", () => {
    const { clock, embedded } = idleChannel(0);
    clock.advance(1_000_000);
    expect(embedded.readUserEvent()).toBeUndefined();
  });

  it("stops with its channel", () => {
    const { clock, embedded } = idleChannel(1000);
    embedded.disconnect();
    clock.advance(5000);
    expect(embedded.readUserEvent()).toBeUndefined();
  });
});

describe("one IdleStateHandler of many channels", () => {
  it("tells each of its own silence", () => {
    const { clock, quiet, busy } = twoChannels();
    clock.advance(600);
    busy.writeInbound(Buffer.from("x"));
    clock.advance(400);
    expect(quiet.readUserEvent()).toBe(IDLE_EVENT);
    expect(busy.readUserEvent()).toBeUndefined();
    clock.advance(600);
    expect(quiet.readUserEvent()).toBeUndefined();
    expect(busy.readUserEvent()).toBe(IDLE_EVENT);
  });

  it("goes on for the others when one fails or closes", () => {
    const { clock, handler, quiet, busy } = twoChannels();
    const failing = new EmbeddedChannel(
      [
        ["idleStateHandler", handler],
        ["thrower", { userEventTriggered: failNow }],
      ],
      { clock },
    );
    busy.disconnect();
    clock.advance(1000);
    expect(failing.channel.closeReason?.message).toBe("handler failed");
    expect(quiet.readUserEvent()).toBe(IDLE_EVENT);
    clock.advance(1000);
    expect(quiet.readUserEvent()).toBe(IDLE_EVENT);
  });

  it("has no timer while there is no channel, and one again for the next", () => {
    const { clock, handler, quiet, busy } = twoChannels();
    quiet.disconnect();
    busy.disconnect();
    expect(clock.timerCount).toBe(0);
    const next = new EmbeddedChannel([["idleStateHandler", handler]], { clock });
    clock.advance(1000);
    expect(next.readUserEvent()).toBe(IDLE_EVENT);
  });
});

interface TwoChannels {
  readonly clock: ManualClock;
  readonly handler: IdleStateHandler;
  readonly quiet: EmbeddedChannel;
  readonly busy: EmbeddedChannel;
}

function twoChannels(): TwoChannels {
  const clock = new ManualClock();
  const handler = new IdleStateHandler(1000);
  const channel = (): EmbeddedChannel =>
    new EmbeddedChannel([["idleStateHandler", handler]], { clock });
  return { clock, handler, quiet: channel(), busy: channel() };
}

function failNow(): void {
  throw new Error("handler failed");
}

function idleChannel(timeoutMs: number): { clock: ManualClock; embedded: EmbeddedChannel } {
  const clock = new ManualClock();
  const handlers = [["idleStateHandler", new IdleStateHandler(timeoutMs)]] as const;
  return { clock, embedded: new EmbeddedChannel(handlers, { clock }) };
}
