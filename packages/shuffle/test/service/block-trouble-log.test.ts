import { silentLogger } from "@bm/transport";
import { ManualClock } from "@bm/transport/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { BlockTroubleLog } from "../../src/service/block-trouble-log.ts";

let lines: string[];
let clock: ManualClock;
let log: BlockTroubleLog;

beforeEach(() => {
  lines = [];
  clock = new ManualClock();
  log = new BlockTroubleLog({ ...silentLogger, warn: (line) => lines.push(line) }, clock);
});

describe("the log of blocks that could not be given", () => {
  it("has one line for each executor a minute, and counts the others", () => {
    for (let map = 0; map < 5; map += 1)
      log.failed("app", "1", `shuffle_0_${map}_0`, new Error("x"));
    log.failed("app", "2", "shuffle_0_9_0", new Error("y"));
    clock.advance(60_000);
    log.failed("app", "1", "shuffle_0_7_0", new Error("z"));
    expect(lines).toEqual([
      "cannot give shuffle_0_0_0 of app, executor 1: x",
      "cannot give shuffle_0_9_0 of app, executor 2: y",
      "cannot give shuffle_0_7_0 of app, executor 1: z (and 4 more before)",
    ]);
  });

  it("cannot be flooded by peers that make names up", () => {
    for (let at = 0; at < 10_000; at += 1) log.failed(`app-${at}`, "x".repeat(10_000), "b", "no");
    expect(lines).toHaveLength(60);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(300);
    clock.advance(60_000);
    log.failed("app", "1", "b", "no");
    expect(lines).toHaveLength(61);
  });
});
