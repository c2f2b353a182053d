import { describe, expect, it } from "vitest";
import { nodeClock } from "../../src/platform/node-clock.ts";
import type { Clock } from "../../src/platform/platform.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

interface ClockHarness {
  readonly makeClock: () => Clock;
  /** Lets that much time go by on the clock. */
  readonly pass: (clock: Clock, ms: number) => Promise<void>;
}

const implementations: readonly (readonly [string, ClockHarness])[] = [
  [
    "node",
    {
      makeClock: () => nodeClock,
      pass: (_, ms) =>
        new Promise((resolve) => {
          setTimeout(resolve, ms);
        }),
    },
  ],
  [
    "manual",
    {
      makeClock: () => new ManualClock(),
      pass: (clock, ms) => (clock as ManualClock).advanceAndSettle(ms),
    },
  ],
];

/** What every Clock promises. */
describe.each(implementations)("%s clock", (_name, { makeClock, pass }) => {
  it("goes forward", async () => {
    const clock = makeClock();
    const [start, wallStart] = [clock.nowMs(), clock.wallTimeMs()];
    await pass(clock, 10);
    expect(clock.nowMs() - start).toBeGreaterThanOrEqual(9);
    expect(clock.wallTimeMs() - wallStart).toBeGreaterThanOrEqual(9);
    expect(clock.wallTimeMs()).toBeGreaterThan(1_600_000_000_000);
  });

  it("fires timers once, in the order in which they are due", async () => {
    const clock = makeClock();
    const fired: string[] = [];
    clock.setTimer(30, () => fired.push("late"));
    clock.setTimer(15, () => fired.push("early"));
    clock.setTimer(15, () => fired.push("early too"), { unref: true });
    clock.setTimer(0, () => fired.push("first"));
    expect(fired).toEqual([]);
    await pass(clock, 60);
    expect(fired).toEqual(["first", "early", "early too", "late"]);
    await pass(clock, 20);
    expect(fired).toHaveLength(4);
  });

  it("forgets cancelled timers and immediates", async () => {
    const clock = makeClock();
    const fired: string[] = [];
    const timer = clock.setTimer(1, () => fired.push("timer"));
    const immediate = clock.setImmediate(() => fired.push("immediate"));
    timer.cancel();
    timer.cancel();
    immediate.cancel();
    const late = clock.setTimer(1, () => late.cancel());
    await pass(clock, 10);
    expect(fired).toEqual([]);
  });

  it("runs immediates in a later turn, in order, and theirs in the turn after", async () => {
    const clock = makeClock();
    const fired: string[] = [];
    const last = Promise.withResolvers<void>();
    clock.setImmediate(() => {
      fired.push("a");
      clock.setImmediate(() => {
        fired.push("c");
        last.resolve();
      });
    });
    clock.setImmediate(() => fired.push("b"));
    expect(fired).toEqual([]);
    await pass(clock, 1);
    await last.promise;
    expect(fired).toEqual(["a", "b", "c"]);
  });

  it("does not fire a far timer early", async () => {
    const clock = makeClock();
    let count = 0;
    const timers = [2 ** 31, 2 ** 40, Number.POSITIVE_INFINITY].map((delayMs) =>
      clock.setTimer(delayMs, () => {
        count += 1;
      }),
    );
    await pass(clock, 10);
    expect(count).toBe(0);
    for (const timer of timers) timer.cancel();
  });

  it("sleeps", async () => {
    const clock = makeClock();
    const start = clock.nowMs();
    const sleeping = clock.sleep(5);
    await pass(clock, 10);
    await sleeping;
    expect(clock.nowMs() - start).toBeGreaterThanOrEqual(4);
  });

  it("wakes a sleeper whose signal fires, with the reason", async () => {
    const clock = makeClock();
    const controller = new AbortController();
    const sleeping = clock.sleep(1_000_000, { signal: controller.signal });
    const outcome = expect(sleeping).rejects.toThrow("enough");
    controller.abort(new Error("enough"));
    await outcome;
    await expect(clock.sleep(1, { signal: controller.signal })).rejects.toThrow("enough");
  });
});
