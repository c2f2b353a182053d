import { ListenerBus } from "@bm/master";
import { describe, expect, it } from "vitest";
import { Cluster } from "../cluster.ts";

describe("a bus", () => {
  it("tells every listener everything in order, in a later turn", async () => {
    const bus = new ListenerBus<number>();
    const [first, second]: [number[], number[]] = [[], []];
    bus.add("first", (event) => void first.push(event));
    bus.add("second", async (event) => {
      await Promise.resolve();
      second.push(event);
    });
    const events = Array.from({ length: 300 }, (_, index) => index);
    for (const event of events) bus.post(event);
    expect(first).toEqual([]);
    await bus.close();
    expect(first).toEqual(events);
    expect(second).toEqual(events);
    expect(bus.states()).toEqual([
      { name: "first", waiting: 0, delivered: 300, dropped: 0 },
      { name: "second", waiting: 0, delivered: 300, dropped: 0 },
    ]);
  });

  it("drops and counts what a slow listener has no room for, and holds up nobody else", async () => {
    const bus = new ListenerBus<number>();
    const { promise, resolve } = Promise.withResolvers<void>();
    const [slow, quick]: [number[], number[]] = [[], []];
    const listener = (event: number): Promise<void> => {
      slow.push(event);
      return promise;
    };
    bus.add("slow", listener, { entriesMax: 3 });
    bus.add("quick", (event) => void quick.push(event));
    bus.post(0);
    await expect.poll(() => slow).toEqual([0]);
    for (let event = 1; event < 10; event++) bus.post(event);
    await expect.poll(() => quick).toHaveLength(10);
    expect(bus.states()[0]).toEqual({ name: "slow", waiting: 3, delivered: 1, dropped: 6 });
    resolve();
    // There is room again.
    await expect.poll(() => slow).toEqual([0, 1, 2, 3]);
    bus.post(10);
    await bus.close();
    expect(slow).toEqual([0, 1, 2, 3, 10]);
    // What comes after the end is nobody's.
    bus.post(11);
    await bus.close();
    expect(quick).toHaveLength(11);
  });

  it("goes on when a listener throws", async () => {
    const errors: string[] = [];
    const silent = (): void => {};
    const error = (text: string): void => void errors.push(text);
    const bus = new ListenerBus<number>({
      logger: { debug: silent, info: silent, warn: silent, error },
    });
    const seen: number[] = [];
    bus.add("deaf", (event) => {
      seen.push(event);
      if (event === 1) throw new Error("deaf");
      return event === 2 ? Promise.reject(new Error("deaf again")) : undefined;
    });
    for (const event of [1, 2, 3]) bus.post(event);
    await bus.close();
    expect(seen).toEqual([1, 2, 3]);
    expect(errors).toEqual(["listener deaf: Error: deaf", "listener deaf: Error: deaf again"]);
  });

  it("takes listeners away, and ends at once when it has to", async () => {
    const bus = new ListenerBus<number>();
    const seen: number[] = [];
    bus.add("gone", (event) => void seen.push(event));
    bus.post(1);
    bus.remove("gone");
    bus.remove("unknown");
    bus.add("stuck", () => new Promise(() => {}));
    bus.post(2);
    await expect.poll(() => bus.states()[0]?.delivered).toBe(1);
    await bus.close({ signal: AbortSignal.abort() });
    expect(seen).toEqual([]);
    expect(() => bus.add("late", () => {})).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
  });

  it("carries what happens at the master", async () => {
    const bus = new ListenerBus<{ readonly type: string }>();
    const types: string[] = [];
    bus.add("log", ({ type }) => void types.push(type));
    await using cluster = await Cluster.start("in process", { listener: bus.post });
    await cluster.register({ executorId: "1" });
    await cluster.master.removeExecutor("1");
    await bus.close();
    expect(types).toEqual(["BlockManagerAdded", "BlockManagerRemoved"]);
  });
});
