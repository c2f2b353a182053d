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

function idleChannel(timeoutMs: number): { clock: ManualClock; embedded: EmbeddedChannel } {
  const clock = new ManualClock();
  const handlers = [["idleStateHandler", new IdleStateHandler(timeoutMs)]] as const;
  return { clock, embedded: new EmbeddedChannel(handlers, { clock }) };
}
