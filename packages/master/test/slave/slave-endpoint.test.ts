import { BlockManagerId, rddBlockId } from "@bm/block";
import {
  BlockManagerSlaveEndpoint,
  type BlockOwner,
  DecommissionBlockManager,
  MarkRDDBlockAsVisible,
  ReplicateBlock,
  TriggerHeapHistogram,
  TriggerThreadDump,
} from "@bm/master";
import { defineMessage, RpcEndpoint, type RpcEndpointRef, RpcEnv } from "@bm/rpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RecordingOwner } from "../recording-owner.ts";

let env: RpcEnv;
let driver: RpcEnv;

beforeEach(async () => {
  env = await RpcEnv.create({ name: "executor" });
  driver = await RpcEnv.create({ name: "driver", isClientOnly: true });
});

afterEach(async () => {
  await Promise.all([env.close(), driver.close()]);
});

function setup(owner: BlockOwner): RpcEndpointRef {
  return driver.endpointRefAt(BlockManagerSlaveEndpoint.setup(env, { owner }));
}

/** What every owner has to have, and nothing else. */
const bareOwner: BlockOwner = {
  removeBlock: () => {},
  removeRdd: async () => 1,
  removeBroadcast: async () => 0,
  removeShuffle: async () => true,
  blockStatus: () => null,
  matchingBlockIds: () => [],
};
const order = {
  blockId: rddBlockId(1, 0),
  replicas: [BlockManagerId.of("2", "h2", 1)],
  maxReplicas: 3,
};

describe("the endpoint of a block manager", () => {
  it("hands orders on, and answers what came of them", async () => {
    const owner = new RecordingOwner();
    const slave = setup(owner);
    await slave.ask(MarkRDDBlockAsVisible, rddBlockId(1, 0));
    await expect(slave.ask(ReplicateBlock, order)).resolves.toBe(true);
    await slave.ask(DecommissionBlockManager, undefined);
    expect(owner.orders).toEqual([
      "MarkRDDBlockAsVisible(rdd_1_0)",
      "ReplicateBlock(rdd_1_0,[BlockManagerId(2, h2, 1, None)],3)",
      "DecommissionBlockManager",
    ]);
  });

  it("names what an owner cannot do, and hides nothing where the owner hides nothing", async () => {
    const slave = setup(bareOwner);
    await expect(slave.ask(ReplicateBlock, order)).rejects.toMatchObject({
      remoteCode: "UNIMPLEMENTED",
      message: "ReplicateBlock is not implemented",
    });
    await expect(slave.ask(DecommissionBlockManager, undefined)).rejects.toMatchObject({
      remoteCode: "UNIMPLEMENTED",
    });
    await expect(slave.ask(MarkRDDBlockAsVisible, rddBlockId(1, 0))).resolves.toBeUndefined();
  });
});

describe("a dump of the state", () => {
  it("tells memory, what the process waits for, and what each endpoint has to do", async () => {
    const Wait = defineMessage({ type: "Wait" });
    const { promise, resolve } = Promise.withResolvers<void>();
    class Busy extends RpcEndpoint {
      constructor() {
        super();
        this.receive(Wait, () => promise);
      }
    }
    const busy = env.setupEndpoint("busy", new Busy());
    const slave = setup(bareOwner);
    const waiting = [busy.ask(Wait, undefined), busy.ask(Wait, undefined)];
    const rows = await slave.ask(TriggerThreadDump, undefined);
    expect(rows[0]).toContain(`process ${process.pid}`);
    expect(rows[1]).toMatch(/^memory: rss \d+, heap \d+ of \d+/);
    expect(rows.filter((row) => /^waits for \d+ TCP/.test(row)).length).toBeGreaterThan(0);
    expect(rows).toContain(
      "endpoint busy: handling Wait, 1 waiting (0 bytes), 0 to be answered later",
    );
    expect(
      rows.filter((row) =>
        /^endpoint BlockManagerEndpoint\d+: handling TriggerThreadDump/.test(row),
      ),
    ).toHaveLength(1);
    resolve();
    await Promise.all(waiting);
  });

  it("tells what fills the heap, the most first", async () => {
    const rows = await setup(bareOwner).ask(TriggerHeapHistogram, undefined);
    const used = rows.map((row) => Number(/^(\d+) of \d+ \w+$/.exec(row)?.[1]));
    expect(used.length).toBeGreaterThan(3);
    expect(used).toEqual(used.toSorted((a, b) => b - a));
  });
});
