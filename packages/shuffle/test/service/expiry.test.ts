import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { nodePlatform, silentLogger } from "@bm/transport";
import { ManualClock } from "@bm/transport/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ExternalShuffleService, LevelExecutorStore } from "../../src/index.ts";
import { APP, Asker, endAll, startService, temporaryDirectory } from "./service-under-test.ts";

const { files, network, random } = nodePlatform();
const MINUTE_MS = 60_000;

let root: string;
let dir: string;
let clock: ManualClock;
let service: ExternalShuffleService;
let asker: Asker;
let ended: string[];

beforeEach(async () => {
  root = await temporaryDirectory();
  dir = join(root, "blockmgr-a");
  await mkdir(dir);
  ended = [];
  clock = new ManualClock();
  await start();
});
afterEach(endAll);

async function start(): Promise<void> {
  service = await startService({
    platform: { clock, files, network, random },
    store: await LevelExecutorStore.open({ path: join(root, "db"), files, logger: silentLogger }),
    endedApplications: () => Promise.resolve(ended),
  });
  asker = await Asker.connect(service.port);
}

/** Looks, waits, and looks again. */
async function pass(minutes: number): Promise<void> {
  await service.parts.expiry.runOnce();
  clock.advance(minutes * MINUTE_MS);
  await service.parts.expiry.runOnce();
}

describe("a service that nobody tells about ends", () => {
  it("keeps executors whose directories are there", async () => {
    await asker.register("1", [join(root, "none"), dir]);
    await pass(60);
    expect(service.parts.registry.size).toBe(1);
  });

  it("forgets an executor whose directories are gone for the whole grace, also on disk", async () => {
    await asker.register("1", [dir]);
    await asker.register("2", [root]);
    await rm(dir, { recursive: true });
    await pass(9);
    expect(service.parts.registry.size).toBe(2);
    await pass(2);
    expect([...service.parts.registry.executorsOf(APP).keys()]).toEqual(["2"]);
    await service.close();
    await start();
    expect([...service.parts.registry.executorsOf(APP).keys()]).toEqual(["2"]);
  });

  it("starts the grace anew when the executor came back", async () => {
    await asker.register("1", [dir]);
    await rm(dir, { recursive: true });
    await pass(9);
    await mkdir(dir);
    await pass(1);
    await rm(dir, { recursive: true });
    await pass(9);
    expect(service.parts.registry.size).toBe(1);
  });

  it("forgets the executors of an application that has ended", async () => {
    await asker.register("1", [dir]);
    await asker.register("1", [dir], "app-other");
    ended = [APP, "app-unknown"];
    await service.parts.expiry.runOnce();
    expect(service.parts.registry.applicationIds).toEqual(["app-other"]);
    expect(service.parts.expiry.expired).toBe(1);
  });
});
