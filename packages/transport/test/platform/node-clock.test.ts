import { afterEach, describe, expect, it, vi } from "vitest";
import { nodeClock } from "../../src/platform/node-clock.ts";

describe("node clock", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("waits in parts for what Node's timers cannot hold", () => {
    vi.useFakeTimers();
    let count = 0;
    nodeClock.setTimer(2 ** 33, () => {
      count += 1;
    });
    const cancelled = nodeClock.setTimer(2 ** 33, () => {
      count += 100;
    });
    vi.advanceTimersByTime(2 ** 32);
    cancelled.cancel();
    vi.advanceTimersByTime(2 ** 32 - 1);
    expect(count).toBe(0);
    vi.advanceTimersByTime(1);
    expect(count).toBe(1);
  });
});
