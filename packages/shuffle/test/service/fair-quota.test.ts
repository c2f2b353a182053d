import { describe, expect, it } from "vitest";
import { FairQuota } from "../../src/service/quota/fair-quota.ts";

/** Takes for a connection of an application, and notes when it was let through. */
function taker(
  quota: FairQuota,
  log: string[],
): (name: string, appId: string, connection: object, amount: number) => void {
  return (name, appId, connection, amount) => {
    const turn = quota.take(appId, connection, amount);
    if (turn === null) log.push(name);
    else void turn.then((isTaken) => log.push(isTaken ? name : `${name} dropped`));
  };
}

/** Lets promises that are settled call back. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
}

describe("a quota", () => {
  it("lets connections of an application through in turns, and another application at once", async () => {
    const quota = new FairQuota(10);
    const [a, b, c, other] = [{}, {}, {}, {}];
    const log: string[] = [];
    const take = taker(quota, log);
    take("a1", "app", a, 5);
    take("b1", "app", b, 5);
    for (const name of ["a2", "a3"]) take(name, "app", a, 5);
    take("b2", "app", b, 5);
    take("c1", "app", c, 5); // Holds nothing: let through beyond the quota.
    take("o1", "other", other, 8);
    expect(log).toEqual(["a1", "b1", "c1", "o1"]);
    expect(quota.waiting).toBe(3);
    quota.giveBack("app", c, 5);
    quota.giveBack("app", a, 5);
    await settle();
    quota.giveBack("app", b, 5);
    quota.giveBack("app", a, 5);
    await settle();
    expect(log.slice(4)).toEqual(["a2", "b2", "a3"]);
    expect([quota.waiting, quota.waits]).toEqual([0, 3]);
  });

  it("lets something larger than itself go alone, and a connection that holds nothing always", async () => {
    const quota = new FairQuota(10);
    const [a, b] = [{}, {}];
    const log: string[] = [];
    const take = taker(quota, log);
    take("huge", "app", a, 100);
    take("small", "app", a, 1);
    take("b1", "app", b, 1);
    take("b2", "app", b, 1);
    expect(log).toEqual(["huge", "b1"]);
    quota.giveBack("app", b, 1);
    await settle();
    expect(log).toEqual(["huge", "b1", "b2"]);
    quota.giveBack("app", a, 100);
    await settle();
    expect(log).toEqual(["huge", "b1", "b2", "small"]);
  });

  it("does not let small ones overtake a large one for ever", async () => {
    const quota = new FairQuota(10);
    const [a, b] = [{}, {}];
    const log: string[] = [];
    const take = taker(quota, log);
    take("a1", "app", a, 6);
    take("b1", "app", b, 2);
    take("large", "app", a, 8);
    for (const name of ["b2", "b3"]) take(name, "app", b, 1);
    expect(log).toEqual(["a1", "b1"]);
    quota.giveBack("app", a, 6);
    await settle();
    // The connection of the large one holds nothing now: it goes, whatever the others hold.
    expect(log).toEqual(["a1", "b1", "large"]);
  });

  it("drops those who wait for a connection that ended, and forgets it", async () => {
    const quota = new FairQuota(10);
    const [a, b] = [{}, {}];
    const log: string[] = [];
    const take = taker(quota, log);
    take("a1", "app", a, 10);
    take("a2", "app", a, 10);
    take("b1", "app", b, 1);
    quota.connectionEnded(a);
    await settle();
    expect(log).toEqual(["a1", "b1", "a2 dropped"]);
    expect([...quota.held()]).toEqual([["app", 11]]);
    quota.giveBack("app", a, 10);
    quota.giveBack("app", b, 1);
    quota.connectionEnded(b);
    expect([...quota.held()]).toEqual([]);
    expect(quota.waiting).toBe(0);
  });

  it("lets through what fits a larger maximum", async () => {
    const quota = new FairQuota(1);
    const a = {};
    const log: string[] = [];
    const take = taker(quota, log);
    for (const name of ["1", "2", "3", "4"]) take(name, "app", a, 1);
    quota.setMax(3);
    await settle();
    expect(log).toEqual(["1", "2", "3"]);
    quota.setMax(Number.POSITIVE_INFINITY);
    await settle();
    expect(log).toEqual(["1", "2", "3", "4"]);
    expect(quota.isOn).toBe(false);
  });
});
