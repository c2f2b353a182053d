import { describe, expect, it } from "vitest";
import { OncePerPeer } from "../../src/foreign/once-per-peer.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

describe("OncePerPeer", () => {
  it("reports each peer once per period", () => {
    const clock = new ManualClock();
    const reports = new OncePerPeer(clock, 1000);
    expect(reports.shouldReport("10.0.0.1")).toBe(true);
    expect(reports.shouldReport("10.0.0.1")).toBe(false);
    expect(reports.shouldReport("10.0.0.2")).toBe(true);
    clock.advance(999);
    expect(reports.shouldReport("10.0.0.1")).toBe(false);
    clock.advance(1);
    expect(reports.shouldReport("10.0.0.1")).toBe(true);
    expect(reports.shouldReport("10.0.0.2")).toBe(true);
  });

  it("counts the period from the report, not from the last failure", () => {
    const clock = new ManualClock();
    const reports = new OncePerPeer(clock, 1000);
    expect(reports.shouldReport("a")).toBe(true);
    clock.advance(600);
    expect(reports.shouldReport("a")).toBe(false);
    clock.advance(600);
    expect(reports.shouldReport("a")).toBe(true);
  });

  it("reports at most as many peers per period as it may remember", () => {
    const clock = new ManualClock();
    const reports = new OncePerPeer(clock, 1000, 10);
    const report = (): number =>
      Array.from({ length: 500 }, (_, i) => reports.shouldReport(`peer-${i}`)).filter(Boolean)
        .length;
    expect(report()).toBe(10);
    clock.advance(1000);
    expect(report()).toBe(10);
  });
});
