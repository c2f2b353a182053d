import { blockDataManagerSuite } from "@bm/shuffle/testing";
import { describe, expect, it } from "vitest";
import { Cluster } from "./cluster.ts";

describe("BlockManager as a BlockDataManager", () => {
  const cases = blockDataManagerSuite(async () => {
    const cluster = await Cluster.start();
    const { served: manager } = await cluster.addExecutor("one");
    return { manager, close: () => cluster[Symbol.asyncDispose]() };
  });
  for (const { name, run } of cases) {
    it(name, () => expect(run()).resolves.toBeUndefined());
  }
});
