import { describe, expect, it } from "vitest";
import { ManualClock } from "../../src/testing/manual-clock.ts";

describe("ManualClock", () => {
  it("stands still until it is moved", async () => {
    const clock = new ManualClock({ wallTimeMs: 5000 });
    clock.setTimer(1, () => {
      throw new Error("too early");
    });
    await clock.settle();
    expect(clock.nowMs()).toBe(0);
    expect(clock.wallTimeMs()).toBe(5000);
    expect(clock.nextTimerMs).toBe(1);
  });

  it("shows each timer the moment at which it was due", () => {
    const clock = new ManualClock();
    const seen: number[] = [];
    clock.setTimer(10, () => {
      seen.push(clock.nowMs());
      clock.setTimer(5, () => seen.push(clock.nowMs()));
      clock.setTimer(50, () => seen.push(clock.nowMs()));
    });
    clock.advance(30);
    expect(seen).toEqual([10, 15]);
    expect(clock.nowMs()).toBe(30);
    expect(clock.timerCount).toBe(1);
  });

  it("runs immediates between timers", () => {
    const clock = new ManualClock();
    const seen: string[] = [];
    clock.setTimer(1, () => {
      seen.push("one");
      clock.setImmediate(() => seen.push("after one"));
    });
    clock.setTimer(2, () => seen.push("two"));
    clock.advance(5);
    expect(seen).toEqual(["one", "after one", "two"]);
  });

  it("lets promises go on between timers when asked to settle", async () => {
    const clock = new ManualClock();
    const seen: number[] = [];
    const sleeper = async (): Promise<void> => {
      for (let i = 0; i < 3; i += 1) {
        await clock.sleep(10);
        seen.push(clock.nowMs());
      }
    };
    const done = sleeper();
    await clock.advanceAndSettle(100);
    await done;
    expect(seen).toEqual([10, 20, 30]);
    expect(clock.nowMs()).toBe(100);
  });

  it("gives what a timer throws to whoever moved the clock", () => {
    const clock = new ManualClock();
    clock.setTimer(1, () => {
      throw new Error("timer broke");
    });
    expect(() => clock.advance(1)).toThrow("timer broke");
  });
});
