import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  BlockManagerMaster,
  BlockManagerMasterEndpoint,
  MapOutputTrackerMaster,
  MapOutputTrackerMasterEndpoint,
  type MasterEvent,
} from "@bm/master";
import { formatRpcAddress, RpcEnv } from "@bm/rpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BlockManager } from "../../src/index.ts";
import { textOf } from "../block-manager/content.ts";
import { aloneId, contentOf, copiedId } from "./drill-blocks.ts";

interface Seen {
  readonly right: number;
  readonly wrong: readonly string[];
  readonly absent: number;
}

/** An executor in a process of its own. */
class Executor {
  readonly child: ChildProcess;
  /** Rounds of puts that it has told of. */
  puts = -1;
  seen: Seen | null = null;

  constructor(driver: string, number: number, root: string) {
    const script = new URL("./storage-process.ts", import.meta.url);
    const args = [driver, String(number), join(root, String(number))];
    this.child = fork(script, args, { execArgv: ["--conditions=@bm/source"] });
    this.child.on("message", (message: { readonly puts?: number; readonly seen?: Seen }) => {
      this.puts = message.puts ?? this.puts;
      this.seen = message.seen ?? this.seen;
    });
  }
}

describe("three executors under load, of which one is killed", () => {
  let root = "";
  let env: RpcEnv;
  const executors: Executor[] = [];
  /** What the driver says of blocks that nobody has any more. */
  const lost: string[] = [];

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "bm-loss-"));
    const listener = (event: MasterEvent): void => {
      if (event.type === "BlockManagerRemoved")
        lost.push(...event.lostBlocks.map(({ name }) => name));
    };
    env = await RpcEnv.create({ name: "driver" });
    const tracker = new MapOutputTrackerMaster();
    BlockManagerMasterEndpoint.setup(env, {
      mapOutputTracker: tracker,
      heartbeat: false,
      listener,
    });
    MapOutputTrackerMasterEndpoint.setup(env, tracker);
    const driver = env.address === null ? "" : formatRpcAddress(env.address);
    for (const number of [1, 2, 3]) executors.push(new Executor(driver, number, root));
  });

  afterEach(async () => {
    for (const { child } of executors.splice(0)) child.kill("SIGKILL");
    await env.close();
    await rm(root, { recursive: true, force: true });
  });

  it("never read a wrong byte, keep every block that had a copy, and name the others", async () => {
    const [one, two, three] = executors;
    if (one === undefined || two === undefined || three === undefined) throw new Error("too few");
    const master = BlockManagerMaster.at(env, env.address);
    await everybodyHasPut(executors, 0);
    for (const { child } of executors) child.send("start");
    await everybodyHasPut(executors, 20);
    const exited = once(three.child, "exit");
    three.child.kill("SIGKILL");
    await exited;
    await master.removeExecutor("3");
    const survivors = [one, two];
    await everybodyHasPut(survivors, 20 + Math.max(one.puts, two.puts));
    for (const { child } of survivors) child.send("stop");
    await expect.poll(() => survivors.every(({ seen }) => seen !== null)).toBe(true);

    for (const { seen } of survivors) {
      expect(seen?.wrong).toEqual([]);
      expect(seen?.right).toBeGreaterThan(20);
    }
    await expectAllReadable(executors, root);
    const told = Array.from({ length: three.puts }, (_, index) => aloneId(3, index).name);
    const isTold = (name: string): boolean => Number(name.split("_").at(-1)) < three.puts;
    expect(lost.filter(isTold).toSorted()).toEqual(told.toSorted());
    for (const index of told.keys()) expect(await master.contains(aloneId(3, index))).toBe(false);
  });

  /** As somebody who holds nothing himself. */
  async function expectAllReadable(all: readonly Executor[], directory: string): Promise<void> {
    await using readerEnv = await RpcEnv.create({ name: "reader" });
    await using reader = await BlockManager.start({
      appId: "drill",
      executorId: "reader",
      env: readerEnv,
      master: BlockManagerMaster.at(readerEnv, env.address),
      tracker: new MapOutputTrackerMaster(),
      localRoots: [join(directory, "reader")],
      heartbeatIntervalMs: 0,
    });
    const wrong: string[] = [];
    for (const [at, { puts }] of all.entries()) {
      for (let index = 0; index < puts; index += 1) {
        const id = copiedId(at + 1, index);
        if ((await textOf(reader.getRemote(id))) !== contentOf(id).toString()) wrong.push(id.name);
      }
    }
    expect(wrong).toEqual([]);
  }
});

async function everybodyHasPut(executors: readonly Executor[], puts: number): Promise<void> {
  const least = (): number => Math.min(...executors.map((executor) => executor.puts));
  await expect.poll(least, { timeout: 50_000 }).toBeGreaterThanOrEqual(puts);
}
